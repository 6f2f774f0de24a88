"""Notebooks in the styles of public repositories, each with the end of a promotion to expect."""

from __future__ import annotations

from tests.promotion_kinds import Kind

from . import files, jupyter, language, models, tables

CORPUS: dict[str, Kind] = {
    **tables.NOTEBOOKS,
    **files.NOTEBOOKS,
    **language.NOTEBOOKS,
    **jupyter.NOTEBOOKS,
    **models.NOTEBOOKS,
}
