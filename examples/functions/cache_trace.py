"""
A library keeps the most recently used books at the desk. When the desk is full and another book is fetched, the book
that was not used for the longest time goes back to the shelves. Replay a series of requests.

Input:
  `requests` (list of str): Titles in the order of the requests.
  `places` (int): How many books the desk holds, at least 1.

Output:
  `return` (dict): `hits` (int, requests served at the desk), `desk` (list of str, longest unused first) and `returned`
  (list of str, in order).
"""

from collections import OrderedDict


def main_solution(requests, places):
    """Replay requests against a desk with limited room."""
    desk = OrderedDict()
    hits = 0
    returned = []
    for title in requests:
        if title in desk:
            hits += 1
            desk.move_to_end(title)
            continue
        if len(desk) == places:
            oldest, _ = desk.popitem(last=False)
            returned.append(oldest)
        desk[title] = True
    return {"hits": hits, "desk": list(desk), "returned": returned}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "simulation"
FORWARD = "I keep the desk ordered by last use, move a title to the end on a hit, and evict from the front."
BACKWARD = "The books returned must have been requested before those on the desk; repeats give the hits."
INPUTS = [
    {"requests": ["a", "b", "a", "c", "b"], "places": 2},
    {"requests": ["x", "x", "x"], "places": 1},
    {"requests": [], "places": 4},
    {"requests": ["q", "r", "s", "q"], "places": 3},
    {"requests": ["m", "n", "o", "m", "p"], "places": 3},
]
