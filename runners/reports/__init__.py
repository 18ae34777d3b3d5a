"""Reports about a finished run: one self-contained page.

sources  which files a run consists of
figures  what the page shows, counted in one pass over each file
tree     a value as lines, with the place marked where it differs
page     the figures as HTML
"""

from .figures import Figures, collect
from .page import write_report
from .sources import RunFiles, find_run

__all__ = ["Figures", "RunFiles", "collect", "find_run", "write_report"]
