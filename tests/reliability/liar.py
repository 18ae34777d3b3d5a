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
    def __init__(self, lie: str, fd: int, frames: Any) -> None:
        self.lie, self.fd, self.frames = lie, fd, frames
        self.decoder = frames.Decoder(frames.HOST_SAYS, 1 << 30)
        self.heard: list[Any] = []
        self.checks = 0

    def send(self, *pieces: bytes) -> None:
        data = b"".join(pieces)
        while data:
            data = data[os.write(self.fd, data) :]

    def next_frame(self) -> Any:
        while not self.heard:
            data = os.read(self.fd, 1 << 20)
            if not data:
                os._exit(0)
            self.heard += self.decoder.feed(data)
        return self.heard.pop(0)

    def next_check(self) -> Any:
        while not isinstance(frame := self.next_frame(), self.frames.Check):
            pass
        return frame

    def say(self, kind: str, *fields: Any) -> bytes:
        """The bytes of a frame."""
        return bytes(self.frames.encode(getattr(self.frames, kind)(*fields)))

    def result(self, check_id: int, value: object, kind: int = 1, stdout: bytes = b"") -> bytes:
        return self.say("Result", check_id, kind, 0, 5, 5, 5, str(value).encode(), b"", stdout, b"")

    def right(self, frame: Any) -> bytes:
        (n,), _ = marshal.loads(frame.call)
        return self.result(frame.check_id, 2 * n)

    def serve(self) -> None:
        assert isinstance(self.next_frame(), self.frames.SetUp)
        start = STARTS.get(self.lie)
        if start is not None:
            self.send(*start(self))
        self.send(self.say("Hello", b'{"version": [3, 12, 0], "missing": []}'))
        while True:
            frame = self.next_check()
            self.checks += 1
            if self.lie in LIES and self.checks == LIE_AT:
                LIES[self.lie](self, frame)
            else:
                self.send(self.right(frame))

    # -- lies about checks ------------------------------------------------------------------------------------

    def other_id(self, frame: Any) -> None:
        self.send(self.result(frame.check_id + 1, 666))

    def old_id(self, frame: Any) -> None:
        self.send(self.result(frame.check_id - 1, 666))

    def right_then_other(self, frame: Any) -> None:
        self.send(self.right(frame), self.result(frame.check_id + 7, 666))

    def right_then_fails(self, frame: Any) -> None:
        self.send(self.right(frame), self.say("Fails", 3, b"MemoryError"))
        os._exit(1)

    def next_one_first(self, frame: Any) -> None:
        other = self.next_check()
        self.send(self.right(other), self.right(frame))

    def twice(self, frame: Any) -> None:
        self.send(self.right(frame), self.result(frame.check_id, 666))

    def oversize(self, frame: Any) -> None:
        self.send(self.right(frame), b"\xff\xff\xff\xff", b"x" * 100_000)

    def garbage(self, frame: Any) -> None:
        self.send(bytes(range(255, -1, -1)) * 40)

    def truncated(self, frame: Any) -> None:
        self.send(self.right(frame)[:-3])
        os._exit(0)

    def half_then_silent_death(self, frame: Any) -> None:
        self.send(self.right(frame)[:5])
        os.kill(os.getpid(), signal.SIGSEGV)

    def slowly(self, frame: Any) -> None:
        for byte in self.right(frame):
            self.send(bytes([byte]))
            time.sleep(0.002)

    def never_ends(self, frame: Any) -> None:
        self.send(b"\x00\x00\x01\x00")  # the length of a frame that does not come
        while os.read(self.fd, 1 << 20):
            pass
        os._exit(0)

    def unknown_kind(self, frame: Any) -> None:
        self.send(b"\x09\x00\x00\x00\xee" + bytes(8))

    def other_print(self, frame: Any) -> None:
        self.send(self.result(frame.check_id + 1, 666, stdout=b"x"))

    def long_print(self, frame: Any) -> None:
        self.send(self.result(frame.check_id, 666, stdout=b"x" * 5000))

    def other_question(self, frame: Any) -> None:
        self.send(self.say("AsksRunDelay", frame.check_id + 1))

    def second_hello(self, frame: Any) -> None:
        self.send(self.say("Hello", b"{}"))

    def exits(self, frame: Any) -> None:
        os._exit(0)

    def retires(self, frame: Any) -> None:
        self.send(self.say("Retires", b"no more"))
        os._exit(0)

    # -- lies that only its own check can suffer from: a worker's word on what happened is all there is -----------

    def no_such_word(self, frame: Any) -> None:
        self.send(self.result(frame.check_id, 666, 200))

    def not_json(self, frame: Any) -> None:
        self.send(self.result(frame.check_id, "{'a'"))


STARTS: dict[str, Callable[[Liar], list[bytes]]] = {
    "result_before_hello": lambda liar: [liar.result(1, 666)],
    "hello_is_no_json": lambda liar: [liar.say("Hello", b"{")],
    "hello_is_a_list": lambda liar: [liar.say("Hello", b"[]")],
    "retires_before_hello": lambda liar: [liar.say("Retires", b"at once")],
    "garbage_before_hello": lambda liar: [b"GET / HTTP/1.1\r\n\r\n"],
    "fails_before_hello": lambda liar: [liar.say("Fails", 1, b"no")],
}
START_LIES = tuple(STARTS)
OWN_CHECK_LIES = ("no_such_word", "not_json")
_HONEST = ("send", "say", "next_frame", "next_check", "result", "right", "serve")
LIES: dict[str, Callable[[Liar, Any], None]] = {
    name: method for name, method in vars(Liar).items() if name[0] != "_" and name not in _HONEST
}


def main() -> None:
    lie, liars, counter = sys.argv[1:4]
    found = re.search(r"sys\.path\[:0\] = \['([^']*)'\].*main\((\d+), ", sys.argv[-1])
    assert found is not None, sys.argv
    sys.path.insert(0, found.group(1))
    from reexec_inside.protocol import frames  # type: ignore[import-not-found]  # the harness, as the interpreter has it

    Liar(lie if next_number(counter) <= int(liars) else "none", int(found.group(2)), frames).serve()


if __name__ == "__main__":
    main()
