# how many ponds on the map, how big is the largest? '~' is water
MAP = """
..~~...
.~~..~.
....~~.
"""


def ponds(rows):
    seen, sizes = set(), []
    for y, row in enumerate(rows):
        for x, c in enumerate(row):
            if c != "~" or (x, y) in seen:
                continue
            stack, size = [(x, y)], 0
            seen.add((x, y))
            while stack:
                a, b = stack.pop()
                size += 1
                for p, q in ((a + 1, b), (a - 1, b), (a, b + 1), (a, b - 1)):
                    if 0 <= q < len(rows) and 0 <= p < len(rows[q]) and rows[q][p] == "~" and (p, q) not in seen:
                        seen.add((p, q))
                        stack.append((p, q))
            sizes.append(size)
    return sizes


print(ponds(MAP.split()))
