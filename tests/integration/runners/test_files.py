"""JSON Lines files: text that stays exact, sources that break off or hold too long lines, sinks that are whole after a cut."""

import gzip
import json
import os
from pathlib import Path

import pytest
import zstandard

from reexec.engine.errors import UsageError
from reexec.runners.rows.documents import OutputError
from reexec.runners.rows.sink import Sink
from reexec.runners.rows.source import MAX_LINE_BYTES, read_lines
from reexec.runners.rows.text import BadRowError, canonical, dump, parse_row, splice

DIGITS = "7" * 5000


def packed(path: Path, data: bytes) -> bytes:
    if path.suffix == ".gz":
        return gzip.compress(data)
    return zstandard.ZstdCompressor().compress(data) if path.suffix == ".zst" else data


def unpacked(path: Path, size: int) -> bytes:
    """The first `size` bytes of a file, as a tool reads them that knows nothing of us."""
    data = path.read_bytes()[:size]
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix == ".zst":
        return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).readall()
    return data


# -- text -----------------------------------------------------------------------------------------------------


def test_integers_of_any_length_stay_integers() -> None:
    row = parse_row(f'{{"n": -{DIGITS}, "é": "\u4e2d"}}'.encode())
    assert type(row["n"]) is int
    assert row["n"] == -7 * (10**5000 - 1) // 9
    assert row["é"] == "\u4e2d"
    assert dump(row) == f'{{"n": -{DIGITS}, "\\u00e9": "\\u4e2d"}}'
    assert canonical({"b": row["n"], "a": 1}) == f'{{"a":1,"b":-{DIGITS}}}'.encode()


def test_lone_surrogates_and_nan_survive() -> None:
    line = rb'{"t": "\ud800", "x": [NaN, -Infinity, 1e400, 1.0, -0.0]}'
    assert dump(parse_row(line)).encode() == line.replace(b"1e400", b"Infinity")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a": 1} x', "not JSON"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
        (b"null", "got null"),
        (b'"text"', "got a string"),
        (b"1.5", "got a number"),
        (b'{"a":' * 100_000, "nested deeper than"),
        (b'{"n": ' + b"1" * 200_000 + b"}", "digits"),
    ],
)
def test_what_is_no_row_says_why(line: bytes, says: str) -> None:
    with pytest.raises(BadRowError, match=says):
        parse_row(line)


@pytest.mark.parametrize(
    "line",
    [
        b'{"b":1,  "a" : 1.50,"z":1E5}',
        f'{{"n": {DIGITS}, "t": "\\ud800\\u00E9/\\/"}}'.encode(),
        '{"é": "\u4e2d\\t"}'.encode(),
        b'{"a": {"verdict": 1}, "c": [ ] }  ',
        b'{"a": 1, "a": 2}',
        b'{"a": "}" }',
    ],
)
def test_splicing_keeps_bytes_spelling_and_order_of_the_row(line: bytes) -> None:
    spliced = splice(line, parse_row(line), {"verdict": "accepted", "id": "\ud800"})
    assert spliced.startswith(line.rstrip()[:-1].rstrip())
    row = parse_row(spliced)
    assert (row.pop("verdict"), row.pop("id")) == ("accepted", "\ud800")
    assert row == parse_row(line)


def test_a_member_that_is_there_already_is_written_anew_and_once() -> None:
    line = b'{"verdict": "old", "a": 1}'
    assert splice(line, parse_row(line), {"verdict": "new"}) == b'{"a": 1, "verdict": "new"}'
    assert splice(b"{}", {}, {"a": 1}) == b'{"a": 1}'


# -- sources --------------------------------------------------------------------------------------------------

SUFFIXES = [".jsonl", ".jsonl.gz", ".jsonl.zst"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_lines_come_with_their_numbers_without_blank_ones(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"f{suffix}"
    path.write_bytes(packed(path, b"a\n\n  \nb\r\n") + packed(path, b"c\nlast"))
    assert list(read_lines(path)) == [(1, b"a"), (4, b"b"), (5, b"c"), (6, b"last")]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_overlong_line_keeps_its_number_and_its_neighbours(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"f{suffix}"
    longest = b"y" * (MAX_LINE_BYTES - 1)
    overlong = [b"x" * (MAX_LINE_BYTES + extra) for extra in (1, MAX_LINE_BYTES, 2 * MAX_LINE_BYTES + 3)]
    path.write_bytes(packed(path, b"\n".join([b"a", *overlong, b"b", longest, b"c", overlong[0]])))
    empty = [(2, b""), (3, b""), (4, b"")]
    assert list(read_lines(path)) == [(1, b"a"), *empty, (5, b"b"), (6, longest), (7, b"c"), (8, b"")]


@pytest.mark.parametrize("suffix", SUFFIXES[1:])
def test_a_truncated_file_gives_its_lines_and_then_says_where_it_breaks_off(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"f{suffix}"
    random = os.urandom(3000).hex().encode()
    path.write_bytes((packed(path, b"a\nb\n") + packed(path, random + b"\nz\n"))[:-20])
    lines = read_lines(path)
    assert [next(lines), next(lines)] == [(1, b"a"), (2, b"b")]
    with pytest.raises(UsageError, match=rf"{path}, line \d: the file breaks off"):
        list(lines)


@pytest.mark.parametrize("suffix", SUFFIXES[1:])
@pytest.mark.parametrize("data", [b"plain text\n", b"\x1f\x8b\x08\x00rubbish", b"\x28\xb5\x2f\xfdrubbish" * 9])
def test_what_is_not_compressed_as_its_name_says_is_refused(suffix: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"f{suffix}"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"line 1: the file breaks off|: is not compressed by gzip"):
        list(read_lines(path))


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        path = tmp_path / f"f{suffix}"
        path.write_bytes(b"")
        assert list(read_lines(path)) == []


# -- sinks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_cut_at_any_flush_is_whole_and_goes_on(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"f{suffix}"
    sink = Sink(path)
    sizes = []
    for number in range(5):
        sink.write(f"line {number}".encode())
        sink.write(b"{}")
        sizes.append(sink.flush())
    assert sink.flush() == sizes[-1] == path.stat().st_size
    sink.close()
    for count, size in enumerate(sizes, 1):
        assert unpacked(path, size) == b"".join(b"line %d\n{}\n" % number for number in range(count))

    with open(path, "ab") as file:
        file.write(b"half of a li")
    sink = Sink(path, sizes[1])
    sink.write(b"after")
    sink.flush()
    sink.close()
    assert unpacked(path, path.stat().st_size) == b"line 0\n{}\nline 1\n{}\nafter\n"


def test_lines_that_are_not_flushed_are_not_written(tmp_path: Path) -> None:
    sink = Sink(tmp_path / "f.jsonl")
    sink.write(b"x")
    sink.close()
    assert (tmp_path / "f.jsonl").read_bytes() == b""


def test_a_sink_that_cannot_be_opened_or_written_says_its_path(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"no/such/f\.jsonl: cannot be written"):
        Sink(Path("no/such/f.jsonl"))
    full = Sink.__new__(Sink)
    full.path, full._lines, full._compress, full._size = Path("/dev/full"), [], None, 0
    full._fd = os.open("/dev/full", os.O_WRONLY)
    full.write(b"x")
    for _ in range(2):
        with pytest.raises(OutputError, match=r"/dev/full: cannot be written \(no space left on device\)"):
            full.flush()
    full.close()


def test_reading_back_what_was_written(tmp_path: Path) -> None:
    rows = [{"n": int("9" * 4000), "t": "\ud800\n", "x": [None, True, 0.1]}, {"é": {}}]
    for suffix in SUFFIXES:
        sink = Sink(tmp_path / f"f{suffix}")
        for row in rows:
            sink.write(dump(row).encode())
        sink.flush()
        sink.close()
        assert [parse_row(line) for _, line in read_lines(sink.path)] == rows
        assert json.loads(dump(rows[1])) == rows[1]
