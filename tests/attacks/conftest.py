"""`--table`: what every attack came to, after the run."""

import pytest

from tests.attacks import table


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--table", action="store_true", help="print the table of attacks: case, isolation level, verdict, expected, left-overs"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not table.RESULTS:
        return
    if config.getoption("--table", False):
        terminalreporter.section("attacks")
        for line in table.lines():
            terminalreporter.write_line(line)
    terminalreporter.write_line(f"attacks: {table.summary()}")
