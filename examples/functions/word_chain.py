"""
In a word game, each step changes exactly one letter of a word, and every word on the way must be in the list. Find a
shortest chain from one word to another; among equally short chains, the one that comes first in dictionary order.

Input:
  `start` (str): The first word; it need not be in the list.
  `goal` (str): The last word.
  `words` (list of str): The words allowed, all of the same length.

Output:
  `return` (list of str): The chain with both ends, or an empty list if there is none.
"""

from collections import deque


def differs_by_one(left, right):
    return len(left) == len(right) and sum(a != b for a, b in zip(left, right)) == 1


def main_solution(start, goal, words):
    """Find a shortest chain of words."""
    unused = sorted(set(words) - {start})
    queue = deque([[start]])
    while queue:
        chain = queue.popleft()
        if chain[-1] == goal:
            return chain
        following = [word for word in unused if differs_by_one(chain[-1], word)]
        for word in following:
            unused.remove(word)
            queue.append([*chain, word])
    return []


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "graphs"
FORWARD = "I search the words level by level, always in dictionary order, until the goal appears."
BACKWARD = "The list has to hold the words of the chain and no shorter way between its ends."
INPUTS = [
    {"start": "cold", "goal": "warm", "words": ["cord", "card", "ward", "warm", "word", "worm"]},
    {"start": "cat", "goal": "dog", "words": ["cot", "dog"]},
    {"start": "sea", "goal": "sea", "words": []},
    {"start": "tin", "goal": "tan", "words": ["tan", "ten"]},
    {"start": "lead", "goal": "gold", "words": ["load", "goad", "gold", "lend"]},
]
