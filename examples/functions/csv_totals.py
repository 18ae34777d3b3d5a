"""
A market stall notes its sales as comma-separated lines with a header. Names may stand in double quotes and then contain
commas. Add up pieces and revenue for each article.

Input:
  `lines` (list of str): The header and the sales. The columns `article`, `pieces` and `price` come in any order.

Output:
  `return` (dict): For each article, in alphabetical order, a list of pieces (int) and revenue (float, two decimals).
"""

import csv


def main_solution(lines):
    """Total the sales of a market stall."""
    totals = {}
    for row in csv.DictReader(lines):
        pieces = int(row["pieces"])
        total = totals.setdefault(row["article"], [0, 0.0])
        total[0] += pieces
        total[1] += pieces * float(row["price"])
    return {article: [pieces, round(revenue, 2)] for article, (pieces, revenue) in sorted(totals.items())}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "text formats"
FORWARD = "I read each line by the header, multiply pieces by price, and add the results up by article."
BACKWARD = "The lines for each article have to add up to its pieces, and pieces times price to its revenue."
INPUTS = [
    {"lines": ["article,pieces,price", "pear,3,0.40", "plum,10,0.15", "pear,1,0.45"]},
    {"lines": ["price,article,pieces", '2.50,"jam, red",2', "1.25,bread,4"]},
    {"lines": ["article,pieces,price"]},
    {"lines": ["article,pieces,price", "tea,7,3.333"]},
    {"lines": ["pieces,price,article", '1,9.99,"the ""best"" pan"']},
]
