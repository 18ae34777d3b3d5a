"""
A workshop builds parts that need other parts first. Give an order in which all of them can be built; whenever several
parts are possible, the alphabetically first is built. If parts wait for each other in a circle, say which are left.

Input:
  `needs` (dict): For each part, the list of parts it needs. Parts that are only named as needs have none of their own.

Output:
  `return` (dict): `order` (list of str) and `stuck` (list of str, sorted; empty when everything can be built).
"""

import heapq


def main_solution(needs):
    """Order parts so that each comes after what it needs."""
    open_needs = {}
    for part, required in needs.items():
        open_needs.setdefault(part, set()).update(required)
        for other in required:
            open_needs.setdefault(other, set())
    ready = [part for part, required in open_needs.items() if not required]
    heapq.heapify(ready)
    order = []
    while ready:
        part = heapq.heappop(ready)
        order.append(part)
        for other, required in open_needs.items():
            if part in required:
                required.remove(part)
                if not required:
                    heapq.heappush(ready, other)
    return {"order": order, "stuck": sorted(set(open_needs) - set(order))}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "graphs"
FORWARD = "I repeatedly take the alphabetically first part that has no open needs and cross it off the others' lists."
BACKWARD = "Each part may only need parts that stand before it in the order, and parts that are stuck need one another."
INPUTS = [
    {"needs": {"car": ["wheel", "motor"], "motor": ["bolt"], "wheel": ["bolt"]}},
    {"needs": {"a": ["b"], "b": ["a"], "c": []}},
    {"needs": {}},
    {"needs": {"z": [], "y": ["z"], "x": ["y"]}},
    {"needs": {"roof": ["wall"], "wall": ["floor"], "door": ["wall"]}},
]
