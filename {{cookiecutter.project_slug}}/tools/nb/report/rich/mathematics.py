"""MathML from TeX: formulas that every browser draws without a script or a font from the network.

latex2mathml puts text of a formula into its result as it stands, markup included, so the tree is
written out here: elements and attributes of MathML Core by name, any other text escaped.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape, unescape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# More is no formula, and nested macros could keep the converter busy for ever.
FORMULA_LIMIT = 5_000
NESTING_LIMIT = 60
MATHML_ELEMENTS = frozenset(
    (
        *("math", "merror", "mfrac", "mi", "mmultiscripts", "mn", "mo", "mover", "mpadded"),
        *("mphantom", "mprescripts", "mroot", "mrow", "ms", "mspace", "msqrt", "mstyle", "msub"),
        *("msubsup", "msup", "mtable", "mtd", "mtext", "mtr", "munder", "munderover", "menclose"),
    )
)
MATHML_ATTRIBUTES = frozenset(
    (
        *("accent", "accentunder", "columnalign", "columnlines", "columnspacing", "depth"),
        *("display", "displaystyle", "fence", "form", "height", "largeop", "linethickness"),
        *("lspace", "mathcolor", "mathsize", "mathvariant", "maxsize", "minsize"),
        *("movablelimits", "notation", "rowlines", "rowspacing", "rspace", "scriptlevel"),
        *("separator", "stretchy", "symmetric", "voffset", "width"),
    )
)
_MACRO = re.compile(r"\\(?:newcommand|renewcommand|def|let|DeclareMathOperator)\b")
_LABEL = re.compile(r"\\(?:label|nonumber|notag)\b(?:\s*\{[^}]*\})?")
_PART = re.compile(
    r"\$\$(?P<block>.+?)\$\$|\\\[(?P<bracket>.+?)\\\]|\$(?P<inline>[^$]+?)\$|\\\((?P<paren>.+?)\\\)"
    r"|(?P<whole>\\begin\{(?P<name>(?:equation|align|gather|multline|eqnarray|cases|[a-zA-Z]?matrix"
    r"|split|aligned|alignat|flalign|array)\*?)\}.*?\\end\{(?P=name)\})",
    re.S,
)


@lru_cache(maxsize=2_000)
def formula(tex: str, *, is_block: bool) -> str:
    """Return a formula as MathML; the TeX source as code if it cannot be converted.

    Args:
        tex: the formula, without the marks around it.
        is_block: the formula stands on lines of its own.
    """
    tree = _tree(tex, "block" if is_block else "inline")
    shown = (
        _written(tree) if tree is not None else f'<code class="tex">{escape(tex.strip())}</code>'
    )
    if not is_block:
        return shown
    return f'<span class="formula" tabindex="0" role="group" aria-label="Formula">{shown}</span>'


def latex(text: str) -> str | None:
    """Return an output of type text/latex as HTML; None if the text holds no formula."""
    made, at = [], 0
    for part in _PART.finditer(text):
        made.append(escape(text[at : part.start()]))
        at = part.end()
        block = part["block"] or part["bracket"] or part["whole"]
        # IPython's Math and sympy write block formulas as inline ones.
        inline = part["inline"] or part["paren"] or ""
        alone = not text[: part.start()].strip() and not text[part.end() :].strip()
        made.append(formula(block or inline, is_block=bool(block) or alone))
    return "".join((*made, escape(text[at:]))) if made else None


def _tree(tex: str, display: str) -> Element | None:
    """Return a formula as an element tree; None if it cannot be converted."""
    from latex2mathml.converter import convert_to_element

    source = _LABEL.sub("", tex).strip()
    if not source or len(source) > FORMULA_LIMIT or _MACRO.search(source):
        return None
    if source.count("{") > NESTING_LIMIT and _depth(source) > NESTING_LIMIT:
        return None
    try:
        element: Element = convert_to_element(source, display=display)
    except Exception:  # of many types, IndexError and RecursionError included
        return None
    return element


def _depth(text: str) -> int:
    depth = deepest = 0
    for sign in text:
        depth += (sign == "{") - (sign == "}")
        deepest = max(deepest, depth)
    return deepest


def _written(element: Element) -> str:
    """Return an element and its content as text, reduced to MathML Core."""
    content = escape(unescape(element.text or ""), quote=False)
    content += "".join(_written(child) for child in element)
    tail = escape(unescape(element.tail or ""), quote=False)
    if element.tag not in MATHML_ELEMENTS:
        return f"<mrow>{content}</mrow>{tail}"
    given = "".join(
        f' {name}="{escape(unescape(value))}"'
        for name, value in element.attrib.items()
        if name in MATHML_ATTRIBUTES
    )
    return f"<{element.tag}{given}>{content}</{element.tag}>{tail}"
