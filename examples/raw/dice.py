import random


def duel(a, b, rounds=5):
    wins = 0
    for _ in range(rounds):
        if sum(random.randint(1, 6) for _ in range(a)) > sum(random.randint(1, 6) for _ in range(b)):
            wins += 1
    return wins


print("red wins", duel(3, 2), "of 5")
