"""What tells the rows of verify's input apart: samples of one prompt share its id."""

from typing import Any

import pytest

from reexec.runners.stages.verify.judging import sample_of


def test_samples_of_one_prompt_are_told_apart_by_their_index() -> None:
    found = {sample_of("prompt", {"index": index}) for index in (1, 2, 3)} | {sample_of("prompt", {}), sample_of("other", {})}
    assert len(found) == 5
    assert sample_of("prompt", {"index": 0}) == sample_of("prompt", {})
    assert sample_of(7, {}) == sample_of("7", {}) == sample_of(7.0, {})


@pytest.mark.parametrize("given", [1.5, [1], {"a": 1}, True])
def test_an_id_that_later_stages_do_not_take_tells_nothing_apart(given: Any) -> None:
    assert sample_of(given, {"index": 1}) is None
