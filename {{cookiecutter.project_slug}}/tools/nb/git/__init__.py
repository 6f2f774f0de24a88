"""Notebooks in Git: the merge of three versions."""
