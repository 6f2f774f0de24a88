"""Interactive figures drawn by the JavaScript that their Python library ships.

A figure is data (plotly, Vega-Lite), a script (bokeh), or HTML that loads a known library from the
network; the copy of the installed package takes the place of the latter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from .frames import script_data

PLOTLY = "application/vnd.plotly.v1+json"
VEGA = re.compile(r"application/vnd\.vega(?:lite)?\.v\d+\+json")
BOKEH = "application/vnd.bokehjs_exec.v0+json"
BOKEH_LOADER = "application/vnd.bokehjs_load.v0+json"
_BOKEH_LOGO = "bk-notebook-logo"
_BOKEH_FILES = ("bokeh", "bokeh-gl", "bokeh-widgets", "bokeh-tables")
_EMPTY_SCRIPT = re.compile(r"<script\b([^<>]*)>\s*</script\s*>", re.I)
_ADDRESS = re.compile(r"\bsrc\s*=\s*[\"']?(https?:)?//", re.I)
_ROOTS = re.compile(r'"roots":(\{[^{}]*\})')
_ALTAIR = re.compile(r"\bvegaEmbed\b")
_ALTAIR_DATA = re.compile(r"\}\)\((?=\{)")
# Traces that plotly draws on tiles or borders from the network.
_MAP = re.compile(r"geo|choropleth|map(?:box)?$")


@dataclass(frozen=True)
class Figure:
    """An interactive figure.

    Attributes:
        html: the content of the frame.
        library: the name of the JavaScript library; empty if the content brings its own.
        network: what the figure would load from the network; empty if nothing.
        spec: the specification of a Vega-Lite chart; None for other figures.
    """

    html: str
    library: str = ""
    network: str = ""
    spec: object = None


def figure_of(data: Mapping[str, object]) -> Figure | None:
    """Return the interactive figure of an output; None if the output holds none.

    Args:
        data: the contents of the output by media type.
    """
    if PLOTLY in data:
        return _plotly(data[PLOTLY])
    for kind in data:
        if VEGA.fullmatch(kind):
            return _vega(data[kind], {})
    if BOKEH in data:
        return _bokeh(str(data.get("application/javascript") or data[BOKEH]))
    html = data.get("text/html")
    return figure_of_html(html) if isinstance(html, str) else None


def figure_of_html(html: str) -> Figure | None:
    """Return the figure of HTML with scripts of a known library; None for other HTML."""
    named = _ALTAIR.search(html)
    start = named and _ALTAIR_DATA.search(html, named.end())
    if start:
        decoder = json.JSONDecoder()
        try:
            spec, end = decoder.raw_decode(html, start.end())
            options, _ = decoder.raw_decode(html, end + len(", "))
            return _vega(spec, options)
        except ValueError:
            pass
    for script in filter(_ADDRESS.search, (found[0] for found in _EMPTY_SCRIPT.finditer(html))):
        for name in SHIPPED:
            if name in script.lower():
                return Figure(_EMPTY_SCRIPT.sub(_without_address, html), name)
    return None


def _without_address(script: re.Match[str]) -> str:
    return "" if _ADDRESS.search(script[0]) else script[0]


def is_loader(data: Mapping[str, object]) -> bool:
    """Return whether an output only loads a library, as bokeh's `output_notebook` does."""
    return BOKEH_LOADER in data or _BOKEH_LOGO in str(data.get("text/html", ""))


def is_mount(html: str) -> bool:
    """Return whether HTML is the empty element that bokeh's next output draws into."""
    return bool(re.fullmatch(r'\s*<div id="[\w-]+" data-root-id="\w+"[^>]*></div>\s*', html))


def shipped_version(name: str) -> str | None:
    """Return the version of the package that ships a library; None without the package."""
    try:
        return version(package_of(name))
    except PackageNotFoundError:
        return None


def script_of(name: str) -> str:
    """Return the JavaScript of a library.

    Raises:
        ImportError: if the package is not there.
        OSError: if the package does not ship the library.
    """
    return SHIPPED[name][1]()


def package_of(name: str) -> str:
    """Return the package that ships a JavaScript library."""
    return SHIPPED[name][0]


def svg_of(spec: object) -> str | None:
    """Return a Vega-Lite chart as SVG, drawn without a browser; None if that fails."""
    try:
        import vl_convert

        return str(vl_convert.vegalite_to_svg(spec))
    except Exception:  # the package is not there, or the chart is wrong
        return None


def _plotly(content: object) -> Figure:
    figure = content if isinstance(content, dict) else {}
    traces = [trace for trace in figure.get("data") or () if isinstance(trace, dict)]
    kinds = {str(trace.get("type", "")) for trace in traces}
    maps = sorted(kind for kind in kinds if _MAP.search(kind))
    data = script_data(figure)
    html = (
        f'<div id="figure"></div><script type="application/vnd.plotly">{data}</script>'
        "<script>(() => { const figure = JSON.parse(document.querySelector("
        "'script[type=\"application/vnd.plotly\"]').text);"
        " const config = {...figure.config, responsive: true, displaylogo: false,"
        " showSendToCloud: false, showEditInChartStudio: false, plotlyServerURL: ''};"
        " Plotly.newPlot('figure', figure.data, figure.layout, config).then((made) =>"
        " figure.frames && Plotly.addFrames(made, figure.frames)); })()</script>"
    )
    return Figure(html, "plotly", f"tiles or borders of a map ({', '.join(maps)})" if maps else "")


def _vega(spec: object, options: object) -> Figure:
    addresses = sorted(_addresses(spec))
    shown = {"mode": "vega-lite", **(options if isinstance(options, dict) else {})}
    data = script_data([spec, shown])
    html = (
        f'<div id="figure"></div><script type="application/vnd.vega">{data}</script>'
        "<script>(() => { const [spec, options] = JSON.parse(document.querySelector("
        "'script[type=\"application/vnd.vega\"]').text);"
        " vegaEmbed('#figure', spec, {...options, actions: false}); })()</script>"
    )
    return Figure(html, "vega", f"data from {', '.join(addresses)}" if addresses else "", spec)


def _bokeh(script: str) -> Figure:
    roots = _ROOTS.search(script)
    try:
        elements = json.loads(roots[1]).values() if roots else ()
    except ValueError:
        elements = ()
    names = [str(element) for element in elements if re.fullmatch(r"[\w-]+", str(element))]
    mounts = "".join(f'<div id="{name}"></div>' for name in names)
    closed = re.sub(r"</(?=script)", r"<\\/", script, flags=re.I)
    return Figure(f"{mounts}<script>{closed}</script>", "bokeh")


def _addresses(spec: object) -> set[str]:
    """Return the addresses from which a Vega-Lite chart loads data."""
    if isinstance(spec, dict):
        url = spec.get("url")
        own = {url[:80]} if isinstance(url, str) and not url.startswith("data:") else set()
        return own.union(*(_addresses(value) for value in spec.values()))
    return set().union(*map(_addresses, spec)) if isinstance(spec, list) else set()


def _folder(package: str) -> Path:
    """Return the folder of a package, without importing the package.

    Raises:
        ImportError: if the package is not there.
    """
    spec = find_spec(package)
    if spec is None or not spec.origin:
        raise ImportError(package)
    return Path(spec.origin).parent


def _plotly_script() -> str:
    return (_folder("plotly") / "package_data/plotly.min.js").read_text(encoding="utf-8")


def _bokeh_script() -> str:
    folder = _folder("bokeh") / "server/static/js"
    return "\n".join((folder / f"{n}.min.js").read_text(encoding="utf-8") for n in _BOKEH_FILES)


def _vega_script() -> str:
    import vl_convert

    return str(vl_convert.javascript_bundle())


# The package that ships each JavaScript library, and how to read the library.
SHIPPED: Mapping[str, tuple[str, Callable[[], str]]] = {
    "plotly": ("plotly", _plotly_script),
    "bokeh": ("bokeh", _bokeh_script),
    "vega": ("vl-convert-python", _vega_script),
}
