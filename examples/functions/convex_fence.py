"""
A shepherd wants to enclose all the trees on a meadow with the shortest fence. Give the trees at which the fence bends,
counterclockwise from the tree that lies furthest to the west (the southernmost of these), and the number of trees that
do not touch the fence's corners.

Input:
  `trees` (list of [int, int]): The places of the trees; some may be listed twice.

Output:
  `return` (dict): `corners` (list of [int, int]) and `inner` (int).
"""


def turn(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def half_hull(points):
    hull = []
    for point in points:
        while len(hull) >= 2 and turn(hull[-2], hull[-1], point) <= 0:
            hull.pop()
        hull.append(point)
    return hull[:-1]


def main_solution(trees):
    """Find the corners of the shortest fence."""
    points = sorted({tuple(tree) for tree in trees})
    corners = points if len(points) < 3 else half_hull(points) + half_hull(points[::-1])
    return {"corners": [list(corner) for corner in corners], "inner": len(points) - len(corners)}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "geometry"
FORWARD = "I sort the trees from west to east and build the lower and the upper half of the hull."
BACKWARD = "The corners have to be among the trees; trees inside the fence only raise the second number."
INPUTS = [
    {"trees": [[0, 0], [4, 0], [0, 4], [1, 1]]},
    {"trees": [[1, 1], [3, 3], [2, 2]]},
    {"trees": [[0, 0], [0, 0]]},
    {"trees": [[0, 1], [5, 2], [3, 4], [3, 2]]},
    {"trees": []},
]
