"""
A kitchen with one stove gives each dish a fixed number of minutes in turn. A dish that is not done goes to the back of
the line; switching from one dish to a different one costs a minute. Report when each dish is finished.

Input:
  `dishes` (dict): Minutes of cooking by name of the dish; the line forms in the order given.
  `slice_minutes` (int): Length of a turn, at least 1.

Output:
  `return` (list of [str, int]): Name and finishing time, in the order of finishing.
"""

from collections import deque


def main_solution(dishes, slice_minutes):
    """Cook dishes in turns on one stove."""
    line = deque(dishes.items())
    clock = 0
    last = None
    finished = []
    while line:
        name, left = line.popleft()
        if last not in (None, name):
            clock += 1
        used = min(left, slice_minutes)
        clock += used
        last = name
        if left > used:
            line.append((name, left - used))
        else:
            finished.append([name, clock])
    return finished


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "scheduling"
FORWARD = "I keep the line as a queue, add the minutes of each turn and one more for every change of dish."
BACKWARD = "The finishing times less a minute for each change give the minutes on the stove, which I share out over the dishes."
INPUTS = [
    {"dishes": {"soup": 5, "rice": 3}, "slice_minutes": 2},
    {"dishes": {"tea": 4}, "slice_minutes": 1},
    {"dishes": {"stew": 9, "egg": 1, "beans": 4}, "slice_minutes": 4},
    {"dishes": {}, "slice_minutes": 3},
    {"dishes": {"a": 2, "b": 2, "c": 2}, "slice_minutes": 5},
]
