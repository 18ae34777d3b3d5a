"""Test sets in the forms that data sets keep them: APPS and TACO, LiveCodeBench, and plain lists.

    {"inputs": [...], "outputs": [...], "fn_name"?: name}      as an object or as JSON text
    [{"input": ..., "output": ..., "testtype"?: "stdin" | "functional"}, ...], or as columns, {"input": [...], "output": [...]}
    public_test_cases and private_test_cases                   the latter as base64 of zlib of a pickled JSON text
    public_tests, private_tests, generated_tests               CodeContests: {"input": [...], "output": [...]} each

Nothing but such a text is ever unpickled: the reader knows no classes, and what it unpacks has a bound.
"""

import base64
import binascii
import io
import json
import pickle
import zlib
from dataclasses import dataclass
from typing import Any, Final, Never

MAX_UNPACKED_BYTES: Final = 1 << 30
_FIELDS: Final = ("input_output", "test_cases", "tests")
_CODE_CONTESTS: Final = ("public_tests", "private_tests", "generated_tests")


class BadTestsError(ValueError):
    """Tests that cannot be read; the message says why and where."""


@dataclass(frozen=True, slots=True)
class IoSet:
    """`inputs[i]` should give `outputs[i]`. With `function` they are arguments and a value, else text in and out."""

    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    function: str = ""


def read_tests(row: dict[str, Any]) -> IoSet | None:
    """The tests of a problem or of a sample that brings its own; None where it has none. Raises BadTestsError."""
    for name in _FIELDS:
        if row.get(name) not in (None, ""):  # APPS has a text without characters for no tests
            return _read(_unpacked(row[name], name), row, name)
    sets = [(name, row[name]) for name in _CODE_CONTESTS if isinstance(row.get(name), dict)]
    if sets:
        return _of_columns(sets)
    cases: list[Any] = []
    for name in ("public_test_cases", "private_test_cases"):
        if row.get(name):
            found = _unpacked(row[name], name)
            if not isinstance(found, list):
                raise BadTestsError(f"expected a list of tests, at $.{name}")
            cases += found
    return _read(cases, row, "public_test_cases") if cases else None


def _of_columns(sets: list[tuple[str, Any]]) -> IoSet:
    inputs: list[Any] = []
    outputs: list[Any] = []
    for name, columns in sets:
        given, wanted = columns.get("input"), columns.get("output")
        if not isinstance(given, list) or not isinstance(wanted, list) or len(given) != len(wanted):
            raise BadTestsError(f"expected as many texts in input as in output, at $.{name}")
        inputs += given
        outputs += wanted
    return IoSet(tuple(inputs), tuple(outputs))


def _read(found: Any, row: dict[str, Any], name: str) -> IoSet:
    if isinstance(found, list):
        if not all(isinstance(case, dict) and "input" in case and "output" in case for case in found):
            raise BadTestsError(f"expected tests with input and output, at $.{name}")
        kinds = {case.get("testtype") or "stdin" for case in found}
        if len(kinds) > 1:
            raise BadTestsError(f"tests of more than one testtype, at $.{name}")
        functional = kinds == {"functional"}
        function = _function_name(row) if functional else ""
        if functional and not function:
            raise BadTestsError("functional tests without the name of the function, at $.metadata.func_name")
        return IoSet(tuple(case["input"] for case in found), tuple(case["output"] for case in found), function)
    if not isinstance(found, dict):
        raise BadTestsError(f"expected an object with inputs and outputs, at $.{name}")
    # The library `datasets` makes columns of a list of objects.
    inputs, outputs = (found.get(f"{one}s", found.get(one)) for one in ("input", "output"))
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise BadTestsError(f"expected as many inputs as outputs, at $.{name}")
    function = found.get("fn_name") or _function_name(row)
    if not isinstance(function, str):
        raise BadTestsError(f"expected a name, at $.{name}.fn_name")
    return IoSet(tuple(inputs), tuple(outputs), function)


def _function_name(row: dict[str, Any]) -> str:
    metadata = row.get("metadata")
    if isinstance(metadata, str):
        try:
            metadata = json.loads(metadata)
        except ValueError:
            return ""
    name = (metadata.get("func_name") if isinstance(metadata, dict) else None) or row.get("fn_name") or ""
    return name if isinstance(name, str) else ""


def _unpacked(value: Any, name: str) -> Any:
    """JSON of a text, and of a packed text; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        pass
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(value, validate=True), MAX_UNPACKED_BYTES)
        if unpacker.unconsumed_tail:
            raise BadTestsError(f"more than {MAX_UNPACKED_BYTES >> 20} MiB of tests, at $.{name}")
        text = _Plain(io.BytesIO(data)).load()
        return json.loads(text) if isinstance(text, str) else text
    except (
        binascii.Error,
        zlib.error,
        pickle.UnpicklingError,
        ValueError,
        EOFError,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:
        if isinstance(error, BadTestsError):
            raise
        raise BadTestsError(f"neither JSON nor packed JSON ({error}), at $.{name}") from None
    except (RecursionError, MemoryError, OverflowError):
        raise BadTestsError(f"packed tests that cannot be unpacked, at $.{name}") from None


class _Plain(pickle.Unpickler):
    """Reads what pickle writes for text, numbers, lists and dicts, and refuses every name."""

    def find_class(self, module: str, name: str) -> Never:
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, _identity: Any) -> Never:
        raise pickle.UnpicklingError("it refers to something outside")
