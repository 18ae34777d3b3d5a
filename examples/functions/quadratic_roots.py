"""
A physics class solves quadratic equations a*x^2 + b*x + c = 0 by formula. The coefficient a is not zero. Give the real
solutions, the smaller first; a double root is listed once.

Input:
  `a` (float): Coefficient of x squared, not 0.
  `b` (float): Coefficient of x.
  `c` (float): The constant.

Output:
  `return` (list of float): One or two roots.
"""


def main_solution(a, b, c):
    """Solve a quadratic equation by formula."""
    discriminant = b * b - 4 * a * c
    offset = discriminant**0.5 / (2 * a)
    middle = -b / (2 * a)
    if offset == 0:
        return [middle]
    if isinstance(offset, float) and offset < 0:
        offset = -offset
    return [middle - offset, middle + offset]


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "numbers"
FORWARD = "I compute the discriminant b^2 - 4ac, take its square root and put both signs into the formula."
BACKWARD = "From the roots p and q the equation x^2 - (p + q)x + pq = 0 follows directly."
INPUTS = [
    {"a": 1, "b": -3, "c": 2},
    {"a": 2, "b": 4, "c": 2},
    {"a": 1, "b": 0, "c": -2},
    {"a": -1, "b": 2.5, "c": 6},
    {"a": 3, "b": -7, "c": 1},
]
