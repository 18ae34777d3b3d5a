"""
Two sprinklers water round patches of a lawn. How large is the area that both of them water, and how do the two circles
lie to each other?

Input:
  `first` (list of float): x, y and radius of the first circle; the radius is positive.
  `second` (list of float): x, y and radius of the second.

Output:
  `return` (dict): `relation` (str: "apart", "inside" or "crossing") and `area` (float, not rounded).
"""

import math


def segment(radius, other, distance):
    cosine = (distance**2 + radius**2 - other**2) / (2 * distance * radius)
    angle = 2 * math.acos(cosine)
    return radius**2 * (angle - math.sin(angle)) / 2


def main_solution(first, second):
    """Compute the common area of two circles."""
    (x1, y1, r1), (x2, y2, r2) = first, second
    distance = math.dist((x1, y1), (x2, y2))
    if distance >= r1 + r2:
        return {"relation": "apart", "area": 0.0}
    if distance <= abs(r1 - r2):
        return {"relation": "inside", "area": math.pi * min(r1, r2) ** 2}
    return {"relation": "crossing", "area": segment(r1, r2, distance) + segment(r2, r1, distance)}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "geometry"
FORWARD = "I compare the distance of the centres with the radii and add the two circular segments if the circles cross."
BACKWARD = "The relation tells how far apart the centres are, and the area then settles the radii."
INPUTS = [
    {"first": [0, 0, 2], "second": [2, 0, 2]},
    {"first": [0, 0, 5], "second": [1, 1, 1.5]},
    {"first": [0, 0, 1], "second": [3, 0, 2]},
    {"first": [0, 0, 3], "second": [4, 0, 3.5]},
]
