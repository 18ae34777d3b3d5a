"""The rule of the package format's own output validator."""

import pytest

from reexec.runners.graders.packages.tokens import BadFlagsError, read_flags, split_flags, token_difference


@pytest.mark.parametrize(
    ("flags", "actual", "expected", "equal"),
    [
        ("", "1 2\n3\n", "1\n2 3", True),
        ("", "Yes", "YES", True),
        ("case_sensitive", "Yes", "YES", False),
        ("", "1.0", "1", False),
        ("float_tolerance 1e-6", "1.0000009", "1", True),
        ("float_tolerance 1e-6", "1.000002", "1", False),
        ("float_tolerance 1e-6", "1000000.5", "1000000", True),
        ("float_absolute_tolerance 1e-6", "1000000.5", "1000000", False),
        ("float_relative_tolerance 1e-6", "1e-9", "0", False),
        ("float_absolute_tolerance 1e-6", "1e-9", "0", True),
        ("float_relative_tolerance 0.5", "1", "2", True),  # of what is expected, whatever the answer's size
        ("float_relative_tolerance 0.5", "3.1", "2", False),
        ("float_tolerance 1e-6", "nan", "1", False),
        ("float_tolerance 1e-6", "1_0", "10", False),
        ("float_tolerance 1e-6", "impossible", "Impossible", True),
        ("float_tolerance 1e-6", "x", "1", False),
        ("float_tolerance 0", "0x10", "16", True),
        ("float_tolerance 1e-6", "inf", "inf", True),
        ("", "1", "1 2", False),
        ("", "1 2", "1", False),
        ("", "", "", True),
        ("", "", "1", False),
        ("space_change_sensitive", "1  2\n", "1 2\n", False),
        ("space_change_sensitive", "1 2\n", "1 2\n", True),
        ("space_change_sensitive", "1 2", "1 2\n", False),
        ("space_change_sensitive", "1 2\n\n", "1 2\n", False),
    ],
)
def test_words_numbers_case_and_space(flags: str, actual: str, expected: str, equal: bool) -> None:
    assert (token_difference(actual, expected, read_flags(split_flags(flags))) == "") is equal


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("case_sensitive no_such", "no flag 'no_such'"),
        ("float_tolerance", "float_tolerance needs a number"),
        ("float_absolute_tolerance x", "float_absolute_tolerance needs a number"),
        ("float_relative_tolerance inf", "float_relative_tolerance needs a number"),
        ("float_tolerance case_sensitive", "float_tolerance needs a number"),
    ],
)
def test_flags_that_the_validator_does_not_know_are_refused(flags: str, said: str) -> None:
    with pytest.raises(BadFlagsError, match=said):
        read_flags(split_flags(flags))


def test_a_word_of_a_million_digits_costs_nothing() -> None:
    assert token_difference("9" * 1_000_000, "1", read_flags(("float_tolerance", "1e-6")))
