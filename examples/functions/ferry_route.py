"""
Ferries connect the harbours of an archipelago; each line runs both ways and takes a known number of minutes. At every
harbour where one changes ferries, one waits ten minutes. Find the quickest trip.

Input:
  `lines` (list of str): Two harbours and the minutes between them, such as `"Oro-Sund 12"`.
  `start` (str): The harbour to leave from.
  `goal` (str): The harbour to reach.

Output:
  `return` (dict): `minutes` (int or null if there is no way) and `route` (list of str, empty if there is no way). Of
  equally quick routes the one that comes first alphabetically is taken.
"""

import heapq

CHANGE_MINUTES = 10


def main_solution(lines, start, goal):
    """Find the quickest trip between two harbours."""
    neighbours = {}
    for line in lines:
        harbours, minutes = line.split()
        left, right = harbours.split("-")
        neighbours.setdefault(left, []).append((right, int(minutes)))
        neighbours.setdefault(right, []).append((left, int(minutes)))
    queue = [(0, [start])]
    done = set()
    while queue:
        spent, route = heapq.heappop(queue)
        here = route[-1]
        if here == goal:
            return {"minutes": spent, "route": route}
        if here in done:
            continue
        done.add(here)
        change = CHANGE_MINUTES if here != start else 0
        for harbour, minutes in neighbours.get(here, []):
            if harbour not in done:
                heapq.heappush(queue, (spent + change + minutes, [*route, harbour]))
    return {"minutes": None, "route": []}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "graphs"
FORWARD = "I expand the harbours in order of travel time, adding ten minutes for each change."
BACKWARD = "The route names the harbours in order, so lines whose minutes add up, with ten for each change, are enough."
INPUTS = [
    {"lines": ["A-B 20", "B-C 15", "A-C 50"], "start": "A", "goal": "C"},
    {"lines": ["A-B 20", "B-C 25", "A-C 50"], "start": "C", "goal": "A"},
    {"lines": ["Oro-Sund 12"], "start": "Oro", "goal": "Vik"},
    {"lines": [], "start": "A", "goal": "A"},
    {"lines": ["d-e 5", "e-f 5", "f-g 5"], "start": "g", "goal": "d"},
]
