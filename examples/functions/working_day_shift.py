"""
An office promises delivery a number of working days after a date. Saturdays, Sundays and the listed holidays do not
count. A negative number counts backwards. Zero days give the date itself, whatever day it is.

Input:
  `date` (str): The first date as YYYY-MM-DD.
  `days` (int): The number of working days, between -200 and 200.
  `holidays` (list of str): Dates that do not count, as YYYY-MM-DD.

Output:
  `return` (dict): `date` (str, YYYY-MM-DD) and `weekday` (str, three letters, "Mon" to "Sun").
"""

from datetime import date as Date
from datetime import timedelta

WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def main_solution(date, days, holidays):
    """Move a date by a number of working days."""
    closed = {Date.fromisoformat(holiday) for holiday in holidays}
    current = Date.fromisoformat(date)
    step = timedelta(days=1 if days > 0 else -1)
    left = abs(days)
    while left:
        current += step
        if current.weekday() < 5 and current not in closed:
            left -= 1
    return {"date": current.isoformat(), "weekday": WEEKDAYS[current.weekday()]}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "dates"
FORWARD = "I step through the calendar a day at a time and count only days from Monday to Friday that are no holidays."
BACKWARD = "I count the working days back from the given date, skipping weekends and holidays."
INPUTS = [
    {"date": "2024-02-28", "days": 3, "holidays": []},
    {"date": "2023-12-22", "days": 2, "holidays": ["2023-12-25", "2023-12-26"]},
    {"date": "2025-06-14", "days": 0, "holidays": []},
    {"date": "2024-03-04", "days": -2, "holidays": ["2024-03-01"]},
    {"date": "2000-01-01", "days": 10, "holidays": []},
]
