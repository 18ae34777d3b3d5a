"""
A hiker packs a rucksack: each thing has a weight and a use, both whole numbers, and the rucksack carries only so much.
Choose the things with the greatest total use; among equally useful choices the lightest, and among those the one whose
list of names comes first.

Input:
  `things` (list of str): Name, weight and use of each thing, such as `"tent 5 10"`; weights are positive.
  `capacity` (int): The weight that the rucksack carries, at least 0.

Output:
  `return` (list): Total use, total weight, and the sorted names of the things chosen.
"""

import itertools


def main_solution(things, capacity):
    """Choose the things for a rucksack."""
    best = (0, 0, [])
    table = {}
    for thing in things:
        name, weight, use = thing.split()
        table[name] = (int(weight), int(use))
    names = sorted(table)
    for count in range(1, len(names) + 1):
        for choice in itertools.combinations(names, count):
            weight = sum(table[name][0] for name in choice)
            use = sum(table[name][1] for name in choice)
            if weight <= capacity:
                best = min(best, (-use, weight, list(choice)))
    use, weight, chosen = best
    return (-use, weight, chosen)


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "optimisation"
FORWARD = "I compare the subsets that fit by use first and weight second."
BACKWARD = "The chosen things must reach the stated use and weight, and whatever was left behind must not improve on them."
INPUTS = [
    {"things": ["tent 5 10", "stove 3 4", "rope 2 4"], "capacity": 7},
    {"things": ["map 1 3", "book 2 3"], "capacity": 2},
    {"things": ["anvil 50 9"], "capacity": 20},
    {"things": [], "capacity": 10},
    {"things": ["a 2 5", "b 2 5", "c 4 9"], "capacity": 6},
]
