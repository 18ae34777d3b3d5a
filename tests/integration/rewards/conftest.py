"""Rewards keep their executors until the process ends; tests count what is left over before that."""

from collections.abc import Iterator

import pytest

from reexec.rewards import shutdown


@pytest.fixture(scope="module", autouse=True)
def closed_executors() -> Iterator[None]:
    yield
    shutdown()
