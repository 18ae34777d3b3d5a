"""
On a board with closed edges, cells live and die by the rules of Conway's game: a live cell with two or three live
neighbours stays alive, a dead cell with exactly three comes alive, all others are dead in the next generation. Play a
number of generations.

Input:
  `board` (list of str): Rows of `*` (alive) and `.` (dead), all of the same length.
  `generations` (int): How many generations to play, at least 0.

Output:
  `return` (dict): `board` (list of str) and `alive` (int).
"""

import itertools


def neighbours(y, x):
    return [(y + dy, x + dx) for dy, dx in itertools.product((-1, 0, 1), repeat=2) if dy or dx]


def main_solution(board, generations):
    """Play the game of life on a small board."""
    height = len(board)
    width = len(board[0]) if board else 0
    cells = list(itertools.product(range(height), range(width)))
    alive = {(y, x) for y, x in cells if board[y][x] == "*"}
    for _ in range(generations):
        counts = {cell: sum(other in alive for other in neighbours(*cell)) for cell in cells}
        alive = {cell for cell in cells if counts[cell] == 3 or (counts[cell] == 2 and cell in alive)}
    rows = ["".join("*" if (y, x) in alive else "." for x in range(width)) for y in range(height)]
    return {"board": rows, "alive": len(alive)}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "grids"
FORWARD = "I count the live neighbours of every cell and apply the rules once per generation."
BACKWARD = "I look for an earlier board whose neighbour counts lead to exactly these live cells."
INPUTS = [
    {"board": [".....", ".***.", "....."], "generations": 1},
    {"board": ["**", "*."], "generations": 3},
    {"board": ["*.*", "...", "*.*"], "generations": 1},
    {"board": [], "generations": 2},
    {"board": [".*..", "..*.", "***.", "...."], "generations": 1},
]
