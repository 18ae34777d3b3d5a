"""Reports about a finished run: one self-contained page.

sources  which files a run consists of
dropped  the rows that stages left out, one by one
figures  what the page shows, counted in one pass over each file
tree     a value as lines, with the place marked where it differs
page     the figures as HTML
"""

from .dropped import Dropped, dropped
from .figures import Figures, Loss, collect
from .page import refuse_other_page, write_report
from .sources import RunFiles, find_run

__all__ = ["Dropped", "Figures", "Loss", "RunFiles", "collect", "dropped", "find_run", "refuse_other_page", "write_report"]
