"""
A newspaper sets text in narrow columns. Each line takes as many words as fit; blanks are spread evenly so that the line
fills the column, extra blanks going to the leftmost places. The last line of the text and lines with a single word are
left as they are.

Input:
  `text` (str): The words, separated by blanks; fewer than 100 characters.
  `width` (int): The width of the column, at least the length of the longest word.

Output:
  `return` (list of str): The lines.
"""


def spread(words, width):
    if len(words) == 1:
        return words[0]
    blanks = width - sum(map(len, words))
    each, extra = divmod(blanks, len(words) - 1)
    gaps = [" " * (each + (index < extra)) for index in range(len(words) - 1)]
    return "".join(word + gap for word, gap in zip(words, [*gaps, ""]))


def main_solution(text, width):
    """Set a text in a justified column."""
    lines = []
    current = []
    for word in text.split():
        if current and len(" ".join([*current, word])) > width:
            lines.append(spread(current, width))
            current = []
        current.append(word)
    if current:
        lines.append(" ".join(current))
    return lines


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "strings"
FORWARD = "I fill the lines greedily and spread the blanks, giving the extra ones to the left."
BACKWARD = "Joining the words of the lines with single blanks gives a text, and a full line gives the width."
INPUTS = [
    {"text": "the quick brown fox jumps", "width": 11},
    {"text": "one", "width": 20},
    {"text": "", "width": 5},
    {"text": "to be or not to be", "width": 8},
    {"text": 'he said "a {b} c" twice', "width": 12},
]
