"""
Text is written into a box row by row and read out in a spiral: along the top from left to right, down the right side,
back along the bottom, up the left side, and so on inwards.

Input:
  `matrix` (list of list of int): The rows of the box, all of the same length.

Output:
  `return` (list of int): The entries in spiral order.
"""


def main_solution(matrix):
    """Read a matrix in a clockwise spiral."""
    rest = [list(row) for row in matrix]
    result = []
    while rest and rest[0]:
        result.extend(rest.pop(0))
        rest = [list(column) for column in zip(*rest)][::-1]
    return result


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "matrices"
FORWARD = "I take the top row, turn what is left a quarter to the left, and repeat until nothing remains."
BACKWARD = "I lay the list out along a spiral in a box of fitting height and width."
INPUTS = [
    {"matrix": [[1, 2, 3], [4, 5, 6], [7, 8, 9]]},
    {"matrix": [[1, 2], [3, 4], [5, 6]]},
    {"matrix": [[5, 6, 7]]},
    {"matrix": [[2], [4], [8]]},
    {"matrix": []},
]
