"""Lift controller toy: serve calls upwards first, then downwards."""
import time


class Lift:
    def __init__(self, floor):
        self.floor = floor
        self.calls = set()
        self.moved = 0

    def call(self, floor):
        self.calls.add(floor)

    def run(self):
        up = sorted(f for f in self.calls if f >= self.floor)
        down = sorted((f for f in self.calls if f < self.floor), reverse=True)
        for f in up + down:
            self.moved += abs(f - self.floor)
            self.floor = f
            print("ding", f)
            time.sleep(1)


lift = Lift(3)
for f in (7, 1, 5, 2):
    lift.call(f)
lift.run()
print(lift.moved)
