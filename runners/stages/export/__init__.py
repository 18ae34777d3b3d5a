"""The export stage: final rows to what a trainer loads.

rows      a final row, ours or CodeI/O's five fields, as one example: prompt, response, where it comes from
split     which function is for training and which for validation
formats   an example as a row of each format; files of JSON lines and parquet
recipe    training configs of the paper's two stages, one pair for each base model
stage     the run: a new folder, renamed into place when it is whole
"""

from .formats import FORMATS
from .stage import Export, ExportSettings, export

__all__ = ["FORMATS", "Export", "ExportSettings", "export"]
