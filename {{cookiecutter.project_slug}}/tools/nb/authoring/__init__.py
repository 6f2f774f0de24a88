"""From exploratory to production notebooks: new, edit, promote, tests from recorded calls."""
