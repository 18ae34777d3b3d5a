"""
A map shows land as `#` and water as `.`. Land cells that touch along an edge belong to the same island. List the sizes
of all islands, largest first, and say whether any island touches the border of the map.

Input:
  `rows` (list of str): The rows of the map, all of the same length.

Output:
  `return` (dict): `sizes` (list of int) and `at_border` (bool).
"""

from collections import deque


def main_solution(rows):
    """Measure the islands of a map."""
    height = len(rows)
    width = len(rows[0]) if rows else 0
    seen = set()
    sizes = []
    at_border = False
    for start in ((y, x) for y in range(height) for x in range(width)):
        if start in seen or rows[start[0]][start[1]] != "#":
            continue
        seen.add(start)
        queue = deque([start])
        size = 0
        while queue:
            y, x = queue.popleft()
            size += 1
            at_border = at_border or y in (0, height - 1) or x in (0, width - 1)
            for cell in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                inside = 0 <= cell[0] < height and 0 <= cell[1] < width
                if inside and cell not in seen and rows[cell[0]][cell[1]] == "#":
                    seen.add(cell)
                    queue.append(cell)
        sizes.append(size)
    return {"sizes": sorted(sizes, reverse=True), "at_border": at_border}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "grids"
FORWARD = "I flood each piece of land from its first cell, count the cells, and note whether an edge of the map was reached."
BACKWARD = (
    "A single row with runs of land of the right lengths gives these sizes; whether the border matters "
    "decides if I need a margin."
)
INPUTS = [
    {"rows": ["##..", "#..#", "...#"]},
    {"rows": ["....", ".##.", "...."]},
    {"rows": []},
    {"rows": ["#.#.#"]},
    {"rows": [".....", ".#.#.", ".###.", "....."]},
]
