"""
A surveyor walks round a field and notes its corners. Compute area, perimeter and centre of gravity of the field and
whether the walk went counterclockwise. The edges do not cross.

Input:
  `corners` (list of [float, float]): At least three corners in order.

Output:
  `return` (dict): `area` (float), `perimeter` (float), `centre` (list of two floats), all rounded to four decimals, and
  `counterclockwise` (bool).
"""

import math


def main_solution(corners):
    """Measure a polygon given by its corners."""
    twice = cx = cy = perimeter = 0.0
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1]):
        cross = x1 * y2 - x2 * y1
        twice += cross
        cx += (x1 + x2) * cross
        cy += (y1 + y2) * cross
        perimeter += math.hypot(x2 - x1, y2 - y1)
    return {
        "area": round(abs(twice) / 2, 4),
        "perimeter": round(perimeter, 4),
        "centre": [round(cx / (3 * twice), 4), round(cy / (3 * twice), 4)],
        "counterclockwise": twice > 0,
    }


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "geometry"
FORWARD = "I use the shoelace sums for area and centre and add up the lengths of the edges."
BACKWARD = "I look for a simple shape with this area and perimeter and move it so that its centre fits."
INPUTS = [
    {"corners": [[0, 0], [4, 0], [4, 3]]},
    {"corners": [[0, 0], [0, 2], [2, 2], [2, 0]]},
    {"corners": [[1.5, 1], [5.5, 1], [4.5, 3], [2.5, 3]]},
    {"corners": [[-1, -1], [2, -1], [0, 5]]},
]
