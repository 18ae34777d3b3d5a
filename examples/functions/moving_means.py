"""
A weather station smooths its readings: each smoothed value is the mean of a window of neighbouring readings. Missing
readings are left out of the mean. Give the smoothed values rounded to three decimals, and the overall spread.

Input:
  `readings` (list of float or null): The readings in order; null marks a missing one.
  `window` (int): The length of the window, at least 1 and at most the number of readings.

Output:
  `return` (dict): `means` (list of float or null; null where a window holds no reading at all) and `spread` (float, the
  largest reading minus the smallest, rounded to three decimals).
"""

import numpy as np


def main_solution(readings, window):
    """Smooth a series with missing values."""
    values = np.array([np.nan if reading is None else reading for reading in readings], dtype=float)
    windows = np.lib.stride_tricks.sliding_window_view(values, window)
    present = ~np.isnan(windows)
    counts = present.sum(axis=1)
    sums = np.where(present, windows, 0.0).sum(axis=1)
    means = [round(float(s / c), 3) if c else None for s, c in zip(sums, counts)]
    spread = float(np.nanmax(values) - np.nanmin(values))
    return {"means": means, "spread": round(spread, 3)}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "numpy"
FORWARD = (
    "I slide the window along the readings, average what is present, and take the largest minus the smallest for the spread."
)
BACKWARD = "I choose readings whose windows have these means and whose extremes are as far apart as the spread says."
INPUTS = [
    {"readings": [1.0, 2.0, 4.0, 8.0], "window": 2},
    {"readings": [20.5, None, 21.1, 19.9], "window": 3},
    {"readings": [3.3, 3.3, 3.3], "window": 3},
    {"readings": [None, None, 7.25, 6.5], "window": 2},
    {"readings": [-4.0, 0.5, 12.75, 9.0, 10.0], "window": 4},
]
