"""
A fax sends each line of an image in a compressed form: a count followed by a character that is to be repeated that
often. A character without a count stands for itself. Characters are anything but digits. Restore the line.

Input:
  `code` (str): The compressed line, such as `"3.2#x"`.

Output:
  `return` (str): The restored line. Digits left over at the end of the code are ignored.
"""

import re

TOKEN = re.compile(r"(\d*)(\D)")


def main_solution(code):
    """Expand a run-length code."""
    parts = []
    for count, character in TOKEN.findall(code):
        parts.append(character * (int(count) if count else 1))
    return "".join(parts)


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "strings"
FORWARD = "I read the code as pairs of a count and a character and write each character that many times."
BACKWARD = "I count the runs in the line and write each as its length and its character."
INPUTS = [
    {"code": "3.2#x"},
    {"code": "abc"},
    {"code": "12-"},
    {"code": "0a4 1}{"},
    {"code": '2"3\\9'},
]
