"""
An engineer looks at the bending of a beam that lies on two supports and carries an even load. At a relative position t
between 0 and 1 the bending is t * (1 - 2*t^2 + t^3) times a factor. The beam is sampled at equally spaced points, both
ends included. Report the largest bending and the index of the sample where it occurs (the first if there are several).

Input:
  `samples` (int): The number of sample points, at least 2.
  `factor` (float): The factor of the load.

Output:
  `return` (dict): `peak` (float, rounded to six decimals) and `index` (int).
"""

import numpy as np


def main_solution(samples, factor):
    """Find the largest bending among the samples of a beam."""
    position = np.zeros(samples)
    position[1:] = np.arange(1, samples) / (samples - 1)
    bending = factor * position * (1 - 2 * position**2 + position**3)
    index = int(np.argmax(np.round(bending, 9)))
    return {"peak": round(float(bending[index]), 6), "index": index}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "numpy"
FORWARD = "The curve is symmetric with its maximum in the middle, so I evaluate the sample nearest to t = 0.5."
BACKWARD = "The index of the peak gives the number of samples, and the height of the peak then gives the factor."
INPUTS = [
    {"samples": 5, "factor": 16.0},
    {"samples": 11, "factor": 1.0},
    {"samples": 4, "factor": 2.5},
    {"samples": 2, "factor": 9.0},
    {"samples": 101, "factor": 48.0},
]
