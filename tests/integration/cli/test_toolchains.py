"""`reexec doctor --toolchains`: each language that is here runs a program in a jail, others are told with what to install."""

import json
from typing import Any

import pytest

from tests.conftest import lacking
from tests.support.helpers import reexec
from tests.support.limited_host import is_limited

NEEDED = ("bash", "c", "cpp", "javascript", "python")
RESERVES = ("go", "rust")
"""Their compilers map more addresses than most limited hosts allow, whatever their flags."""


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, Any]]:
    done = reexec("doctor", "--toolchains", "--json", timeout=280)
    assert done.out, done.err
    return {row["language"]: row for row in json.loads(done.out.splitlines()[-1])["toolchains"]}


@pytest.mark.parametrize("language", ["bash", "c", "cpp", "go", "java", "javascript", "pypy", "python", "rust"])
def test_a_language_that_is_here_works_in_a_jail(rows: dict[str, dict[str, Any]], language: str) -> None:
    row = rows[language]
    if language in RESERVES and is_limited() and not row["ok"]:
        pytest.skip("this host allows few addresses (ulimit -Hv)")
    if not row["present"]:
        assert "type: sudo apt-get install" in row["detail"]
        if language in NEEDED:
            lacking(row["detail"])
        pytest.skip(row["detail"])
    assert row["ok"], row["detail"]
