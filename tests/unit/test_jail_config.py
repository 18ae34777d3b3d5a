"""The harness arrives in the jail as it stands here: its files in the configuration's text, byte for byte."""

import ast
import re

import pytest

from reexec import load_policy
from reexec.engine.jail import config, interpreter

MOUNT = re.compile(r'^mount \{\n  src_content: "(.*)"\n  dst: "(.*)"\n  nosuid: true\n  nodev: true\n\}$', re.MULTILINE)


def unescaped(text: str) -> bytes:
    """Protobuf's escapes are Python's, as far as they are used."""
    value = ast.literal_eval(f'b"{text}"')
    assert isinstance(value, bytes)
    return value


@pytest.mark.parametrize(
    "body", [b"", b'a "quoted" \\ \\n text\n\ttail\r\n', b"\\\\", b'\\"', b"a\x00b01", bytes(range(1, 128))]
)
def test_bytes_are_read_back_as_they_were(body: bytes) -> None:
    escaped = config._escaped(body)
    assert not re.search(r"[\n\r\0]", escaped), "the text form allows none of them between quotes"
    assert unescaped(escaped) == body


def test_every_file_of_the_harness_is_mounted_with_its_bytes() -> None:
    text = config.jail_config(load_policy("codeio"), interpreter.ask(), [], [7], "/tmp/cache")
    mounts = re.findall(
        r'^mount \{\n  src_content: "(.*)"\n  dst: "(.*)"\n  nosuid: true\n  nodev: true\n\}$', text, re.MULTILINE
    )
    assert {dst: unescaped(body) for body, dst in mounts} == {
        f"{config.HARNESS}/{name}": body for name, body in config.harness_files().items()
    }
    assert text.count("src_content") == len(mounts)
