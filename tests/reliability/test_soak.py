"""The short form of `make soak`."""

from pathlib import Path
from xml.etree import ElementTree

from tests.reliability.plot import Series, save_lines
from tests.reliability.soak import check_soak, soak


def test_five_thousand_checks_leave_the_host_as_it_was() -> None:
    result = soak(5_000, 500, every=4)
    assert result.checks == sum(result.words.values()) == 5_000
    assert result.hostile_cases > 10
    check_soak(result, memory_mib=16.0)


def test_a_plot_is_a_picture_with_a_line_for_each_series(tmp_path: Path) -> None:
    path = tmp_path / "p.svg"
    save_lines(path, "a < b", "checks", [Series("one & two", [1, 2, 3], [0, 0, 0]), Series("three", [1, 2, 3], [5, 6, 7.5])])
    lines = ElementTree.parse(path).findall("{http://www.w3.org/2000/svg}polyline")
    assert [len(line.attrib["points"].split()) for line in lines] == [3, 3]
