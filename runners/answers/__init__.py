"""The answer in a model's free text: found, read and held to limits, never evaluated.

A model is asked to predict an output or an input and to end with JSON such as `{"output": 8}`. What it writes is prose
with fences, drafts, Python spellings, cut-off ends and now and then a number of a million digits. This package knows
text only; what a prediction is compared with, and what is done about a missing one, is decided elsewhere.

`scalars` reads one token and `constructors` what `np.float64(3.5)` is worth, `literal` reads one bracketed value, `scan`
chooses the object in a text with the help of `thinking`, `passing` and `unreadable`, `views` turns back texts that were written
down in another way, `extract` is the door.
"""

from .extract import Answer, Likely, as_compared, extract_answer
from .literal import MAX_DEPTH
from .scalars import MAX_DIGITS

__all__ = ["MAX_DEPTH", "MAX_DIGITS", "Answer", "Likely", "as_compared", "extract_answer"]
