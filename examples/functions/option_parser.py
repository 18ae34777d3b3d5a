"""
A backup tool takes its options as a list of words. `--keep N` says how many copies to keep (default 3), `--dry-run`
asks for a rehearsal, `--to PATH` names the target folder, and every other word that does not begin with two dashes is a
source folder. Parse the words into settings. The tool stops with a message when an option is
unknown or lacks its value.

Input:
  `words` (list of str): The words of the command line, without the name of the program.

Output:
  `return` (dict): `keep` (int), `dry_run` (bool), `target` (str or null), `sources` (list of str).
"""

import sys


def take_value(words, position, option):
    if position + 1 >= len(words):
        sys.exit(f"backup: {option} needs a value")
    return words[position + 1]


def main_solution(words):
    """Parse the command line of a backup tool."""
    settings = {"keep": 3, "dry_run": False, "target": None, "sources": []}
    position = 0
    while position < len(words):
        word = words[position]
        if word == "--dry-run":
            settings["dry_run"] = True
        elif word == "--keep":
            settings["keep"] = int(take_value(words, position, word))
            position += 1
        elif word == "--to":
            settings["target"] = take_value(words, position, word)
            position += 1
        elif word.startswith("--"):
            sys.exit(f"backup: unknown option {word}")
        else:
            settings["sources"].append(word)
        position += 1
    return settings


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "parsing"
FORWARD = "I walk through the words from left to right; options with a value swallow the word after them."
BACKWARD = "Every setting that differs from its default must come from an option, and the sources are the bare words in order."
INPUTS = [
    {"words": ["photos", "--keep", "5", "--to", "/mnt/disk"]},
    {"words": ["--dry-run", "mail"]},
    {"words": []},
    {"words": ["a", "b", "--keep", "1", "c"]},
    {"words": ["--to", "--dry-run", "notes"]},
]
