"""
Someone climbs a staircase taking one, two or three steps at a time, but never sets foot on a broken step. In how many
different ways can the top be reached?

Input:
  `steps` (int): The number of steps; the top is step `steps`.
  `broken` (list of int): Numbers of the broken steps (1 is the lowest).

Output:
  `return` (int): The number of ways. With 0 steps there is exactly one way: to stay.
"""


def count_ways(step, broken, known):
    if step == 0:
        return 1
    if step in broken:
        return 0
    if step not in known:
        known[step] = sum(count_ways(step - stride, broken, known) for stride in (1, 2, 3))
    return known[step]


def main_solution(steps, broken):
    """Count the ways up a staircase with broken steps."""
    known = {-1: 0, -2: 0}
    return count_ways(steps, frozenset(broken), known)


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "recursion"
FORWARD = (
    "Each step can be reached from the three steps below it, so I fill in the counts from the bottom and put 0 on broken steps."
)
BACKWARD = "Without broken steps the counts run 1, 1, 2, 4, 7, 13, 24, 44; a broken step lowers them, so I try small stairs."
INPUTS = [
    {"steps": 4, "broken": []},
    {"steps": 6, "broken": [3]},
    {"steps": 10, "broken": [2, 7]},
    {"steps": 5, "broken": [5]},
    {"steps": 12, "broken": []},
]
