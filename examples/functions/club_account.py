"""
The treasurer of a club posts entries to named accounts. `deposit` adds, `withdraw` takes away unless the account would
fall below its limit, `move` does both or nothing. All amounts are cents. Report balances and refused entries.

Input:
  `entries` (list of str): "deposit ACCOUNT AMOUNT", "withdraw ACCOUNT AMOUNT" or "move FROM TO AMOUNT".
  `overdraft` (int): How far any account may go below zero, at least 0.

Output:
  `return` (dict): `balances` (dict from account to int, sorted by name) and `refused` (list of int, positions of the
  refused entries).
"""


class Refused(Exception):
    pass


class Ledger:
    def __init__(self, overdraft):
        self.overdraft = overdraft
        self.balances = {}

    def deposit(self, account, amount):
        self.balances[account] = self.balances.get(account, 0) + amount

    def withdraw(self, account, amount):
        if self.balances.get(account, 0) - amount < -self.overdraft:
            raise Refused(account)
        self.deposit(account, -amount)

    def move(self, source, target, amount):
        self.withdraw(source, amount)
        self.deposit(target, amount)


def main_solution(entries, overdraft):
    """Post the entries of a club's treasurer."""
    ledger = Ledger(overdraft)
    refused = []
    for position, entry in enumerate(entries):
        kind, *accounts, amount = entry.split()
        try:
            getattr(ledger, kind)(*accounts, int(amount))
        except Refused:
            refused.append(position)
    return {"balances": dict(sorted(ledger.balances.items())), "refused": refused}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "simulation"
FORWARD = "I post the entries in order and note the position of each one that would break the limit."
BACKWARD = "The deposits have to account for the balances, and the positions refused tell where money was short."
INPUTS = [
    {"entries": ["deposit tea 500", "withdraw tea 700", "move tea hall 200"], "overdraft": 100},
    {"entries": ["withdraw hall 50"], "overdraft": 50},
    {"entries": ["move a b 1"], "overdraft": 0},
    {"entries": ["deposit b 10", "deposit a 5", "move b a 10"], "overdraft": 0},
    {"entries": [], "overdraft": 9},
]
