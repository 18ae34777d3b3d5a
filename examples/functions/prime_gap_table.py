"""
A watchmaker engraves the gaps between neighbouring primes on a dial. Given a limit, list the primes up to and including
that limit, look at the differences between neighbours, and report which gap occurs how often. Gaps are reported in
increasing order.

Input:
  `limit` (int): The upper end of the range, at least 0.

Output:
  `return` (list of [int, int]): Pairs of gap and number of occurrences, by increasing gap. Empty with fewer than two
  primes in the range.
"""

from collections import Counter


def primes_up_to(limit):
    is_prime = [True] * (limit + 1)
    is_prime[:2] = [False] * min(2, limit + 1)
    candidate = 2
    while candidate * candidate <= limit:
        if is_prime[candidate]:
            for multiple in range(candidate * candidate, limit + 1, candidate):
                is_prime[multiple] = False
        candidate += 1
    return [number for number, flag in enumerate(is_prime) if flag]


def main_solution(limit):
    """Count the gaps between neighbouring primes up to `limit`."""
    primes = primes_up_to(limit)
    gaps = Counter(right - left for left, right in zip(primes, primes[1:]))
    return [[gap, gaps[gap]] for gap in sorted(gaps)]


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "numbers"
FORWARD = "I write down the primes up to the limit, take the differences of neighbours and tally them."
BACKWARD = "The counts add up to one less than the number of primes, which tells me how many primes the range must hold."
INPUTS = [
    {"limit": 10},
    {"limit": 30},
    {"limit": 2},
    {"limit": 90},
    {"limit": 60},
]
