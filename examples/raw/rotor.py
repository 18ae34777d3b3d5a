import numpy as np

# rotate a sprite (2d array of 0/1) by quarter turns and trim the empty border
sprite = np.array([[0, 1, 0], [0, 1, 1], [0, 0, 0]])


def turn(a, times):
    a = np.rot90(a, -times)
    rows = np.flatnonzero(a.any(axis=1))
    cols = np.flatnonzero(a.any(axis=0))
    if len(rows) == 0:
        return a[:0, :0]
    return a[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]


for k in range(4):
    print(turn(sprite, k))
