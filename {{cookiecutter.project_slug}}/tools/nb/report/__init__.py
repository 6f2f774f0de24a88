"""Static site of results: a page per executed notebook, and an index of the pipeline.

`pages` renders an executed copy with nbconvert, `site` writes the index. Pages are self-contained:
no request leaves them, and they work from a folder, by mail or on a server.
"""

from .experiments import write_experiments
from .site import build, make_page, warm_up

__all__ = ["build", "make_page", "warm_up", "write_experiments"]
