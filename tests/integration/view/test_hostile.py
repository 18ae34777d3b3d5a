"""What models wrote is text in every page, also as names of files, functions and ids: never markup, never hidden."""

import json
from collections.abc import Iterator

import pytest

from reexec.runners.visible import UNSAFE
from tests.integration.reports.test_report import HOSTILE
from tests.support.helpers import reexec, write_rows
from tests.support.viewing import Page, View, said, viewing

MORE = [
    *HOSTILE,
    "</title></head></form><form action=http://example.invalid><input name=x>",
    "'\"><a href=javascript:alert(1) accesskey=j autofocus onfocus=alert(1)>x</a>",
    "</option></select><select onchange=alert(1)>",
    "<plaintext>", "<![CDATA[", "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "a\u202eb\u2066c\u200bd\ufeffe\x00f\x9bg",
]  # fmt: skip
TAGS = {
    "html", "head", "meta", "title", "link", "body", "header", "h1", "h2", "h3", "a", "nav", "ul", "li", "main", "form",
    "label", "input", "select", "option", "datalist", "button", "table", "thead", "tbody", "tr", "th", "td", "p", "span",
    "div", "pre", "mark", "section", "details", "summary", "aside",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "name", "content", "rel", "href", "aria-label", "method", "action", "role", "class", "for", "id", "type",
    "autocomplete", "value", "list", "selected", "scope", "accesskey",
}  # fmt: skip


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    folder = tmp_path_factory.mktemp("hostile")
    functions = [{"refcode": f"def f(n):\n    return n\n# {text!r}", "funcname": "f", "problem_description": text,
                  "io_requirements": "", "ios": [{"input": {"n": text}, "output": text}]} for text in MORE]  # fmt: skip
    responses = [
        {"itemid": item, "ioid": 0, "io_pred": "oi"[item % 2], "messages": [{"role": "user", "content": text}], "id": text,
         "output": f"{text} {json.dumps({'output' if item % 2 == 0 else 'input': {text: text + '!'}})}"}
        for item, text in enumerate(MORE)
    ]  # fmt: skip
    left_out = [{"itemid": 99, "output": text, text: text, "provenance": {"path": text}} for text in MORE]
    write_rows(folder / "functions.jsonl", functions)
    write_rows(folder / "<b>.jsonl", [*responses, *left_out, *(f"{text} no JSON" for text in MORE if "\n" not in text)])
    output = folder / "<img src=x onerror=alert(1)>.jsonl"
    assert reexec("verify", folder / "<b>.jsonl", "-f", folder / "functions.jsonl", "-o", output).code == 1
    with open(output, "ab") as file:
        for text in MORE:
            file.write(
                json.dumps({"verdict": text, "io_pred": text, "function_id": text, "res": {"message": text}}).encode() + b"\n"
            )
            file.write(text.encode("utf-8", "replace") + b"\n")
    with viewing(output) as found:
        yield found


def is_harmless(page: Page, view: View) -> None:
    assert page.faults == []
    own = f"/{view.token}/"
    for element in page.all():
        assert element.tag in TAGS
        assert set(element.attrib) <= ATTRIBUTES, element.attrib
        assert element.get("href", own).startswith((own, "#"))
        assert element.get("action", own).startswith(own)
    assert len(page.all("title")) == len(page.all("body")) == 1
    assert not UNSAFE.search(page.text)


def test_no_page_has_other_elements_than_ours(view: View) -> None:
    is_harmless(view.get(), view)
    page = view.get("rows")
    is_harmless(page, view)
    assert page.count == 5 * len(MORE)
    for number in range(page.count):
        is_harmless(view.get(f"row/{number}"), view)


def test_every_text_is_there_as_it_was_written(view: View) -> None:
    for number, text in enumerate(MORE):
        shown = "\n".join(said(element) for element in view.get(f"row/{number}").all("pre"))
        assert as_shown(text) in shown


def as_shown(text: str) -> str:
    return UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


@pytest.mark.parametrize("text", MORE)
def test_what_a_reader_asks_for_is_text_too(view: View, text: str) -> None:
    page = view.get("rows", **dict.fromkeys(("text", "verdict", "direction", "stage", "function", "reason", "sort"), text))
    is_harmless(page, view)
    (field,) = (element for element in page.all("input") if element.get("name") == "text")
    assert field.get("value") == as_shown(text).strip()


def test_nothing_of_it_reaches_the_terminal(view: View) -> None:
    view.get("row/3")
    code, out, err = view.end()
    assert code == 0
    assert not UNSAFE.search(out + err)
    assert err.endswith("onerror=alert(1)>.jsonl has ended\n")
