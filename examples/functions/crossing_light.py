"""
A pedestrian light is red at first. When someone presses the button (`p`), it becomes green two ticks later, stays green
for three ticks, and is red again. Presses during the wait or while it is green are ignored. `t` is a tick of the clock.

Input:
  `events` (str): The events in order, each `p` or `t`; fewer than 100.

Output:
  `return` (dict): `state` (str: "red", "waiting" or "green"), `left` (int: ticks until the next change, 0 if red), and
  `crossings` (int: how often the light became green).
"""


class Light:
    def __init__(self):
        self.state = "red"
        self.left = 0
        self.crossings = 0

    def press(self):
        if self.state == "red":
            self.state, self.left = "waiting", 2

    def tick(self):
        if self.state == "red":
            return
        self.left -= 1
        if self.left == 0:
            if self.state == "waiting":
                self.state, self.left = "green", 3
                self.crossings += 1
            else:
                self.state = "red"


def main_solution(events):
    """Run a pedestrian light through a series of events."""
    light = Light()
    handlers = {"p": light.press, "t": light.tick}
    for event in events:
        handlers[event]()
    return vars(light)


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "state machines"
FORWARD = "I follow the light event by event: two ticks of waiting, three of green, then red again."
BACKWARD = "Each crossing takes a press and five ticks; I append what is needed to stop in the stated state."
INPUTS = [
    {"events": "ptt"},
    {"events": "pttttt"},
    {"events": "tttp"},
    {"events": "ptpttpttptt"},
    {"events": ""},
]
