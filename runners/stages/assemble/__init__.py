"""The assemble stage: verified turns to training rows.

later   a later turn's file: its rows found by the id of what they revise, in 17 bytes of memory a row
row     one training row of the turns of one conversation
stage   the run over the first turn's file: what is kept, what is counted
"""

from .stage import Assemble, AssembleSettings, assemble

__all__ = ["Assemble", "AssembleSettings", "assemble"]
