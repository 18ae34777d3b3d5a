"""
A vacuum robot starts at (0, 0) facing north. `F` moves it one field forward, `L` and `R` turn it on the spot, `B` moves
it one field back without turning. Walls stand on some fields; a move into a wall is skipped and counted as a bump.

Input:
  `moves` (str): The commands, fewer than 100.
  `walls` (list of [int, int]): The fields with walls as [x, y]; y grows to the north.

Output:
  `return` (list): x, y, the direction as one of "N", "E", "S", "W", and the number of bumps.
"""

HEADINGS = "NESW"
STEPS = {"N": (0, 1), "E": (1, 0), "S": (0, -1), "W": (-1, 0)}


def main_solution(moves, walls):
    """Drive a robot about and report where it ends."""
    blocked = {tuple(wall) for wall in walls}
    x = y = heading = bumps = 0
    for move in moves:
        if move in "LR":
            heading = (heading + (1 if move == "R" else -1)) % 4
            continue
        sign = {"F": 1, "B": -1}[move]
        dx, dy = STEPS[HEADINGS[heading]]
        target = (x + sign * dx, y + sign * dy)
        if target in blocked:
            bumps += 1
        else:
            x, y = target
    return [x, y, HEADINGS[heading], bumps]


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "simulation"
FORWARD = "I follow the commands one by one, keeping position, heading and the bumps."
BACKWARD = "I drive to the field without any walls first and add a wall only where a bump is needed."
INPUTS = [
    {"moves": "FFRFF", "walls": []},
    {"moves": "FFRFF", "walls": [[0, 2]]},
    {"moves": "LLFFB", "walls": [[5, 5]]},
    {"moves": "RFRFRFRF", "walls": []},
    {"moves": "BBLF", "walls": [[0, -1], [-1, 0]]},
]
