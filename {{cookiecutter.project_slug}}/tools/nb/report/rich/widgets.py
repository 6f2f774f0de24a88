"""Widgets as text: the state that the executed copy saved, or else a description."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
# Boxes within boxes; a state that contains itself ends here.
NESTED_WIDGETS = 12
_TITLED = ("TabModel", "AccordionModel", "StackModel")


class Widgets:
    """The saved widgets of a notebook.

    Args:
        metadata: the metadata of the notebook.
        sanitise: makes HTML harmless.
        show: renders a saved output of an output widget.
    """

    def __init__(
        self,
        metadata: Mapping[str, object],
        sanitise: Callable[[str], str],
        show: Callable[[object], str],
    ) -> None:
        saved = _dict(_dict(metadata.get("widgets")).get(STATE))
        self._models = _dict(saved.get("state"))
        self._sanitise = sanitise
        self._show = show

    def view(self, view: object) -> str:
        """Return a widget as HTML; empty if the notebook holds no state of the widget."""
        name = _dict(view).get("model_id")
        return self._model(str(name), NESTED_WIDGETS) if name in self._models else ""

    def _model(self, name: str, depth: int) -> str:
        model = _dict(self._models.get(name.removeprefix("IPY_MODEL_")))
        kind, state = str(model.get("model_name", "")), _dict(model.get("state"))
        if not kind or depth < 1:
            return ""
        if isinstance(state.get("children"), list):
            return self._box(kind, state, depth)
        if kind == "OutputModel":
            outputs = state.get("outputs")
            return "".join(map(self._show, outputs if isinstance(outputs, list) else ()))
        if kind in ("HTMLModel", "HTMLMathModel", "LabelModel"):
            text = self._sanitise(str(state.get("value", "")))
            return f"<span>{_label(state)}{text}</span> " if text.strip() else ""
        if "ProgressModel" in kind:
            return _progress(state)
        return _control(kind, state)

    def _box(self, kind: str, state: Mapping[str, object], depth: int) -> str:
        titles = _list(state.get("titles")) if kind in _TITLED else []
        shown = []
        for number, child in enumerate(_list(state.get("children"))):
            title = escape(str(titles[number])) if number < len(titles) else ""
            content = self._model(str(child), depth - 1)
            shown.append(f"<p><strong>{title}</strong></p>{content}" if title else content)
        style = "row" if kind == "HBoxModel" else "column"
        return f'<div class="widgets {style}">{"".join(shown)}</div>'


def _progress(state: Mapping[str, object]) -> str:
    value, most, least = (_number(state.get(name)) for name in ("value", "max", "min"))
    share = 0.0 if most <= least else (value - least) / (most - least)
    name = escape(str(state.get("description") or "Progress"))
    bar = f'<progress max="1" value="{min(max(share, 0), 1):.6g}" aria-label="{name}"></progress> '
    return f"{_label(state)}{bar}"


def _control(kind: str, state: Mapping[str, object]) -> str:
    """Return the name and the value of a control."""
    labels = _list(state.get("_options_labels"))
    chosen = state.get("index")
    if isinstance(chosen, int) and 0 <= chosen < len(labels):
        value = labels[chosen]
    elif isinstance(chosen, list) and labels:
        value = ", ".join(
            str(labels[at]) for at in chosen if isinstance(at, int) and at in range(len(labels))
        )
    else:
        value = state.get("value")
    kind = kind.removesuffix("Model")
    name = escape(str(state.get("description") or kind))
    shown = "" if value is None else f": <code>{escape(str(value)[:500])}</code>"
    return f'<span class="widget" title="{escape(kind)}">{name}{shown}</span> '


def _label(state: Mapping[str, object]) -> str:
    text = state.get("description")
    return f"{escape(str(text))} " if text else ""


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _dict(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
