"""The short form of `make faults`."""

from pathlib import Path

from tests.reliability.faults import check_pool, host, pool


def test_killed_workers_and_jails_cost_no_check_its_verdict() -> None:
    tally = pool(6, least=201)
    check_pool(tally)
    assert tally.checks > 200


def test_a_killed_check_is_the_only_one_that_shows_it() -> None:
    check_pool(pool(3, "checks", every_s=0.1))


def test_a_run_whose_host_and_workers_are_killed_ends_with_the_same_bytes(tmp_path: Path) -> None:
    tally = host(0, tmp_path, copies=2, most_kills=2, sweep=False)
    assert tally.runs == 1
