"""The dashboard: what the pipeline made{% if cookiecutter.example %}, and what another choice would change{% endif %}.

`make app` opens it. Streamlit runs this file anew whenever somebody moves a control; what is read
from disk is kept until a file changes.
"""

{% if cookiecutter.example %}
import altair as alt
{% endif %}
import pandas as pd
import streamlit as st

from {{ cookiecutter.package_name }} import artifacts, {% if cookiecutter.example %}decision, {% endif %}paths

ROOT = paths.ROOT
TITLE = "{{ 'Which biopsies to flag' if cookiecutter.example else 'Results' }}"
{% if cookiecutter.example %}
# What reading raises while a run is half done: files are cut off, or from different runs.
UNFIT = (OSError, ValueError, KeyError, EOFError)
VERMILION, BLUE = "#d55e00", "#3b8fd4"  # told apart by every eye, on white and on black
{% endif %}


@st.cache_data(max_entries=20)
def read_table(file: str, stamp: artifacts.Stamp) -> pd.DataFrame:
    """Read a table; the stamp makes it read again after a change."""
    return artifacts.read_table(ROOT / file)


@st.fragment(run_every="3s")
def follow(files: tuple[str, ...], stamp: artifacts.Stamp) -> None:
    """Show the page anew when a run has changed a file."""
    if artifacts.stamp(ROOT, files) != stamp:
        st.rerun()


def explain_missing(files: list[str]) -> None:
    """Say what has to be made before there is something to show."""
    st.warning("There is nothing to show yet: the pipeline has not made what this page reads.")
    st.markdown("Run the production notebooks first; this page then shows the results by itself.")
    st.code("make run-notebooks", language=None)
    st.markdown("Has somebody else run them and pushed the results? Then fetch those.")
    st.code("make pull", language=None)
    st.markdown("Missing:\n\n" + "\n".join(f"- `{file}`" for file in files))


{% if cookiecutter.example %}
@st.cache_data(max_entries=1)
def load(stamp: artifacts.Stamp) -> decision.Results:
    """Read what the pipeline made; the stamp makes it read again after a change."""
    return decision.load(ROOT)


def show_decision(results: decision.Results) -> None:
    """Let a model and a recall be chosen, and show what they lead to."""
    chosen = results.chosen
    st.markdown(
        "A biopsy is flagged when its score is not below a threshold. Choose how many of the "
        "malignant ones must be flagged, and see how many benign ones that costs."
    )
    left, right = st.columns([1, 2])
    names = list(results.scores)
    model = left.radio("Model", names, index=names.index(chosen["model"]), horizontal=True)
    min_recall = right.select_slider(
        "Lowest share of malignant biopsies to flag",
        decision.choices(results),
        value=results.min_recall,
        format_func="{:.1%}".format,
    )
    made = decision.decide(results, model, min_recall)
    show_outcome(made, decision.decide(results, chosen["model"], results.min_recall))
    if (model, min_recall) != (chosen["model"], results.min_recall):
        st.info(
            f"The pipeline chose the {chosen['model']} model for {results.min_recall:.1%}. To let "
            f"it choose again: `min_recall: {min_recall:g}` in `config/40-evaluate.yaml`, then "
            "`make run-notebooks`."
        )
    left, right = st.columns([3, 2])
    with left:
        st.subheader("What the threshold trades")
        st.altair_chart(threshold_chart(decision.curve(results, model), made.threshold))
    with right:
        st.subheader("What happens to the biopsies")
        st.table(decision.confusion(made.outcome))
        show_test(chosen)
    show_biopsies(made.biopsies)


def show_outcome(made: decision.Decision, reference: decision.Decision) -> None:
    """Show the figures of a decision, with their distance from those of the pipeline's choice."""
    now, then = made.outcome, reference.outcome
    with st.container(horizontal=True):
        for label, value, form, difference, good in (
            ("Threshold", made.threshold, "{:.2f}", made.threshold - reference.threshold, "off"),
            ("Recall", now["recall"], "{:.1%}", now["recall"] - then["recall"], "normal"),
            ("Missed", now["missed"], "{:.0f}", now["missed"] - then["missed"], "inverse"),
            (
                "False alarms",
                now["false_alarms"],
                "{:.0f}",
                now["false_alarms"] - then["false_alarms"],
                "inverse",
            ),
        ):
            text = form.replace("{:", "{:+").format(difference) if difference else None
            st.metric(label, form.format(value), text, delta_color=good, border=True)


def threshold_chart(curve: pd.DataFrame, threshold: float) -> alt.LayerChart:
    """Draw the shares flagged at every threshold, and a line at the one that was found."""
    labels = {"malignant": "malignant (recall)", "benign": "benign (false alarms)"}
    named = curve.rename(columns=labels)
    steps = named.melt("threshold", var_name="biopsies", value_name="flagged")
    colours = alt.Scale(domain=list(labels.values()), range=[VERMILION, BLUE])
    dashes = alt.Scale(domain=list(labels.values()), range=[[1, 0], [5, 3]])
    lines = (
        alt.Chart(steps)
        .mark_line(interpolate="step-before")
        .encode(
            alt.X("threshold").scale(domain=[0, 1]),
            alt.Y("flagged").title("share flagged").axis(format="%"),
            alt.Color("biopsies").scale(colours).legend(orient="bottom", title=None),
            alt.StrokeDash("biopsies").scale(dashes).legend(None),
        )
    )
    rule = alt.Chart(pd.DataFrame({"threshold": [threshold]})).mark_rule(color="gray", size=2)
    description = f"Shares of malignant and benign biopsies flagged; threshold {threshold:.2f}"
    return alt.layer(lines, rule.encode(x="threshold")).properties(
        height=320, description=description
    )


def show_test(chosen: dict) -> None:
    """Say what the pipeline's own choice promises on biopsies that had no part in it."""
    test = chosen["test"]
    st.markdown(
        f"On the test table, which had no part in any choice, the pipeline's {chosen['model']} "
        f"model at {chosen['threshold']:.2f} misses **{test['missed']} of {test['malignant']}** "
        f"malignant biopsies and raises **{test['false_alarms']}** false alarms among "
        f"{test['benign']} benign ones: a recall somewhere between {test['recall_low']:.0%} and "
        f"{test['recall_high']:.0%}."
    )


def show_biopsies(biopsies: pd.DataFrame) -> None:
    """List the biopsies of the validation table with their scores."""
    st.subheader("Biopsies")
    kinds = {"mistakes": ["missed", "false alarm"], "flagged": ["hit", "false alarm"]}
    kind = st.radio("Show", [*kinds, "all"], horizontal=True)
    listed = biopsies[biopsies["result"].isin(kinds[kind])] if kind in kinds else biopsies
    score = st.column_config.ProgressColumn("score", min_value=0, max_value=1, format="%.3f")
    st.dataframe(listed, column_config={"score": score})
    st.markdown(f"{len(listed)} of {len(biopsies)} biopsies of the validation table")


{% endif %}
def show_artifacts() -> None:
    """Show the metrics, figures and tables that the stages of dvc.yaml declare."""
    if absent := artifacts.missing(ROOT, artifacts.outputs(ROOT)):
        st.warning("Not there yet: " + ", ".join(f"`{file}`" for file in absent))
    if metrics := artifacts.metrics(ROOT):
        st.subheader("Metrics")
        for table in metrics:
            shown = table.T if len(table) == 1 else table
            st.table(shown.style.format("{:.6g}"), width="content")
    there = [file for file in artifacts.outputs(ROOT) if file not in absent]
    if figures := [file for file in there if file.endswith(artifacts.FIGURES)]:
        st.subheader("Figures")
        for file in figures:
            st.markdown(f"`{file}`")
            st.image(ROOT / file, alt=f"The figure {file}")
    if tables := [file for file in there if file.endswith(artifacts.TABLES)]:
        st.subheader("Tables")
        file = st.selectbox("Table", tables)
        table = read_table(file, artifacts.stamp(ROOT, [file]))
        st.dataframe(table.head(1000))
        st.markdown(f"{len(table)} rows, {len(table.columns)} columns")


def main() -> None:
    """Show the page, and show it anew when a run has changed what it reads."""
    st.set_page_config(page_title=TITLE, layout="wide")
    st.title(TITLE)
{% if cookiecutter.example %}
    files = tuple(dict.fromkeys([*decision.ARTIFACTS, *artifacts.outputs(ROOT)]))
    stamp = artifacts.stamp(ROOT, files)
    if absent := artifacts.missing(ROOT, decision.ARTIFACTS):
        explain_missing(absent)
    else:
        choice, everything = st.tabs(["Model and threshold", "All results"])
        with choice:
            try:
                show_decision(load(artifacts.stamp(ROOT, decision.ARTIFACTS)))
            except UNFIT as error:
                st.error(
                    f"The results do not fit together ({type(error).__name__}: {error}). A run is "
                    "under way, or ended half-way: `make status` says which."
                )
        with everything:
            show_artifacts()
{% else %}
    files = tuple(artifacts.outputs(ROOT))
    stamp = artifacts.stamp(ROOT, files)
    if not files:
        st.info("dvc.yaml declares no stage with outputs yet; this page will show them.")
        st.code("nb new sales --production", language=None)
    elif not stamp:
        explain_missing(artifacts.missing(ROOT, files))
    else:
        show_artifacts()
{% endif %}
    follow(files, stamp)


main()
