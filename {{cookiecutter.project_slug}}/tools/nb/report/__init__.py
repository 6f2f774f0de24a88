"""The site of results: a page per executed notebook, and an index of the pipeline and its runs.

`pages` renders one executed copy with nbconvert, `site` writes the index. Everything is in the
pages: no request leaves them, and they work from a folder, by mail or on a server.
"""

from .site import build, page, warm_up

__all__ = ["build", "page", "warm_up"]
