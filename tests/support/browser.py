"""A headless Chromium that tests steer: one process for many pages, over its pipe for the DevTools protocol."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from tests.conftest import lacking
from tests.support import limited_host

ANSWER_S = 200.0
"""How long an answer may take: a small machine under load needs minutes for the browser's start."""
SETTLED_MS = 500
"""After a page has loaded, so that what it does later is seen as well."""
_SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync", "--mute-audio",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--hide-scrollbars",
    "--remote-debugging-pipe",
)  # fmt: skip


class Tab:
    """One page after another, and what the browser says of each: `console` lines and the addresses that were `requested`."""

    def __init__(self, process: subprocess.Popen[bytes], commands: int, answers: int) -> None:
        self._process, self._commands, self._answers = process, commands, answers
        self._buffer, self._last, self._session = b"", 0, ""
        self._events: list[dict[str, Any]] = []
        self.console: list[str] = []
        self.requested: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        self.look()

    def ask(self, method: str, /, **parameters: Any) -> dict[str, Any]:
        """The result of one command of the protocol; AssertionError where the browser refuses it."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._commands, data) :]
        until = time.monotonic() + ANSWER_S
        while (answer := self._read(until)).get("id") != self._last:
            self._heard(answer)
        assert "error" not in answer, (method, answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    def look(self, width: int = 1280, height: int = 1000, scheme: Literal["light", "dark"] = "light") -> None:
        """The size of the window, in CSS pixels, and the colours that the reader prefers."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, address: str) -> None:
        """Loads a page, forgets what was heard of the one before, and waits until it has loaded and settled."""
        self.console, self.requested, self._events = [], [], []
        found = self.ask("Page.navigate", url=address)
        assert "errorText" not in found, found
        self.loaded()

    def loaded(self) -> None:
        until = time.monotonic() + ANSWER_S
        while all(event["method"] != "Page.loadEventFired" for event in self._events):
            self._heard(self._read(until))
        self._events = []
        self.value(f"new Promise(done => setTimeout(done, {SETTLED_MS}))")

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript gives in the page."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """A letter, `Tab` or `Enter`."""
        number = {"Tab": 9, "Enter": 13}.get(key) or ord(key.upper())
        code = key if len(key) > 1 else f"Key{key.upper()}"
        text = {"Enter": "\r"}.get(key, "" if len(key) > 1 else key)
        common = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        self.ask("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **common)

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """A PNG of the window, or of the whole page."""
        found = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def _read(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"the browser said nothing for {ANSWER_S:.0f} s"
            data = os.read(self._answers, 1 << 16)
            assert data, f"the browser ended: exit code {self._process.wait(30)}"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _heard(self, event: dict[str, Any]) -> None:
        self._events.append(event)
        told = event.get("params", {})
        match event.get("method"):
            case "Runtime.consoleAPICalled":
                self.console.append(" ".join(str(part.get("value")) for part in told["args"]))
            case "Runtime.exceptionThrown":
                self.console.append(told["exceptionDetails"]["text"])
            case "Log.entryAdded":
                self.console.append(told["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requested.append(told["request"]["url"])


def _pipe() -> tuple[int, int]:
    """Both ends above 9, so that the browser's own two descriptors overwrite none of them."""
    low = os.pipe()
    high = fcntl.fcntl(low[0], fcntl.F_DUPFD_CLOEXEC, 10), fcntl.fcntl(low[1], fcntl.F_DUPFD_CLOEXEC, 10)
    for end in low:
        os.close(end)
    return high


@contextmanager
def chromium(folder: Path) -> Iterator[Tab]:
    """A browser with a profile of its own in `folder`. Where there is none, the test is skipped, or fails in CI."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        lacking("chromium")
    if limited_host.is_limited():
        lacking("room for a browser: this host allows few addresses (ulimit -Hv)")
    assert browser is not None
    theirs_in, commands = _pipe()
    answers, theirs_out = _pipe()
    process = subprocess.Popen(
        # it reads commands from descriptor 3 and answers on 4
        ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", browser, *_SWITCHES,
         f"--user-data-dir={folder / 'profile'}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(theirs_in, theirs_out),
    )  # fmt: skip
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Tab(process, commands, answers)
    finally:
        os.close(commands)
        process.terminate()
        process.wait(60)
        os.close(answers)
