"""`reexec view` as a real process, its pages over a socket, and pages as a browser reads them."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import html5lib
import httpx

from tests.support.helpers import COMMAND, environment


@dataclass
class View:
    process: subprocess.Popen[str]
    address: str
    """With the token and a slash at its end."""
    client: httpx.Client

    @property
    def token(self) -> str:
        return urlsplit(self.address).path.strip("/")

    def get(self, path: str = "", /, **query: Any) -> "Page":
        answer = self.client.get(f"{self.address}{path}", params=query or None)
        assert answer.status_code == 200, answer.text
        return Page(answer)

    def end(self, by: int = signal.SIGINT) -> tuple[int, str, str]:
        """Exit code, and what was printed after the address."""
        self.client.close()
        self.process.send_signal(by)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


class Page:
    """A page as the HTML specification says that browsers read it."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.text = answer.text
        parser = html5lib.HTMLParser(namespaceHTMLElements=False)
        self.tree: Any = parser.parse(answer.content, transport_encoding="utf-8")
        self.faults = [error for _, error, _ in parser.errors]

    def all(self, tag: str = "*") -> list[Any]:
        return [element for element in self.tree.iter() if isinstance(element.tag, str) and tag in ("*", element.tag)]

    def links(self) -> list[str]:
        return [element.get("href") for element in self.all("a")]

    def link(self, text: str) -> str:
        return str(next(element.get("href") for element in self.all("a") if said(element) == text))

    @property
    def count(self) -> int:
        (found,) = (said(element) for element in self.all("span") if element.get("id") == "count")
        return int(found.replace(",", ""))

    def rows(self) -> list[int]:
        """The numbers of the rows that a list shows."""
        return [int(found[1]) for link in self.links() if (found := re.search(r"/row/(\d+)\?", link))]


def said(element: Any) -> str:
    return "".join(element.itertext())


def folder_of(run: Path) -> Path:
    """Where the tests' views keep their indexes."""
    return run.parent / "cache"


@contextmanager
def viewing(run: str | Path, *options: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> Iterator[View]:
    process = start_view(run, *options, cwd=cwd, env=env)
    try:
        address = address_of(process)
        with httpx.Client(timeout=60, trust_env=False) as client:
            yield View(process, address, client)
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)


def start_view(
    run: str | Path, *options: str, cwd: Path | None = None, env: dict[str, str] | None = None
) -> "subprocess.Popen[str]":
    own = {"XDG_CACHE_HOME": str(folder_of(Path(cwd or ".", run)).absolute()), **(env or {})}
    return subprocess.Popen(
        [COMMAND, "view", str(run), *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, cwd=cwd, env=environment(own),
    )  # fmt: skip


def address_of(process: "subprocess.Popen[str]") -> str:
    """Out of the line that the command prints when it serves."""
    assert process.stdout is not None
    began, line = time.monotonic(), process.stdout.readline()
    found = re.fullmatch(r"reexec: (http://\S+/) \(Ctrl-C ends it\)\n", line)
    if found is None:
        _, err = process.communicate(timeout=30)
        raise AssertionError(f"{line!r} after {time.monotonic() - began:.1f} s: {err}")
    return found[1]
