"""
A game keeps its settings in a simple file: `[section]` lines begin a section, `key = value` lines set a value, and
everything after a semicolon is a comment. Values that look like whole numbers become numbers, `yes` and `no` become
truth values, `-` stands for nothing. Settings before the first section belong to the section "main".

Input:
  `text` (str): The text of the file, fewer than 100 characters.

Output:
  `return` (dict): For each section that has settings, a dict from key to value.
"""

import re

SECTION = re.compile(r"\[(\w+)\]$")
WORDS = {"yes": True, "no": False, "-": None}


def convert(value):
    if value in WORDS:
        return WORDS[value]
    if re.fullmatch(r"-?\d+", value):
        return int(value)
    return value


def main_solution(text):
    """Read the settings of a game."""
    settings = {}
    section = "main"
    for line in text.splitlines():
        line = line.partition(";")[0].strip()
        if not line:
            continue
        header = SECTION.match(line)
        if header:
            section = header.group(1)
            continue
        key, equals, value = line.partition("=")
        if not equals:
            raise ValueError(f"not a setting: {line}")
        settings.setdefault(section, {})[key.strip()] = convert(value.strip())
    return settings


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "text formats"
FORWARD = "I go through the lines, drop the comments, and convert each value by its look."
BACKWARD = "I write one header per section and one line per key, turning the values back into their written form."
INPUTS = [
    {"text": "[video]\nwidth = 800\nfull = yes\n"},
    {"text": "name = Ada ; the player\n[sound]\nvolume=-3\ndevice = -"},
    {"text": "; nothing here\n\n"},
    {"text": "[a]\nx = 1\n[b]\nx = no\n[a]\ny = {2}"},
    {"text": "title = \"The 'Last' Day\""},
]
