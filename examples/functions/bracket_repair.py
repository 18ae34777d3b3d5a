"""
An editor checks the brackets of a line. The brackets (), [] and {} must nest properly; other characters are ignored.
Report whether the line is balanced, where the first fault lies, and which closing brackets would have to be appended if
the line is merely unfinished.

Input:
  `line` (str): The line of text, fewer than 100 characters.

Output:
  `return` (dict): `balanced` (bool), `fault` (int or null: the position of the first closing bracket that is wrong),
  and `missing` (str: what to append; empty if there is a fault).
"""

PAIRS = {"(": ")", "[": "]", "{": "}"}


def main_solution(line):
    """Check and complete the brackets of a line."""
    expected = []
    for position, character in enumerate(line):
        if character in PAIRS:
            expected.append(PAIRS[character])
        elif character in PAIRS.values():
            if not expected or expected.pop() != character:
                return {"balanced": False, "fault": position, "missing": ""}
    missing = "".join(reversed(expected))
    return {"balanced": not missing, "fault": None, "missing": missing}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "parsing"
FORWARD = "I keep the closing brackets that are still owed on a stack and compare each closing bracket with its top."
BACKWARD = "Only the kind and place of the brackets matter, so a short line with the right faults will do."
INPUTS = [
    {"line": "f(a[1]) + {2}"},
    {"line": "g({x: [1, 2"},
    {"line": "(]"},
    {"line": "no brackets"},
    {"line": "a) b("},
]
