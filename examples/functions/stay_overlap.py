"""
Two guests rent the same holiday flat. Each stay has an arrival and a departure date; the night of the departure is not
part of the stay. For how many nights do the stays collide, and what nights are these?

Input:
  `first` (list of str): Arrival and departure of the first guest, YYYY-MM-DD.
  `second` (list of str): Arrival and departure of the second guest, YYYY-MM-DD.

Output:
  `return` (dict): `nights` (int), and `from` and `to` (str, first and last night in common, or null if there is none).
"""

from datetime import date, timedelta


def main_solution(first, second):
    """Find the nights that two stays have in common."""
    stays = [[date.fromisoformat(day) for day in stay] for stay in (first, second)]
    for arrival, departure in stays:
        if departure < arrival:
            raise ValueError("departure before arrival")
    begin = max(stay[0] for stay in stays)
    end = min(stay[1] for stay in stays)
    nights = (end - begin).days
    if nights <= 0:
        return {"nights": 0, "from": None, "to": None}
    return {"nights": nights, "from": begin.isoformat(), "to": (end - timedelta(days=1)).isoformat()}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "dates"
FORWARD = "The common nights run from the later arrival to the earlier departure."
BACKWARD = "The later arrival and the earlier departure are known, so I only choose how far the stays reach beyond them."
INPUTS = [
    {"first": ["2024-07-01", "2024-07-10"], "second": ["2024-07-06", "2024-07-20"]},
    {"first": ["2024-02-27", "2024-03-02"], "second": ["2024-02-01", "2024-03-31"]},
    {"first": ["2023-05-01", "2023-05-05"], "second": ["2023-05-05", "2023-05-09"]},
    {"first": ["2022-12-30", "2023-01-03"], "second": ["2022-12-31", "2023-01-01"]},
]
