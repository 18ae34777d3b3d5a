"""Data of the user's own: fields under other names, arguments by position, byte-order marks, numbers as tables spell them."""

import json
from pathlib import Path
from typing import Any

import pytest

from reexec.engine.errors import UsageError
from reexec.runners.pipeline.config import load_config
from reexec.runners.records.arguments import by_name
from reexec.runners.records.functions import parse_function
from reexec.runners.rows.names import check_theirs, likely_cause, parse_names
from reexec.runners.rows.text import BadRowError
from reexec.runners.stages.infer.settings import InferSettings
from reexec.runners.stages.revise import revise
from reexec.runners.stages.transform import transform
from tests.support.helpers import Row, function_row, read_rows, reexec, response, write_rows
from tests.support.pipeline import functions, record_answers

ADD = "def f(a, b=0):\n    return a + b\n"


def verify(folder: Path, rows: list[Any], *more: str, source: Row | None = None) -> tuple[Any, list[Row]]:
    write_rows(folder / "functions.jsonl", [source or function_row(ADD, ({"a": 1, "b": 2}, 3))])
    responses = write_rows(folder / "r.jsonl", rows)
    done = reexec("verify", responses, "-f", folder / "functions.jsonl", "-o", folder / "v.jsonl", "-w", "1", "--json", *more)
    return done, read_rows(folder / "v.jsonl") if (folder / "v.jsonl").exists() else []


# -- ids ------------------------------------------------------------------------------------------------------


def test_samples_without_ids_that_say_the_same_get_ids_of_their_own(tmp_path: Path) -> None:
    same = {**response(0, 0, 4), "messages": [{"role": "user", "content": "q"}]}
    numbered = [{**same, "index": 1}] * 2
    done, rows = verify(tmp_path, [same, same, {**same, "id": ""}, *numbered, {**same, "id": None}])
    assert (done.code, len({row["id"] for row in rows})) == (0, 6)
    assert reexec("revise", tmp_path / "v.jsonl", "-o", tmp_path / "m2.jsonl").code == 0
    assert len({row["id"] for row in read_rows(tmp_path / "m2.jsonl")}) == 6
    shown = reexec("explain", tmp_path / "v.jsonl", rows[3]["id"], "--no-run")
    assert (shown.code, "wrong-answer" in shown.out) == (0, True), shown.err
    # What has ids keeps them, and a row that would get one of them gets another.
    (tmp_path / "again").mkdir()
    again, more = verify(tmp_path / "again", [*rows, same])
    assert (again.code, [row["id"] for row in more[:6]]) == (0, [row["id"] for row in rows])
    assert len({row["id"] for row in more}) == 7


def test_an_id_is_the_same_one_however_it_is_spelled(tmp_path: Path) -> None:
    done, rows = verify(tmp_path, [{**response(0, 0, 3), "id": given} for given in (7, 7.0, "7")])
    assert (done.code, len(rows)) == (1, 1)
    assert "repeats the id of line 1" in done.err


def test_the_usage_of_a_row_goes_by_the_rows_own_id(tmp_path: Path) -> None:
    rows = [{**response(0, 0, 3), "id": "mine", "index": index} for index in range(2)]
    verify(tmp_path, [*rows, response(0, 0, 3)], "--usage", str(tmp_path / "u.jsonl"))
    used, verified = read_rows(tmp_path / "u.jsonl"), read_rows(tmp_path / "v.jsonl")
    assert [(row["id"], row.get("index")) for row in used] == [(row["id"], row.get("index")) for row in verified]


# -- names ----------------------------------------------------------------------------------------------------


def test_fields_under_other_names_are_mapped_and_kept(tmp_path: Path) -> None:
    theirs = {"uid": 7, "choices": [{"text": '{"output": 3}'}], "fn": 0, "case": 0.0, "what": "o"}
    mapped = ("output=choices.0.text", "id=uid", "itemid=fn", "ioid=case", "io_pred=what")
    done, rows = verify(tmp_path, [theirs], *(part for name in mapped for part in ("--map", name)))
    assert done.code == 0, done.err
    (row,) = rows
    assert (row["verdict"], row["id"], row["uid"]) == ("accepted", 7, 7)
    assert row["choices"] == theirs["choices"], "the row keeps its own fields"


def test_a_mapped_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    rows = [{"completion": '{"output": 3}', "itemid": 0, "ioid": 0, "io_pred": "o", "index": n} for n in range(4)]
    first, whole = verify(tmp_path, rows, "--map", "output=completion")
    again, same = verify(tmp_path, rows, "--map", "output=completion")
    assert (first.code, again.code, again.summary["resumed_rows"], same) == (0, 0, 4, whole)
    other = verify(tmp_path, rows, "--map", "output=itemid")[0]
    assert "was made with another --map" in other.one_line()


def test_where_no_row_can_be_used_the_likely_cause_is_told(tmp_path: Path) -> None:
    row = {"completion": '{"output": 3}', "itemid": 0, "ioid": 0, "io_pred": "o"}
    done, _ = verify(tmp_path, [row, row])
    assert done.code == 2
    assert "no row could be used, 2 were rejected" in done.err
    assert "rows have `completion`, not `output`: use --map output=completion" in done.err
    for command in (["transform", "r.jsonl", "-o", "x.jsonl"], ["generate", "r.jsonl", "-o", "y.jsonl"]):
        told = reexec(*command, cwd=tmp_path)
        assert told.code == 2
        assert "--map" in told.err
        assert "rows/s" not in told.out


OF_FUNCTIONS = "its function cannot be used: f.jsonl, line 1:"
WRITES = "--map refcode=YOURS -o REPORT --keep NEW` writes functions under the names that are read here"


@pytest.mark.parametrize(
    ("row", "reason", "said"),
    [
        ({"code": "x"}, "expected a string, got null, at $.content", "rows have `code`, not `content`: use --map content=code"),
        ({"outputs": "x"}, "missing, at $.output", "rows have `outputs`, not `output`: use --map output=outputs"),
        ({"a": 1, "b": 2}, "at $.output", "rows have a, b, and no `output`: --map output=YOURS says which of them it is"),
        ({"output": 3}, "expected a string, got a number, at $.output", ""),
        ({}, "missing, at $.output", ""),
        ({"output": "x"}, "it has no verdict, at $.verdict", "rows get their `verdict` from `reexec verify`"),
        ({"judgement": "x", "verdicts": []}, "at $.verdict", "rows have `verdicts`, not `verdict`: use --map verdict=verdicts"),
        ({}, f"{OF_FUNCTIONS} refcode: expected a string, got null, at $.refcode", f"`reexec audit f.jsonl {WRITES}"),
        ({}, f"{OF_FUNCTIONS} ios: expected an array of pairs, got a string, at $.ios", ""),
    ],
)  # fmt: skip
def test_the_likely_cause(row: Row, reason: str, said: str) -> None:
    assert likely_cause(reason, json.dumps(row)) == said


@pytest.mark.parametrize("text", ["output", "=x", "output=", ""])
def test_a_map_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="OURS=YOURS"):
        parse_names([text])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("outptu=completion", "--map outptu=completion: unknown field 'outptu', did you mean 'output'?"),
        ("content=completion", "unknown field 'content', known fields: output, id, index"),
        ("output=completoin", "no row of r.jsonl has `completoin`; rows have completion, itemid"),
        ("id=choices.0.id", "no row of r.jsonl has `choices.0.id`"),
    ],
)
def test_a_name_that_nobody_knows_is_refused_with_those_that_exist(name: str, said: str, tmp_path: Path) -> None:
    write_rows(tmp_path / "r.jsonl", [{"completion": "x", "itemid": 0}, {"completion": "y", "more": 1}])
    write_rows(tmp_path / "f.jsonl", [function_row(ADD, ({"a": 1}, 1))])
    done = reexec("verify", "r.jsonl", "-f", "f.jsonl", "-o", "v.jsonl", "--map", name, cwd=tmp_path)
    assert done.code == 2
    assert said in done.one_line()
    assert not (tmp_path / "v.jsonl").exists()


def test_every_command_that_maps_refuses_unknown_names(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "r.jsonl", [{"a": 1}])
    simple = [(name,) for name in ("generate", "prompts", "audit", "revise", "assemble")]
    for name, *more in [*simple, ("infer", "--model", "m", "--replay", rows), ("export", "--to", "openai-messages")]:
        done = reexec(name, rows, "-o", tmp_path / "out", *more, "--map", "nonsense=a")
        assert (done.code, "unknown field 'nonsense'" in done.one_line()) == (2, True), name
    assert "no row of" in reexec("transform", rows, "-o", tmp_path / "out", "--map", "content=b").one_line()
    assert (
        reexec("export", rows, "-o", tmp_path / "out", "--to", "openai-messages", "--map", "turn_12=b")
        .one_line()
        .count("no row of")
    )


def test_a_long_file_whose_first_rows_lack_a_name_is_read_all_the_same(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "r.jsonl", [*({"a": 1} for _ in range(1000)), {"b": 2}])
    assert check_theirs(parse_names(["output=b"]), rows).startswith("--map output=b: none of the first 1,000 rows")
    assert check_theirs(parse_names(["output=a"]), rows) == ""


@pytest.mark.parametrize(
    ("source", "name"), [("raw", "contnet"), ("unified", "outptu"), ("functions", "refcod"), ("functions", "output")]
)
def test_a_pipelines_map_names_fields_of_its_source(source: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(f'folder = "run"\n{source} = "x.jsonl"\nmap = {{ {name} = "a" }}\n[infer]\nreplay = "y"\n')
    if source == "raw":  # the other fields of raw code are its provenance, whatever their names
        assert load_config(tmp_path / "p.toml").map == {name: "a"}
        return
    with pytest.raises(UsageError, match=rf"unknown field '{name}', .* at \$\.map\.{name}"):
        load_config(tmp_path / "p.toml")


def test_a_pipeline_maps_the_fields_of_its_source(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "theirs.jsonl", functions(2))
    record_answers(source, tmp_path / "answers.jsonl")
    write_rows(source, [{**{k: v for k, v in row.items() if k != "refcode"}, "code": row["refcode"]} for row in functions(2)])
    (tmp_path / "p.toml").write_text(
        'folder = "run"\nfunctions = "theirs.jsonl"\nturns = 1\nmap = { refcode = "code" }\n'
        'set = ["limits.cpu_s=1"]\n[infer]\nreplay = "answers.jsonl"\n'
    )
    done = reexec("pipeline", tmp_path / "p.toml", "-w", "1", "--json")
    assert done.summary["funnel"]["functions"] == 2, done.err


# -- arguments by position ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "args", "named"),
    [
        ("def f(a, b): ...", [1, 2], {"a": 1, "b": 2}),
        ("def f(a, b=3): ...", [1], {"a": 1}),
        ("def f(a, *, c=1): ...", [[1, 2]], {"a": [1, 2]}),
        ("async def f(a): ...", [1], {"a": 1}),
        ("def f(): ...", [], {}),
        ("def f(x): ...\ndef f(a): ...", [1], {"a": 1}),
        ("def f(a): ...", [1, 2], None),
        ("def f(a, b): ...", [1], None),
        ("def f(*a): ...", [1], None),
        ("def f(a, /): ...", [1], None),
        ("def f(a, *, c): ...", [1], None),
        ("@cache\ndef f(a): ...", [1], None),
        ("f = lambda a: a", [1], None),
        ("def f(a: ...", [1], None),
    ],
)
def test_positional_arguments_get_names_where_the_signature_has_them(source: str, args: list[Any], named: Any) -> None:
    assert by_name(source, "f", args) == named


def test_pairs_with_positional_arguments_are_the_same_pairs_as_with_named_ones() -> None:
    def pair(**given: Any) -> Any:
        return parse_function({"refcode": ADD, "funcname": "f", "ios": [{**given, "output": 3}]}, 0, 1).pairs[0]

    named = pair(input={"a": 1, "b": 2})
    assert pair(args=[1, 2]) == pair(input=[1, 2]) == pair(args=[1], kwargs={"b": 2}) == named
    for wrong in ({"args": [1, 2, 3]}, {"args": 3}, {"args": [1], "kwargs": {"a": 1}}, {"input": "x"}, {}):
        with pytest.raises(BadRowError, match=r"at \$\.ios\[0\]"):
            pair(**wrong)


def test_a_predicted_list_of_arguments_is_taken_where_it_fits_the_signature(tmp_path: Path) -> None:
    rows = [
        response(0, 0, None, "i", output=f'{{"input": {text}}}', index=n)
        for n, text in enumerate(["[1, 2]", "[3]", "[1, 2, 3]"])
    ]
    source = {"refcode": ADD, "funcname": "f", "ios": [{"args": [1, 2], "output": 3}]}
    _, verified = verify(tmp_path, rows, source=source)
    assert [row["verdict"] for row in verified] == ["accepted", "accepted", "no-answer"]


# -- bytes and numbers ----------------------------------------------------------------------------------------


def test_byte_order_marks_say_nothing(tmp_path: Path) -> None:
    row = json.dumps(response(0, 0, 3)).encode()
    other = json.dumps(response(0, 0, 3, index=1)).encode()
    done, rows = verify(tmp_path, [b"\xef\xbb\xbf" + row, b"\xef\xbb\xbf" + other])
    assert (done.code, [one["verdict"] for one in rows]) == (0, ["accepted"] * 2)
    assert not (tmp_path / "v.jsonl").read_bytes().startswith(b"\xef\xbb\xbf")
    functions_file = tmp_path / "functions.jsonl"
    functions_file.write_bytes(b"\xef\xbb\xbf" + functions_file.read_bytes())
    again = reexec("verify", tmp_path / "r.jsonl", "-f", functions_file, "-o", tmp_path / "w.jsonl", "-w", "1")
    assert again.code == 0, again.err


def test_another_encoding_is_refused_with_one_line(tmp_path: Path) -> None:
    write_rows(tmp_path / "functions.jsonl", [function_row(ADD, ({"a": 1}, 1))])
    (tmp_path / "r.jsonl").write_text(json.dumps(response(0, 0, 1)) + "\n", encoding="utf-16")
    done = reexec("verify", tmp_path / "r.jsonl", "-f", tmp_path / "functions.jsonl", "-o", tmp_path / "v.jsonl", "-w", "1")
    assert done.code == 2
    assert "r.jsonl: UTF-16 text; JSON Lines are UTF-8" in done.one_line()


def test_ids_that_a_table_library_made_floats_of_tie_the_turns_together(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "q"}]
    wrong, rows = verify(tmp_path, [{**response(0, 0, 4), "itemid": 0.0, "ioid": 0.0, "id": 7.0, "messages": messages}])
    assert (wrong.code, rows[0]["verdict"]) == (0, "wrong-answer")
    assert reexec("revise", tmp_path / "v.jsonl", "-o", tmp_path / "m2.jsonl").code == 0
    (again,) = read_rows(tmp_path / "m2.jsonl")
    second = {**again, "output": '{"output": 3}'}
    write_rows(tmp_path / "r2.jsonl", [second])
    out = tmp_path / "v2.jsonl"
    assert reexec("verify", tmp_path / "r2.jsonl", "-f", tmp_path / "functions.jsonl", "-o", out, "-w", "1").code == 0
    done = reexec("assemble", tmp_path / "v.jsonl", tmp_path / "v2.jsonl", "-o", tmp_path / "final.jsonl", "--json")
    assert done.code == 0
    (final,) = read_rows(tmp_path / "final.jsonl")
    assert (final["id"], final["verdicts"]) == (7, ["wrong-answer", "accepted"])


def test_a_recording_is_found_by_its_ids_however_they_are_spelled(tmp_path: Path) -> None:
    from reexec.runners.stages.infer.stage import infer

    ids: list[tuple[Any, Any]] = [(7, "7"), ("8", 8.0), (9.0, 9), ("a", "a")]
    asked = [{"id": given, "messages": [{"role": "user", "content": "q"}]} for given, _ in ids]
    known = [{"id": given, "index": 0.0, "output": f"reply {given}"} for _, given in ids]
    infer(
        write_rows(tmp_path / "m.jsonl", asked),
        tmp_path / "r.jsonl",
        InferSettings(replay=write_rows(tmp_path / "known.jsonl", known)),
    )
    assert [row["output"] for row in read_rows(tmp_path / "r.jsonl")] == ["reply 7", "reply 8.0", "reply 9", "reply a"]


def test_an_output_of_another_command_is_named(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "raw.jsonl", [{"content": "x = 1"}])
    out = tmp_path / "out.jsonl"
    transform(rows, out)
    with pytest.raises(UsageError, match=r"out\.jsonl: is an output of `reexec transform`; --overwrite"):
        revise(rows, out)


@pytest.mark.parametrize("bad", [1.5, True, "0", None, [0]])
def test_positions_that_are_no_whole_numbers_are_refused_with_their_place(bad: Any, tmp_path: Path) -> None:
    done, _ = verify(tmp_path, [{**response(0, 0, 3), "itemid": bad}])
    assert done.code == 2
    assert "itemid: expected an integer" in done.err


@pytest.mark.parametrize("command", ["transform", "revise", "assemble", "prompts"])
def test_dash_is_refused_and_makes_no_file(command: str, tmp_path: Path) -> None:
    write_rows(tmp_path / "in.jsonl", [{}])
    done = reexec(command, "in.jsonl", "-o", "-", cwd=tmp_path)
    assert done.code == 2
    assert "an output is a file" in done.one_line()
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]
