"""
A lottery machine reduces every ticket number to a single digit: it adds up the decimal digits of the number, then the
digits of that sum, and so on, until only one digit is left. The operator wants to know the last digit and how many
rounds of adding were needed. A ticket that already has one digit needs no round at all.

Input:
  `number` (int): The ticket number, zero or greater.

Output:
  `return` (dict): `digit` (int), the last digit, and `rounds` (int), how often the digits were added up.
"""


def digit_sum(number):
    total = 0
    while number != 0:
        total += number % 10
        number //= 10
    return total


def main_solution(number):
    """Reduce a ticket number to one digit and count the rounds."""
    rounds = 0
    while not 0 <= number <= 9:
        number = digit_sum(number)
        rounds += 1
    return {"digit": number, "rounds": rounds}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "numbers"
FORWARD = "I add the digits of the ticket number, then the digits of the sum, and count how often I had to do it."
BACKWARD = (
    "The last digit of such a reduction is the number modulo 9, so I look for a number with that residue that "
    "needs the stated rounds."
)
INPUTS = [
    {"number": 7},
    {"number": 493},
    {"number": 199},
    {"number": 86420},
    {"number": 5999999999},
]
