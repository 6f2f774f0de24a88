"""Git: the notebook filter, text view and merge, hooks, and verification of commits."""
