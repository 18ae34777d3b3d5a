import sys


def frames(rolls):
    i = 0
    for frame in range(10):
        if rolls[i] == 10:
            yield 10 + rolls[i + 1] + rolls[i + 2]
            i += 1
        elif rolls[i] + rolls[i + 1] == 10:
            yield 10 + rolls[i + 2]
            i += 2
        else:
            yield rolls[i] + rolls[i + 1]
            i += 2


if __name__ == "__main__":
    line = [int(x) for x in sys.argv[1:]]
    total = 0
    for number, points in enumerate(frames(line), 1):
        total += points
        print("frame", number, "total", total)
