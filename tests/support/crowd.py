"""Many clients of a service at once, in small processes: each opens all its connections, waits for the word, and goes on by
itself. What was wrong with the answers comes back as JSON.

    python -m tests.support.crowd HOST:PORT SEED CONNECTIONS REQUESTS     # reads one line before it begins

Of 50 connections 40 ask checks and hold on to their connection, with hostile programs among them; 4 ask for batches and read
them slowly; 3 say half a head and no more; 3 send a body that never ends.
"""

import asyncio
import json
import random
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.conftest import ROOT

HOSTILE: list[tuple[str, set[str]]] = [
    ("import os\ndef f(n):\n    os.kill(os.getppid(), 9)\n    return n", {"accepted", "denied", "runtime-error"}),
    ("import os\ndef f(n):\n    os._exit(0)", {"early-exit"}),
    ("def f(n):\n    return 'x' * 10_000_000", {"output-limit"}),
    ("def f(n):\n    while True:\n        pass", {"cpu-limit"}),
    ("def f(n):\n    return bytearray(4 << 30)", {"memory-limit"}),
    ("import sys\ndef f(n):\n    sys.stdout.write('y' * (3 << 20))\n    return n", {"output-limit"}),
    ("import socket\ndef f(n):\n    socket.create_connection(('127.0.0.1', 1))", {"runtime-error", "denied"}),
    ("def f(n):\n    raise SystemExit(n)", {"early-exit"}),
    ("import os\ndef f(n):\n    while True:\n        os.fork()", {"runtime-error", "process-limit", "denied", "cpu-limit"}),
]
HOSTILE_SHARE = 0.03
BATCH = 40
ANSWER_S = 400
"""Longer than a whole crowd may take on a busy machine: a lost answer, and no slow one."""


@dataclass
class Heard:
    """By a crowd, or a part of it."""

    answered: Counter[str] = field(default_factory=Counter)
    """Words of verdicts, and how connections of the other kinds ended."""
    faults: list[str] = field(default_factory=list)


class Peer:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def ask(self, path: str, body: Any, client: str, slowly: bool = False) -> tuple[int, Any]:
        data = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Client-ID: {client}\r\nContent-Length: {len(data)}\r\n\r\n"
        await self.send(head.encode() + data)
        return await self.answer(slowly)

    async def answer(self, slowly: bool = False) -> tuple[int, Any]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        status = int(head.split()[1])
        if "transfer-encoding: chunked" in head:
            body = b""
            while size := int(await self._reader.readline(), 16):
                body += await self._reader.readexactly(size)
                await self._reader.readline()
                if slowly:
                    await asyncio.sleep(0.05)
            await self._reader.readline()
        else:
            body = await self._reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
        return status, json.loads(body)

    async def end(self) -> None:
        """Waits until the service ends the connection."""
        while await self._reader.read(1 << 16):
            pass

    def close(self) -> None:
        self._writer.close()


def check(number: int, expected: int, check_id: int) -> dict[str, Any]:
    program = {"source": "def double(n):\n    return 2 * n", "entry": "double"}
    return {"program": program, "call": {"args": [number], "kwargs": {}}, "expected": expected, "id": check_id}


async def asks(peer: Peer, number: int, requests: int, heard: Heard) -> None:
    pick = random.Random(number)
    for turn in range(requests):
        if pick.random() < HOSTILE_SHARE:
            source, words = HOSTILE[pick.randrange(len(HOSTILE))]
            asked = {"program": {"source": source, "entry": "f"}, "call": {"args": [1], "kwargs": {}}, "expected": 1}
        else:
            right = pick.random() < 0.5
            asked, words = check(number, 2 * number if right else -1, turn), {"accepted" if right else "wrong-answer"}
        status, said = await peer.ask("/v1/check", asked, f"c{number % 7}")
        if status != 200 or said["word"] not in words or said["id"] != asked.get("id"):
            heard.faults.append(f"{asked}: {status} {json.dumps(said)[:300]}")
        else:
            heard.answered[said["word"]] += 1


async def reads_slowly(peer: Peer, number: int, requests: int, heard: Heard) -> None:
    for _ in range(max(1, requests // 4)):
        asked = [check(n, 2 * n if n % 3 else -1, n) for n in range(BATCH)]
        status, said = await peer.ask("/v1/checks", {"checks": asked}, f"slow{number}", slowly=True)
        found = [(one["id"], one.get("word")) for one in said.get("verdicts", ())]
        if status != 200 or found != [(n, "accepted" if n % 3 else "wrong-answer") for n in range(BATCH)]:
            heard.faults.append(f"a batch: {status} {json.dumps(said)[:300]}")
        else:
            heard.answered["batch"] += 1


async def says_half(peer: Peer, number: int, requests: int, heard: Heard) -> None:
    await peer.send(b"POST /v1/check HTTP/1.1\r\nHost: local")
    await peer.end()
    heard.answered["half a head"] += 1


async def never_ends(peer: Peer, number: int, requests: int, heard: Heard) -> None:
    await peer.send(b"POST /v1/check HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
    told = asyncio.ensure_future(peer.answer())
    while not told.done():
        await peer.send(b"1\r\n \r\n")
        await asyncio.wait({told}, timeout=0.3)
    status, said = await told
    if (status, said["error"]["code"]) != (408, "body-too-slow"):
        heard.faults.append(f"an endless body: {status} {said}")
    heard.answered["endless body"] += 1


KINDS = [*[asks] * 40, *[reads_slowly] * 4, *[says_half] * 3, *[never_ends] * 3]


async def part(host: str, port: int, seed: int, connections: int, requests: int) -> Heard:
    heard, peers = Heard(), list[Peer]()
    for _ in range(connections):
        peers.append(Peer(*await asyncio.open_connection(host, port, limit=1 << 20)))
    print("connected", flush=True)
    await asyncio.to_thread(sys.stdin.readline)

    async def one(number: int, peer: Peer) -> None:
        kind = KINDS[number % len(KINDS)]
        try:
            await asyncio.wait_for(kind(peer, number, requests, heard), ANSWER_S)
        except (OSError, EOFError, TimeoutError) as error:
            heard.faults.append(f"{kind.__name__}: no answer: {error!r}")
        finally:
            peer.close()

    await asyncio.gather(*(one(seed * connections + place, peer) for place, peer in enumerate(peers)))
    return heard


class Crowd:
    """Processes that have connected and wait for the word. Each holds at most so many connections."""

    MOST = 250

    def __init__(self, address: str, connections: int, requests: int) -> None:
        count = -(-connections // self.MOST)
        arguments = [sys.executable, "-m", "tests.support.crowd", address]
        self._parts = [
            subprocess.Popen(
                [*arguments, str(seed), str(connections // count), str(requests)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            )
            for seed in range(count)
        ]  # fmt: skip
        for one in self._parts:
            assert one.stdout is not None
            assert one.stdout.readline() == "connected\n"

    def go(self) -> None:
        for one in self._parts:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()

    @property
    def is_going(self) -> bool:
        return any(one.poll() is None for one in self._parts)

    def heard(self) -> Heard:
        """At the end of all."""
        heard = Heard()
        for one in self._parts:
            out, _ = one.communicate(timeout=2 * ANSWER_S)
            said = json.loads(out)
            heard.answered.update(said["answered"])
            heard.faults += said["faults"]
        return heard

    def close(self) -> None:
        for one in self._parts:
            one.kill()
            one.communicate()


if __name__ == "__main__":
    address, *numbers = sys.argv[1:]
    host, _, port = address.rpartition(":")
    found = asyncio.run(part(host, int(port), *map(int, numbers)))
    print(json.dumps({"answered": found.answered, "faults": found.faults[:20]}))
