"""
An old ledger lists amounts in Roman numerals. Add them up and write the total as a Roman numeral as well, together with
the plain number. The total stays below 4000.

Input:
  `amounts` (list of str): Roman numerals in capital letters, in the usual subtractive form.

Output:
  `return` (dict): `total` (int) and `roman` (str; empty for zero).
"""

SYMBOLS = "M CM D CD C XC L XL X IX V IV I".split()
VALUES = list(zip((1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1), SYMBOLS))


def read_roman(numeral):
    total = position = 0
    for value, symbol in VALUES:
        while numeral.startswith(symbol, position):
            total += value
            position += len(symbol)
    if position != len(numeral):
        raise ValueError(f"not a Roman numeral: {numeral}")
    return total


def write_roman(number):
    parts = []
    for value, symbol in VALUES:
        count, number = divmod(number, value)
        parts.append(symbol * count)
    return "".join(parts)


def main_solution(amounts):
    """Add up Roman numerals."""
    total = sum(read_roman(amount) for amount in amounts)
    return {"total": total, "roman": write_roman(total)}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "numbers"
FORWARD = "I turn each numeral into a number, add them, and build the total from the largest symbol down."
BACKWARD = "The amounts only have to add up to the total, so I pick numerals that do."
INPUTS = [
    {"amounts": ["XIV", "VI", "MCM"]},
    {"amounts": []},
    {"amounts": ["CDXLIV", "CDXLIV"]},
    {"amounts": ["I", "II", "III", "IV"]},
    {"amounts": ["MMMCMXCIX"]},
]
