"""A worker's process that lies: it speaks the protocol as a zygote does, answers `f(n)` with 2 * n without running anything,
and at one of its checks does what it was told to. Started in the place of the interpreter, on isolation level `none`.

    liar.py LIE LIARS COUNTER ... "...main(FD, ...)"

The first LIARS workers (counted in the file COUNTER) lie, later ones are honest.
"""

import fcntl
import marshal
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

LIE_AT = 3  # the check at which it lies, counted from 1


def next_number(counter: str) -> int:
    """1 for the first worker, and so on."""
    with open(counter, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("x")
        file.flush()
        return os.fstat(file.fileno()).st_size


class Liar:
    def __init__(self, lie: str, fd: int, wire: Any) -> None:
        self.lie, self.fd, self.wire = lie, fd, wire
        self.decoder = wire.Decoder(wire.HOST_SAYS, 1 << 30)
        self.frames: list[list[Any]] = []
        self.checks = 0

    def send(self, *pieces: bytes) -> None:
        data = b"".join(pieces)
        while data:
            data = data[os.write(self.fd, data) :]

    def next_frame(self) -> list[Any]:
        while not self.frames:
            data = os.read(self.fd, 1 << 20)
            if not data:
                os._exit(0)
            self.frames += self.decoder.feed(data)
        return self.frames.pop(0)

    def next_check(self) -> list[Any]:
        while (frame := self.next_frame())[0] != "check":
            pass
        return frame

    def result(self, check_id: int, value: object, kind: str = "value") -> bytes:
        return bytes(self.wire.encode("result", check_id, kind, str(value).encode(), b"", 5, 5, 5, 0))

    def right(self, frame: list[Any]) -> bytes:
        (n,), _ = marshal.loads(frame[3])
        return self.result(frame[1], 2 * n)

    def serve(self) -> None:
        assert self.next_frame()[0] == "setup"
        start = STARTS.get(self.lie)
        if start is not None:
            self.send(*start(self))
        self.send(self.wire.encode("hello", b'{"version": [3, 12, 0], "missing": []}'))
        while True:
            frame = self.next_check()
            self.checks += 1
            if self.lie in LIES and self.checks == LIE_AT:
                LIES[self.lie](self, frame)
            else:
                self.send(self.right(frame))

    # -- lies about checks ------------------------------------------------------------------------------------

    def other_id(self, frame: list[Any]) -> None:
        self.send(self.result(frame[1] + 1, 666))

    def old_id(self, frame: list[Any]) -> None:
        self.send(self.result(frame[1] - 1, 666))

    def right_then_other(self, frame: list[Any]) -> None:
        self.send(self.right(frame), self.result(frame[1] + 7, 666))

    def right_then_fails(self, frame: list[Any]) -> None:
        self.send(self.right(frame), self.wire.encode("fails", 3, "MemoryError"))
        os._exit(1)

    def next_one_first(self, frame: list[Any]) -> None:
        other = self.next_check()
        self.send(self.right(other), self.right(frame))

    def twice(self, frame: list[Any]) -> None:
        self.send(self.right(frame), self.result(frame[1], 666))

    def oversize(self, frame: list[Any]) -> None:
        self.send(self.right(frame), b"\xff\xff\xff\xff", b"x" * 100_000)

    def garbage(self, frame: list[Any]) -> None:
        self.send(bytes(range(255, -1, -1)) * 40)

    def truncated(self, frame: list[Any]) -> None:
        self.send(self.right(frame)[:-3])
        os._exit(0)

    def half_then_silent_death(self, frame: list[Any]) -> None:
        self.send(self.right(frame)[:5])
        os.kill(os.getpid(), signal.SIGSEGV)

    def slowly(self, frame: list[Any]) -> None:
        for byte in self.right(frame):
            self.send(bytes([byte]))
            time.sleep(0.002)

    def never_ends(self, frame: list[Any]) -> None:
        self.send(b"\x00\x01\x00\x00")  # the length of a frame that does not come
        while os.read(self.fd, 1 << 20):
            pass
        os._exit(0)

    def unknown_kind(self, frame: list[Any]) -> None:
        self.send(self.wire.encode("verdict", frame[1], "accepted"))

    def other_print(self, frame: list[Any]) -> None:
        self.send(self.wire.encode("printed", frame[1] + 1, b"x", b""))

    def long_print(self, frame: list[Any]) -> None:
        self.send(self.wire.encode("printed", frame[1], b"x" * 5000, b""))

    def other_question(self, frame: list[Any]) -> None:
        self.send(self.wire.encode("asks_run_delay", frame[1] + 1))

    def second_hello(self, frame: list[Any]) -> None:
        self.send(self.wire.encode("hello", b"{}"))

    def exits(self, frame: list[Any]) -> None:
        os._exit(0)

    def retires(self, frame: list[Any]) -> None:
        self.send(self.wire.encode("retires", "no more"))
        os._exit(0)

    # -- lies that only its own check can suffer from: a worker's word on what happened is all there is -----------

    def no_such_word(self, frame: list[Any]) -> None:
        self.send(self.result(frame[1], 666, "accepted"))

    def not_json(self, frame: list[Any]) -> None:
        self.send(self.result(frame[1], "{'a'"))


STARTS: dict[str, Callable[[Liar], list[bytes]]] = {
    "result_before_hello": lambda liar: [liar.result(1, 666)],
    "hello_is_no_json": lambda liar: [liar.wire.encode("hello", b"{")],
    "hello_is_a_list": lambda liar: [liar.wire.encode("hello", b"[]")],
    "retires_before_hello": lambda liar: [liar.wire.encode("retires", "at once")],
    "garbage_before_hello": lambda liar: [b"GET / HTTP/1.1\r\n\r\n"],
    "fails_before_hello": lambda liar: [liar.wire.encode("fails", 1, "no")],
}
START_LIES = tuple(STARTS)
OWN_CHECK_LIES = ("no_such_word", "not_json")
_HONEST = ("send", "next_frame", "next_check", "result", "right", "serve")
LIES: dict[str, Callable[[Liar, list[Any]], None]] = {
    name: method for name, method in vars(Liar).items() if name[0] != "_" and name not in _HONEST
}


def main() -> None:
    lie, liars, counter = sys.argv[1:4]
    found = re.search(r"sys\.path\[:0\] = \['([^']*)'\].*main\((\d+), ", sys.argv[-1])
    assert found is not None, sys.argv
    sys.path.insert(0, found.group(1))
    from reexec_inside.protocol import wire  # type: ignore[import-not-found]  # the harness, as the interpreter would import it

    Liar(lie if next_number(counter) <= int(liars) else "none", int(found.group(2)), wire).serve()


if __name__ == "__main__":
    main()
