"""The papermill program, which imports slow and seldom used modules as late as it needs them."""

from __future__ import annotations

from .deferred_imports import defer_slow_imports


def main() -> None:
    """Run papermill's command line."""
    with defer_slow_imports():
        from papermill.__main__ import papermill
    papermill()


if __name__ == "__main__":
    main()
