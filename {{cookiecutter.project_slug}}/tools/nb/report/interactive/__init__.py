"""Pages that a reader asks; the data are in the page, so a folder and a server show the same."""
