"""An example as a row of each format, and the files that hold such rows.

Every member is a text or an array of the same shape in all rows, so that readers that infer a schema from the first rows
(pyarrow, and with it the `datasets` library) never meet another one later: provenance is therefore JSON text here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ...extras import missing_extra
from ...rows.documents import OutputError
from ...rows.sink import Sink
from ...rows.text import BadRowError, dump
from .rows import Example

Row = dict[str, Any]
_GROUP = 1024  # rows of a parquet row group
_FLUSH_ROWS = 1024


class Writer(Protocol):
    def write(self, row: Row) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Format:
    """What `--to` names. `row` gets (example, response, its conversation as user and assistant texts in turn)."""

    name: str
    suffix: str
    row: Callable[[Example, str, list[str]], Row] | None
    """None for `rl`, whose rows are made of functions (rl.py)."""
    open: Callable[[Path], Writer]
    dataset_info: Row | None = None
    """For LLaMA-Factory: how its entry in dataset_info.json describes the columns."""
    may_separate: bool = True
    needs_functions: bool = False


def _origin(example: Example) -> Row:
    return {
        "id": example.id,
        "function_id": example.function_id,
        "io_pred": example.io_pred,
        "reasoning": list(example.reasoning),
        "provenance": dump(example.provenance),
    }


def _alpaca(example: Example, response: str, _: list[str]) -> Row:
    """Raises BadRowError where questions and answers come before the prompt."""
    if example.history:
        raise BadRowError("llamafactory-alpaca has no place for what comes before the prompt; another format has, at $.history")
    return {
        "instruction": example.prompt,
        "input": "",
        "output": response,
        "system": example.system,
        **_origin(example),
    }


def _sharegpt(example: Example, _: str, texts: list[str]) -> Row:
    talk = [{"from": ("human", "gpt")[place % 2], "value": text} for place, text in enumerate(texts)]
    return {"conversations": talk, "system": example.system, **_origin(example)}


def _messages(example: Example, texts: list[str]) -> list[Row]:
    first = [{"role": "system", "content": example.system}] if example.system else []
    return first + [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]


def _openai(example: Example, _: str, texts: list[str]) -> Row:
    # Nothing else: the fine-tuning service refuses members that it does not know. Origins lie beside the file.
    return {"messages": _messages(example, texts)}


def _parquet(example: Example, _: str, texts: list[str]) -> Row:
    # No column `prompt` beside the messages: TRL takes such rows for prompts that are still to be answered.
    return {"messages": _messages(example, texts), **_origin(example)}


class JsonLines:
    """A Sink that is flushed now and then: the file is only seen when it is whole."""

    def __init__(self, path: Path) -> None:
        self._sink = Sink(path)
        self._pending = 0

    def write(self, row: Row) -> None:
        self._sink.write(dump(row).encode("ascii"))
        self._pending += 1
        if self._pending >= _FLUSH_ROWS:
            self._sink.flush()
            self._pending = 0

    def close(self) -> None:
        try:
            self._sink.flush()
        finally:
            self._sink.close()


class Parquet:
    """Row groups of a fixed size, so that a row costs no more memory than its group."""

    def __init__(self, path: Path, columns: str) -> None:
        try:
            import pyarrow as arrow
            from pyarrow import parquet
        except ImportError:
            raise missing_extra(f"{path}: this format", "parquet") from None
        text = arrow.string()
        messages = arrow.list_(arrow.struct([("role", text), ("content", text)]))
        ids = [(name, text) for name in ("id", "function_id", "pair_id", "io_pred")]
        kinds = {
            "messages": messages,
            "prompt": messages,
            "reasoning": arrow.list_(text),
            "reward_model": arrow.struct([("style", text), ("ground_truth", text)]),
            "extra_info": arrow.struct([("split", text), ("index", arrow.int64()), *ids]),
        }
        self._schema = arrow.schema([(name, kinds.get(name, text)) for name in columns.split()])
        self._arrow, self._path = arrow, path
        self._rows: list[Row] = []
        self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        rows, self._rows = self._rows, []
        try:
            self._writer.write_table(self._arrow.Table.from_pylist(rows, self._schema))
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written ({error})") from None

    def close(self) -> None:
        try:
            if self._rows:
                self._flush()
        finally:
            self._writer.close()


_COLUMNS = "messages id function_id io_pred reasoning provenance"
_RL_COLUMNS = "data_source prompt ability reward_model ground_truth extra_info id function_id pair_id io_pred provenance"

# Field names as in LLaMA-Factory's data/README.md.
_ALPACA_INFO = {"columns": {"prompt": "instruction", "query": "input", "response": "output", "system": "system"}}
_SHAREGPT_INFO = {
    "formatting": "sharegpt",
    "columns": {"messages": "conversations", "system": "system"},
    "tags": {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"},
}

FORMATS = {
    found.name: found
    for found in (
        Format("llamafactory-alpaca", "jsonl", _alpaca, JsonLines, _ALPACA_INFO, may_separate=False),
        Format("llamafactory-sharegpt", "jsonl", _sharegpt, JsonLines, _SHAREGPT_INFO),
        Format("openai-messages", "jsonl", _openai, JsonLines),
        Format("parquet", "parquet", _parquet, lambda path: Parquet(path, _COLUMNS)),
        Format("rl", "parquet", None, lambda path: Parquet(path, _RL_COLUMNS), may_separate=False, needs_functions=True),
    )
}


def origin_row(example: Example) -> Row:
    """What lies beside the rows of a format that has no place for it."""
    return {**_origin(example), "provenance": example.provenance}
