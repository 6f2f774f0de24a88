"""Checks of many notebooks: each by itself, in several processes, and not again without a change.

single      the findings in a notebook, and the definitions that others may have, too
copies      functions and classes in several notebooks, or in `src/`, too
cache       results of notebooks that have not changed
"""
