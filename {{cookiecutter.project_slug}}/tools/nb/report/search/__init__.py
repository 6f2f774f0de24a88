"""Search over the site: one page with the words of all pages, which works from a folder."""
