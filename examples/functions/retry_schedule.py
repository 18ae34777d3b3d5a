"""
A small client calls a service that sometimes fails. After a failed call it pauses and tries again, up to a fixed number
of tries; every pause is twice as long as the one before. Given how the service will respond to each call, replay the
client and report how it ended.

Input:
  `responses` (list of int): Status code of each call in order. Codes below 500 end the replay; if the list is used up,
  the service counts as down (503).
  `max_tries` (int): How often the client tries at most, at least 1.
  `pause_s` (float): Length of the first pause in seconds; the replay really waits. 0 means no waiting.

Output:
  `return` (dict): `status` (int), the last status seen, `tries` (int), the number of calls, and `gave_up` (bool).
"""

import time


class Service:
    def __init__(self, responses):
        self.responses = iter(responses)

    def call(self):
        return next(self.responses, 503)


def main_solution(responses, max_tries, pause_s):
    """Replay a client with exponential back-off against scripted responses."""
    service = Service(responses)
    pause = pause_s
    tries = 0
    while True:
        status = service.call()
        tries += 1
        if status < 500 or tries >= max_tries:
            break
        if pause > 0:
            time.sleep(pause)
            pause *= 2
    return {"status": status, "tries": tries, "gave_up": status >= 500}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "simulation"
FORWARD = "I replay the calls one at a time and stop at the first code below 500 or when the tries are used up."
BACKWARD = "I need a script of responses whose last call gives the stated status after exactly that many tries."
INPUTS = [
    {"responses": [503, 500, 200], "max_tries": 5, "pause_s": 0},
    {"responses": [502, 502, 502], "max_tries": 3, "pause_s": 0},
    {"responses": [404], "max_tries": 4, "pause_s": 0.25},
    {"responses": [500], "max_tries": 4, "pause_s": 0},
    {"responses": [503, 201], "max_tries": 2, "pause_s": 0.0005},
]
