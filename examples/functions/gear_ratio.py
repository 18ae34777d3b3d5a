"""
A clockmaker approximates a gear ratio by fractions with small numerators and denominators. Expand the ratio as a
continued fraction and list its approximations until a wheel would need more teeth than allowed.

Input:
  `ratio` (list of int): Numerator and denominator of the wanted ratio, both positive.
  `max_teeth` (int): The largest number of teeth of either wheel.

Output:
  `return` (dict): `terms` (list of int: the whole continued fraction), `best` (list of two ints or null) and `error`
  (float or null: the last approximation that is allowed minus the ratio).
"""

from fractions import Fraction


def expand(ratio):
    terms = []
    numerator, denominator = ratio.numerator, ratio.denominator
    while denominator:
        quotient, rest = divmod(numerator, denominator)
        terms.append(quotient)
        numerator, denominator = denominator, rest
    return terms


def main_solution(ratio, max_teeth):
    """Approximate a gear ratio by a continued fraction."""
    wanted = Fraction(*ratio)
    terms = expand(wanted)
    best = None
    before, current = (0, 1), (1, 0)
    for term in terms:
        before, current = current, (term * current[0] + before[0], term * current[1] + before[1])
        if max(current) > max_teeth:
            break
        best = current
    if best is None or 0 in best:
        return {"terms": terms, "best": None, "error": None}
    return {"terms": terms, "best": list(best), "error": float(Fraction(*best) - wanted)}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "numbers"
FORWARD = "I run Euclid's algorithm for the terms and build the approximations from them until one is too large."
BACKWARD = "Folding the continued fraction from its end gives the ratio back, and the best fraction bounds the number of teeth."
INPUTS = [
    {"ratio": [355, 113], "max_teeth": 50},
    {"ratio": [3, 4], "max_teeth": 10},
    {"ratio": [2718, 1000], "max_teeth": 100},
    {"ratio": [100, 1], "max_teeth": 60},
    {"ratio": [49, 24], "max_teeth": 24},
]
