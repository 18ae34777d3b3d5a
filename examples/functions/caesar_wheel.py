"""
A cipher wheel shifts every letter by a number of places, and the shift itself grows by a fixed amount after every
letter. Letters wrap round from z to a and keep their case; other characters stay as they are and do not turn the wheel.

Input:
  `text` (str): The text to encipher, fewer than 100 characters.
  `start` (int): The shift for the first letter; may be negative.
  `turn` (int): How much the shift grows after each letter.

Output:
  `return` (str): The enciphered text.
"""

import string


def main_solution(text, start, turn):
    """Encipher a text with a turning wheel."""
    shift = start
    result = []
    for character in text:
        for alphabet in (string.ascii_lowercase, string.ascii_uppercase):
            place = alphabet.find(character)
            if place >= 0:
                result.append(alphabet[(place + shift) % 26])
                shift += turn
                break
        else:
            result.append(character)
    return "".join(result)


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "strings"
FORWARD = (
    "I move each letter by the current shift and then increase the shift by the turn, skipping everything that is no letter."
)
BACKWARD = "I undo the shifts letter by letter, which gives back the text for a chosen start and turn."
INPUTS = [
    {"text": "Hello, World", "start": 3, "turn": 0},
    {"text": "abcxyz", "start": 1, "turn": 1},
    {"text": "Zebra 42", "start": -1, "turn": 0},
    {"text": 'say "hi"', "start": 13, "turn": 2},
    {"text": "{ok}", "start": 0, "turn": -5},
]
