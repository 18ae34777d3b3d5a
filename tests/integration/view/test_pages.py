"""`reexec view`: pages say what the run's files say, whatever is asked for."""

import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from reexec.runners.view.words import holds
from tests.support.helpers import FUNCTIONS, RESPONSES, SMALL, read_rows, reexec
from tests.support.lacking_modules import verify_without_modules
from tests.support.large_run import Known, LargeRun
from tests.support.viewing import View, said, viewing

RUN = LargeRun(rows=3000, functions=40, rejects=120, words=25)


@pytest.fixture(scope="module")
def known() -> list[Known]:
    return list(RUN.known())


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    with viewing(RUN.write(tmp_path_factory.mktemp("run"))) as found:
        yield found


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[View, Path]]:
    output = tmp_path_factory.mktemp("real") / "verified.jsonl"
    usage = output.with_name("verified.usage.jsonl")
    done = reexec("verify", RESPONSES, "-f", FUNCTIONS, "-o", output, "--usage", usage, *SMALL)
    assert done.code == 0, done.err
    with viewing(output) as found:
        yield found, output


def is_meant(row: Known, asked: dict[str, str]) -> bool:
    """What the filters mean, said once more in the plainest way."""
    return (
        all(getattr(row, name) == asked[name] for name in ("verdict", "direction", "stage") if name in asked)
        and asked.get("function", "").lower() in row.function.lower()
        and (row.reason.startswith(asked["reason"]) if "reason" in asked else True)
        and ("function" not in asked or bool(row.function))
        and holds(row.text, asked.get("text", ""))
    )


def random_question(chance: random.Random, known: list[Known]) -> dict[str, str]:
    row = chance.choice(known)
    words = re.findall(r"\w+", row.text)
    long = [word for word in words if len(word) > 3]
    choices = {
        "verdict": row.verdict,
        "direction": row.direction or "output",
        "stage": chance.choice([row.stage, row.stage, "generate"]),
        "function": chance.choice([row.function[:4] or "x", row.function.partition(" ")[2] or "_1", "_1"]),
        "reason": row.reason[: chance.randint(1, 30)].strip() or "itemid",
        "text": chance.choice([
            chance.choice(words), chance.choice(long)[1:4].upper(), " ".join(chance.sample(long, 2)), "N7", '{"output": [1',
            "nothing here",
        ]),
    }  # fmt: skip
    return {name: choices[name] for name in chance.sample(sorted(choices), chance.randint(0, 3))}


@pytest.mark.parametrize("seed", range(40))
def test_a_page_counts_what_a_plain_count_gives(view: View, known: list[Known], seed: int) -> None:
    asked = random_question(random.Random(seed), known)
    meant = [number for number, row in enumerate(known) if is_meant(row, asked)]
    page = view.get("rows", **asked)
    assert page.count == len(meant), asked
    assert page.rows() == meant[:50], asked
    last = view.get("rows", **asked, page=10**6)
    assert last.rows() == meant[(max(1, len(meant)) - 1) // 50 * 50 :], asked


def test_the_plain_count_meets_many_sizes(known: list[Known]) -> None:
    sizes = {sum(is_meant(row, random_question(random.Random(seed), known)) for row in known[::30]) // 10 for seed in range(40)}
    assert len(sizes) > 3


@pytest.mark.parametrize("sort", ["", "time", "memory", "function", "verdict", "last"])
def test_pages_in_any_order_list_every_row_once(view: View, sort: str, known: list[Known]) -> None:
    found: list[int] = []
    page = view.get("rows", sort=sort, verdict="cpu-limit")
    while True:
        found += page.rows()
        following = [element.get("href") for element in page.all("a") if element.get("rel") == "next"]
        if not following:
            break
        assert page.count == view.get("rows", verdict="cpu-limit").count
        page = view.get(following[0].split("/", 2)[2])
    assert sorted(found) == [number for number, row in enumerate(known) if row.verdict == "cpu-limit"]
    if sort == "last":
        assert found == sorted(found, reverse=True)
    if sort == "function":
        names = [known[number].function for number in found]
        assert names == sorted(names)


def test_the_slowest_come_first(view: View) -> None:
    cells = [said(row[-1]) for row in view.get("rows", sort="time").all("tr") if len(row) == 7][1:]
    times = [float(cell) for cell in cells]
    assert times == sorted(times, reverse=True)
    assert times[0] > 0.9


def test_a_row_leads_to_the_next_one_of_the_list(view: View, known: list[Known]) -> None:
    page = view.get("rows", verdict="no-answer", page=2)
    numbers = page.rows()
    link = next(link for link in page.links() if f"/row/{numbers[0]}?" in link)
    back = ""
    for number in numbers[:3]:
        row = view.get(link.split("/", 2)[2])
        assert f"Row {number:032x}." in row.text
        link, back = row.link("Next"), row.link("Back to the list")
    assert view.get(back.split("/", 2)[2]).rows() == numbers


def test_the_overview_counts_what_the_file_holds(real: tuple[View, Path]) -> None:
    view, output = real
    rows = read_rows(output)
    page = view.get()
    accepted = sum(row["verdict"] == "accepted" for row in rows)
    assert f">{accepted}</span> of {len(rows)} right" in page.text
    names = {"o": "output", "i": "input"}
    for (word, direction), count in Counter((row["verdict"], names[row["io_pred"]]) for row in rows).items():
        link = next(link for link in page.links() if f"verdict={word}" in link and f"direction={direction}" in link)
        listed = view.get(link.split("/", 2)[2])
        assert listed.count == count
        assert (
            listed.rows()
            == [n for n, row in enumerate(rows) if (row["verdict"], names[row["io_pred"]]) == (word, direction)][:50]
        )


def test_missing_modules_lead_to_the_rows_that_lack_them(tmp_path: Path) -> None:
    with viewing(verify_without_modules(tmp_path)) as view:
        page = view.get()
        assert page.faults == []
        assert "#missing" in page.links()
        for module, numbers in (("no_such_module_a", [0, 1]), ("<b>x</b>", [2])):
            assert view.get(page.link(module).split("/", 2)[2]).rows() == numbers


def test_a_row_shows_both_sides_with_the_place_that_differs(real: tuple[View, Path]) -> None:
    view, output = real
    rows = read_rows(output)
    marked: list[str] = []
    for number, row in enumerate(rows):
        if row["verdict"] != "wrong-answer" or row["io_pred"] != "o":
            continue
        page = view.get(f"row/{number}")
        shown = [said(element) for element in page.all("pre")]
        assert row["output"].split()[0] in shown[3]
        assert row["messages"][-1]["content"][:200] in shown[2]
        assert row["res"]["message"].split(":")[0] in page.text.replace("&#34;", '"')
        assert "def " in shown[4]
        marked += [said(element) for element in page.all("mark")]
    assert len(marked) > 10


def test_the_raw_file_of_what_was_left_out_is_shown(view: View) -> None:
    page = view.get("rows", reason="the response is missing")
    assert page.count == 40
    assert "raw/1.py (in.jsonl, line 2)" in page.text
    row = view.get(f"row/{page.rows()[0]}")
    assert "Raw file: raw/1.py (in.jsonl, line 2)" in row.text
    assert "left 1" in row.text


def test_pages_are_html_without_a_fault_and_without_a_script(view: View, real: tuple[View, Path]) -> None:
    shown = [view.get("rows", text="N7", sort="time"), view.get("row/3001")]
    shown += [each.get(path) for each in (view, real[0]) for path in ("", "rows", "row/0", "row/1")]
    for page in shown:
        assert page.faults == []
        for element in page.all():
            assert element.tag not in ("script", "style", "iframe", "img")
            assert not [name for name in element.attrib if name.startswith("on") or name == "style"]


def test_every_control_can_be_reached_by_keys_and_has_a_name(view: View) -> None:
    page = view.get("rows")
    controls = [element for tag in ("input", "select", "button", "a") for element in page.all(tag)]
    assert len(controls) > 60
    assert not [element for element in controls if element.get("tabindex") or element.get("type") == "hidden"]
    labelled = [inner for label in page.all("label") for inner in label.iter() if inner.tag in ("input", "select")]
    assert {id(element) for tag in ("input", "select") for element in page.all(tag)} == {id(element) for element in labelled}


@pytest.mark.parametrize("query", [
    {"page": "-1"}, {"page": "x"}, {"page": "9" * 400}, {"sort": "n; drop table rows"}, {"verdict": "' or 1=1 --"},
    {"text": "\x00\ud83d"}, {"text": "x" * 20_000}, {"function": "%"}, {"reason": "\U0001f600"}, {"at": "9" * 30},
    {"text": "( [ \\ *"},
])  # fmt: skip
def test_no_question_breaks_a_page(view: View, query: dict[str, str]) -> None:
    query = {name: value.encode("utf-8", "replace").decode() for name, value in query.items()}
    assert len(view.get("rows", **query).rows()) <= 50
    view.get("row/0", **query)


@pytest.mark.parametrize("page", ["row/999999", "row/x", "nothing", "../", "row/99999999999999999999"])
def test_what_is_not_there_is_said(view: View, page: str) -> None:
    answer = view.client.get(f"{view.address}{page}")
    assert answer.status_code == 404
    assert "Traceback" not in answer.text
