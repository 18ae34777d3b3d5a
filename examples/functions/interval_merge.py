"""
A museum collects the opening intervals that its departments wish for and merges those that overlap or are at most a
given gap apart. Report the merged intervals and the total opening time.

Input:
  `intervals` (list of [int, int]): Start and end of each wish in minutes; start is not after end. In any order.
  `gap` (int): The largest pause that is bridged, at least 0.

Output:
  `return` (dict): `merged` (list of [int, int], in order) and `total` (int).
"""


def main_solution(intervals, gap):
    """Merge intervals that overlap or nearly touch."""
    merged = []
    for start, end in sorted(intervals):
        if merged and start - merged[-1][1] <= gap:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return {"merged": merged, "total": sum(end - start for start, end in merged)}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "scheduling"
FORWARD = "I sort the wishes by their start and extend the last merged interval while the pause is small enough."
BACKWARD = "I take wishes that cover the merged intervals and a gap that bridges no other pause."
INPUTS = [
    {"intervals": [[600, 660], [540, 610], [700, 720]], "gap": 0},
    {"intervals": [[0, 10], [15, 20], [26, 30]], "gap": 5},
    {"intervals": [], "gap": 3},
    {"intervals": [[5, 5], [1, 9]], "gap": 0},
    {"intervals": [[10, 20], [20, 30], [31, 40]], "gap": 0},
]
