"""What one child needs: the parts of its task in the buffer that forks copy, and what is the same for every task."""

from __future__ import annotations

from typing import Any, Dict, List

from ..protocol.setup import Setup
from .secrets import TaskBuffer


class Task:
    """Filled by the zygote, read by the child that is forked next. A child has its own copy, module included."""

    __slots__ = ("_buffer", "_ends", "_view", "numpy_seeded", "options", "setup", "space")

    def __init__(self, setup: Setup, space: Dict[str, Any], numpy_seeded: bool, buffer: TaskBuffer) -> None:
        self.setup = setup
        self.space = space
        self.numpy_seeded = numpy_seeded
        self.options = 0
        self._buffer = buffer
        self._view = buffer.view
        self._ends: List[int] = []

    def fill(self, options: int, *parts: memoryview) -> None:
        self.options = options
        self._ends = self._buffer.fill(*parts)

    def part(self, number: int) -> memoryview:
        begin = self._ends[number - 1] if number else 0
        return self._view[begin : self._ends[number]]
