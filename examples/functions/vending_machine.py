"""
A vending machine accepts coins of 5, 10, 20, 50, 100 and 200 cents. Events are coins, a choice of a shelf, or the
return lever. A choice is served if the money suffices and the shelf is not empty; the change stays in the
machine for the next choice. Other coins fall through.

Input:
  `shelves` (dict): For each shelf, price in cents and number of pieces, as [int, int].
  `events` (list of int or str): An int is a coin, `"return"` is the lever, any other str names a shelf.

Output:
  `return` (dict): `served` (list of str), `credit` (int), `returned` (int, coins that fell through included) and
  `sold_out` (list of str, sorted).
"""

COINS = frozenset({5, 10, 20, 50, 100, 200})


def main_solution(shelves, events):
    """Simulate a vending machine."""
    stock = {shelf: pieces for shelf, (_, pieces) in shelves.items()}
    credit = returned = 0
    served = []
    for event in events:
        if isinstance(event, int):
            if event in COINS:
                credit += event
            else:
                returned += event
        elif event == "return":
            returned += credit
            credit = 0
        else:
            price = shelves[event][0]
            if stock[event] > 0 and credit >= price:
                stock[event] -= 1
                credit -= price
                served.append(event)
    sold_out = sorted(shelf for shelf, pieces in stock.items() if pieces == 0)
    return {"served": served, "credit": credit, "returned": returned, "sold_out": sold_out}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "state machines"
FORWARD = "I track credit, returned money and stock through the events in order."
BACKWARD = "I choose prices that the coins can pay exactly and let the remaining events account for credit and return."
INPUTS = [
    {"shelves": {"A": [120, 2]}, "events": [200, "A", "return"]},
    {"shelves": {"A": [50, 1]}, "events": [50, "A", 50, "A"]},
    {"shelves": {"X": [95, 0]}, "events": [100, "X", 3]},
    {"shelves": {}, "events": ["return"]},
    {"shelves": {"K": [10, 3]}, "events": [20, "K", "K", "K", 7]},
]
