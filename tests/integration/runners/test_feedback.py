"""Feedback: every verdict word has a text on every side where it occurs, also in a user's own template file."""

from pathlib import Path

import pytest

from reexec.engine.errors import UsageError
from reexec.engine.judging.compare import Comparison
from reexec.engine.judging.verdict import VERDICT_WORDS, Verdict, VerdictWord
from reexec.engine.outcome import Outcome, OutcomeKind, RaisedException
from reexec.runners.rows.text import MAX_QUOTED_CHARACTERS, quoted
from reexec.runners.stages.verify.feedback import FEEDBACK_FILE, feedback_text, status_of
from reexec.runners.texts import Texts
from tests.support.helpers import function_row, read_rows, reexec, response, write_rows

DEFAULT = FEEDBACK_FILE.load()
OURS = DEFAULT.path.read_text()
UNEQUAL = Comparison(False, "$[1]", "other")


def text(texts: Texts, verdict: Verdict, side: str, **more: object) -> str:
    arguments = {"predicted": {"n": 1}, "expected": [1, 2], "limit": 5.0} | more
    return feedback_text(texts, verdict, side, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("word", VERDICT_WORDS)
def test_every_word_has_a_text_for_inputs(word: VerdictWord) -> None:
    kind: OutcomeKind = "exception" if word == "runtime-error" else "value"
    outcome = Outcome(kind, [1, 3], RaisedException("KeyError", "'x'"), "some detail")
    said = text(DEFAULT, Verdict(word, outcome, UNEQUAL), "i")
    assert len(said) > 20
    assert "{" not in said.replace('{"n": 1}', "").replace('{"input": {...}}', "")


@pytest.mark.parametrize("word", ["accepted", "wrong-answer", "no-answer"])
def test_every_word_that_occurs_for_outputs_has_a_text(word: VerdictWord) -> None:
    assert len(text(DEFAULT, Verdict(word, None, UNEQUAL), "o", detail="no JSON object")) > 20


def test_the_text_says_what_was_wrong_and_what_the_program_really_returned() -> None:
    wrong = text(DEFAULT, Verdict("wrong-answer", Outcome("value", [1, 3]), UNEQUAL), "i")
    for part in ('{"n": 1}', "[1, 3]", "[1, 2]", "$[1]"):
        assert part in wrong
    raised = Outcome("exception", None, RaisedException("KeyError", "'x'"))
    error = text(DEFAULT, Verdict("runtime-error", raised), "i")
    assert "KeyError" in error
    assert "'x'" in error
    assert "5 seconds" in text(DEFAULT, Verdict("cpu-limit", Outcome("cpu-limit")), "i")


def test_whoever_predicts_an_output_is_not_told_the_right_one() -> None:
    """The next turn asks for it again."""
    said = text(DEFAULT, Verdict("wrong-answer", None, UNEQUAL), "o", predicted=[9, 9], expected="the marker")
    assert "[9, 9]" in said
    assert "the marker" not in said


def test_a_value_that_varies_is_not_quoted() -> None:
    said = text(DEFAULT, Verdict("wrong-answer", Outcome("value", 0.123456), UNEQUAL), "i", varying=True)
    assert "0.123456" not in said


def test_long_values_are_cut_in_the_middle() -> None:
    cut = quoted("x" * 10_000)
    assert len(cut) < MAX_QUOTED_CHARACTERS + 50
    assert "characters left out" in cut
    assert quoted(10**5000).startswith("1000")
    assert quoted("x" * 100) == f'"{"x" * 100}"'


@pytest.mark.parametrize(
    ("word", "side", "status"),
    [
        ("accepted", "o", "success"), ("accepted", "i", "success"), ("wrong-answer", "o", "failed"),
        ("wrong-answer", "i", "AssertionError"), ("no-answer", "o", "no answer"), ("runtime-error", "i", "exception"),
        ("cpu-limit", "i", "timeout"), ("wall-limit", "i", "timeout"), ("memory-limit", "i", "exception"),
        ("engine-error", "i", "error"),
    ],
)  # fmt: skip
def test_the_status_words_of_the_original_files(word: str, side: str, status: str) -> None:
    assert status_of(word, side) == status


# -- the user's own template ----------------------------------------------------------------------------------


def own(tmp_path: Path, template: str) -> Path:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "feedback.toml").write_text(template)
    return folder


def test_a_users_template_replaces_ours(tmp_path: Path) -> None:
    folder = own(tmp_path, OURS.replace("The predicted output is right.", "Yes: {predicted} {{really}}"))
    assert text(FEEDBACK_FILE.load(folder), Verdict("accepted"), "o", predicted=7) == "Yes: 7 {really}"
    functions = write_rows(tmp_path / "f.jsonl", [function_row("def f(n):\n    return n\n", ({"n": 1}, 1))])
    rows = write_rows(tmp_path / "r.jsonl", [response(0, 0, 1)])
    command: list[str | Path] = ["verify", rows, "-f", functions, "-o", tmp_path / "v.jsonl", "--templates", folder]
    assert reexec(*command).code == 0
    assert read_rows(tmp_path / "v.jsonl")[0]["res"]["message"] == "Yes: 1 {really}"
    assert "templates" in reexec(*command[:-2]).one_line(), "another template is another run"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        (OURS.replace('cpu-limit = "', 'x = "'), r"expected a string, at \$\.input\.cpu-limit"),
        (OURS.replace("[input]", "[other]"), r"at \$\.input\.accepted"),
        (OURS.replace("{exception}", "{exeption}"), r"\{exeption\} is not a placeholder, at \$\.input\.runtime-error"),
        (OURS.replace("is right.", "is right {"), r"at \$\.output\.accepted"),
        (OURS.replace("is right.", "is {} right"), r"at \$\.output\.accepted"),
        (OURS.replace('"The predicted output is right."', "3"), r"at \$\.output\.accepted"),
        ("output = 3\ninput = 4\n", r"at \$\.output\.accepted"),
        ("[output", "cannot be read as TOML"),
        ("", r"at \$\.output\.accepted"),
    ],
    ids=["word", "side", "placeholder", "brace", "position", "number", "no tables", "no TOML", "empty"],
)
def test_a_template_that_lacks_something_is_refused_before_the_run(template: str, says: str, tmp_path: Path) -> None:
    assert template != OURS
    with pytest.raises(UsageError, match=rf"feedback\.toml: .*{says}"):
        FEEDBACK_FILE.load(own(tmp_path, template))


def test_a_folder_with_other_templates_means_ours_and_one_without_any_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no template; the files that can be replaced are .*feedback\.toml"):
        FEEDBACK_FILE.load(tmp_path)
    (tmp_path / "revise.toml").write_text("")
    assert FEEDBACK_FILE.load(tmp_path).digest == DEFAULT.digest
    with pytest.raises(UsageError, match="not a folder of templates"):
        FEEDBACK_FILE.load(tmp_path / "none")
