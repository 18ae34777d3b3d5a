"""What a row of responses says: which pair it is about, and what it predicts."""

from dataclasses import dataclass
from typing import Any

from reexec.engine.quick import quick

from ..digests import digest_of
from ..rows.text import BadRowError, kind_of
from .functions import FunctionRecord, FunctionStore, Pair
from .ids import whole


@dataclass(frozen=True, slots=True)
class Prediction:
    function: FunctionRecord
    pair: Pair
    io_pred: str
    """`i`: an input was asked for; `o`: the output."""
    text: str
    """The model's response."""
    index: Any = 0
    """Of the sample; what the row has there."""

    @property
    def id(self) -> str:
        return digest_of(self.pair.id, self.io_pred, str(self.index), self.text)


_prediction = quick(Prediction)


def read_prediction(row: dict[str, Any], functions: FunctionStore) -> Prediction:
    """Binds a response row to its pair: by `function_id` and `pair_id` where it has them, else by `itemid` and `ioid`, the
    positions in CodeI/O's files. Where it has both they must agree. Raises BadRowError."""
    io_pred = row.get("io_pred")
    if io_pred not in ("i", "o"):
        raise BadRowError('io_pred must be "i" or "o", at $.io_pred')
    if "output" not in row:
        raise BadRowError("the response is missing, at $.output")
    text = row["output"]
    if text is None:
        text = ""
    if not isinstance(text, str):
        raise BadRowError(f"the response: expected a string, got {kind_of(text)}, at $.output")
    function, pair = _by_position(row, functions) or _checked(row, functions)
    return _prediction(function, pair, io_pred, text, row.get("index", 0))


def _by_position(row: dict[str, Any], functions: FunctionStore) -> tuple[FunctionRecord, Pair] | None:
    """The usual case: positions that are integers, and ids, if any, that agree with them. None: no telling."""
    item, io = row.get("itemid"), row.get("ioid")
    if type(item) is not int or type(io) is not int or not 0 <= item < len(functions):
        return None
    function = _usable(functions, item)
    if not 0 <= io < len(function.pairs):
        return None
    pair = function.pairs[io]
    agree = row.get("function_id") in (None, function.id) and row.get("pair_id") in (None, pair.id)
    return (function, pair) if agree else None


def _checked(row: dict[str, Any], functions: FunctionStore) -> tuple[FunctionRecord, Pair]:
    function = _function(row, functions)
    return function, _pair(row, function)


def _position(row: dict[str, Any], name: str, count: int, what: str) -> int:
    value = whole(row[name])
    if value is None:
        raise BadRowError(f"{name}: expected an integer, got {kind_of(row[name])}, at $.{name}")
    if not 0 <= value < count:
        those = f"{count} {what} (0 to {count - 1})" if count else f"no {what}"
        raise BadRowError(f"{name} is {value}, but there are {those}, at $.{name}")
    return value


def _function(row: dict[str, Any], functions: FunctionStore) -> FunctionRecord:
    function_id = row.get("function_id")
    if not isinstance(function_id, str | None):
        raise BadRowError(f"function_id: expected a string, got {kind_of(function_id)}, at $.function_id")
    position = None
    if "itemid" in row:
        # A file of proven pairs has fewer rows than the one it was made from: there ids bind, positions are history.
        given = whole(row["itemid"])
        if function_id is None or (given is not None and 0 <= given < len(functions)):
            position = _position(row, "itemid", len(functions), "functions")
    elif function_id is None:
        raise BadRowError("neither function_id nor itemid says which function is meant, at $.itemid")
    if function_id is None:
        assert position is not None
        return _usable(functions, position)
    if position is not None:
        record = _usable(functions, position)
        if record.id == function_id:
            return record
    by_id = functions.position_of(function_id)
    if by_id is None:
        raise BadRowError(f"no function has the id {function_id!r}, at $.function_id")
    if position is not None:
        raise BadRowError(f"itemid {position} and function_id disagree: that id is at position {by_id}, at $.function_id")
    return _usable(functions, by_id)


def _usable(functions: FunctionStore, position: int) -> FunctionRecord:
    try:
        return functions.at(position)
    except BadRowError as error:
        raise BadRowError(f"its function cannot be used: {error}") from None


def _pair(row: dict[str, Any], function: FunctionRecord) -> Pair:
    wanted = row.get("pair_id")
    if "ioid" in row:
        position = _position(row, "ioid", len(function.pairs), "pairs")
        pair = function.pairs[position]
        if wanted is not None and wanted != pair.id:
            raise BadRowError(f"ioid {position} and pair_id disagree, at $.pair_id")
        return pair
    if wanted is None:
        raise BadRowError("neither pair_id nor ioid says which pair is meant, at $.ioid")
    for pair in function.pairs:
        if pair.id == wanted:
            return pair
    raise BadRowError(f"the function has no pair with the id {wanted!r}, at $.pair_id")
