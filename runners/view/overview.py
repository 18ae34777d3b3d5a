"""The report's figures, out of the index instead of the files."""

from collections import Counter

import numpy as np

from ..reports import Figures, RunFiles
from ..reports.figures import EDGES_BYTES, EDGES_S, FunctionFigures, Turn
from .book import Book
from .build import LEFT_OUT, UNREADABLE


def figures_of(run: RunFiles, book: Book) -> Figures:
    """As `reports.collect`, without samples of rows: the view has all of them."""
    figures = Figures(run)
    for file in run.turns:
        turn = Turn(file.turn, file.path.name)
        for direction, verdict, count in book.sql(
            "select direction, verdict, count(*) from rows where turn = ? and verdict != ? group by all order by min(n)",
            (file.turn, UNREADABLE),
        ):
            turn.verdicts.setdefault(direction, Counter())[verdict] = count
        figures.turns.append(turn)
    for number, rows, accepted, cpu_s, worst_s in book.sql(
        "select function, count(*) filter (turn = 1), count(*) filter (turn = 1 and verdict = 'accepted'), "
        "coalesce(sum(cpu_s), 0), coalesce(max(cpu_s), 0) from rows where function >= 0 group by function"
    ):
        figures.functions[str(number)] = FunctionFigures("", "", rows, accepted, cpu_s, worst_s)
    for number, function_id, label in book.sql("select number, id, label from functions"):
        known = figures.functions.get(str(number))
        if known is not None:
            known.id, known.label = function_id, label
    for edges, counter, name in ((EDGES_S, figures.cpu_s, "cpu_s"), (EDGES_BYTES, figures.peak_bytes, "peak")):
        values = book.column(f"select {name} from rows where {name} is not null")  # noqa: S608 - names of ours
        for index, count in enumerate(np.bincount(np.searchsorted(edges, values, "left")).tolist()):
            counter[index] = count
        figures.measured = len(values)
    for stage, reason, count in book.sql(
        "select stage, reason, count(*) from rows where verdict in (?, ?) group by all order by min(n)", (LEFT_OUT, UNREADABLE)
    ):
        figures.losses[stage, reason] = (count, [])
    return figures
