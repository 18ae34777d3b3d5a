"""
The inventor of chess asks for grains on the squares of a board: one on the first, and on each further square a fixed
factor more. How many grains lie on the first so-many squares, and how many digits does that number have?

Input:
  `squares` (int): The number of squares, between 0 and 150.
  `factor` (int): The factor from square to square, at least 1.

Output:
  `return` (dict): `grains` (int, exact) and `digits` (int).
"""


def main_solution(squares, factor):
    """Count the grains on a chessboard."""
    grains = sum(factor**square for square in range(squares))
    return {"grains": grains, "digits": len(str(grains))}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "numbers"
FORWARD = "The grains form a geometric series, (factor^squares - 1) / (factor - 1), which I evaluate exactly."
BACKWARD = "I test which factor and number of squares give a geometric series with this sum."
INPUTS = [
    {"squares": 8, "factor": 2},
    {"squares": 64, "factor": 2},
    {"squares": 5, "factor": 1},
    {"squares": 40, "factor": 10},
    {"squares": 0, "factor": 3},
]
