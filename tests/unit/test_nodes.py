"""The fleet's rules, with nodes that are a few lines each: what runs where, what runs again, and what is refused."""

import queue
import socket
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

import pytest

from reexec.engine.errors import EngineError, UsageError
from reexec.engine.executor import WAIT, Executor
from reexec.engine.outcome import Outcome
from reexec.engine.program import Check, Program
from reexec.policies.model import Policy
from reexec.runners.backends import fleet as fleet_module
from reexec.runners.backends import likeness, ray_cluster, wire
from reexec.runners.backends import link as link_module
from reexec.runners.backends.executor import NodesExecutor
from reexec.runners.backends.fleet import Fleet
from reexec.runners.backends.link import FIRST_ROWS_A_WORKER, LEAST_ROWS_A_WORKER, ROWS_A_WORKER
from reexec.runners.backends.node import NodeWork
from reexec.runners.backends.parts import part_of

PROGRAM = Program("def f(n):\n    return n", "f")
ABOUT = {
    "python": "3.12.1", "machine": "x86_64", "isolation": "nsjail", "packages": ["numpy-2.1"],
    "executable": "/usr/bin/python3", "workers": 1, "missing": [],
}  # fmt: skip

Behaviour = Callable[["Node", list[wire.Sent]], None]


def echo(node: "Node", tasks: list[wire.Sent]) -> None:
    node.answer(tasks)


class Node:
    """A link whose node answers frames one after the other, in a thread of its own."""

    def __init__(self, name: str, behave: Behaviour = echo, **about: Any) -> None:
        self.name, self.behave, self.about = name, behave, {**ABOUT, **about}
        self.most_at_once = self.under_way = 0
        self.closed = threading.Event()
        self._lock = threading.Lock()
        self._given: queue.SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def start(self, heard: Callable[[bytes], None], ended: Callable[[str], None]) -> None:
        self.heard, self.ended = heard, ended
        for data in self.early:
            self.send(data)

    early: tuple[bytes, ...] = ()

    def _work(self) -> None:
        while (given := self._given.get()) is not None:
            work, arguments = given
            work(*arguments)

    def send(self, data: bytes) -> None:
        if not hasattr(self, "heard"):
            self.early = (*self.early, data)
            return
        head, lines = wire.opened(data)
        if head["do"] == "open":
            said = wire.head(do="opened", executor=head["executor"], about=self.about)
            self._given.put((self.heard, (said,)))
        elif head["do"] == "run":
            with self._lock:
                self.under_way += len(lines)
                self.most_at_once = max(self.most_at_once, self.under_way)
            tasks = [wire.read_task(line) for line in lines]
            self._given.put((self.behave, (self, tasks)))

    def answer(self, tasks: list[wire.Sent]) -> None:
        with self._lock:
            self.under_way -= len(tasks)
        lines = [wire.answer_line(task.number, Outcome("value", _argument(task))) for task in tasks]
        self.heard(wire.frame(wire.head(do="answers", counted={}), lines))

    def close(self) -> None:
        self.closed.set()
        self._given.put(None)


def _argument(task: wire.Sent) -> Any:
    return task.call.args[0]  # type: ignore[union-attr]


class Nodes:
    """A transport: nodes that are there, and what comes in place of one that is lost."""

    def __init__(self, *nodes: Node, spare: Callable[[str], Node] | None = None) -> None:
        self.nodes, self._spare, self._first = list(nodes), spare, True
        self.names = [node.name for node in nodes]

    def connect(self, taken: Collection[str]) -> list[Node]:
        if self._first:
            self._first = False
            return list(self.nodes)
        made = [] if self._spare is None else [self._spare(name) for name in self.names if name not in taken]
        self.nodes += made
        return made

    def close(self) -> None:
        pass


def values(executor: Executor, count: int, **how: Any) -> list[Any]:
    return [(outcome.value if outcome else None, tag) for outcome, tag in executor.run_many(_items(count), **how)]


def _items(count: int) -> Any:
    return ((PROGRAM, [number], number) for number in range(count))


def test_results_keep_the_order_over_nodes_of_any_speed() -> None:
    def slow(node: Node, tasks: list[wire.Sent]) -> None:
        time.sleep(0.05)
        node.answer(tasks)

    fleet = Fleet(Nodes(Node("a", slow), Node("b")))
    executor = NodesExecutor(fleet, "codeio")
    assert values(executor, 700) == [(number, number) for number in range(700)]
    assert sorted(values(executor, 300, ordered=False)) == [(number, number) for number in range(300)]
    fleet.close()


def test_an_item_without_a_program_keeps_its_place_and_wait_waits() -> None:
    fleet = Fleet(Nodes(Node("a")))
    executor = NodesExecutor(fleet, "codeio")
    seen: list[Any] = []

    def items() -> Any:
        yield PROGRAM, [1], "first"
        while not seen:
            yield WAIT
        yield None, (), "none"
        yield PROGRAM, [2], "last"

    for outcome, tag in executor.run_many(items()):
        seen.append((None if outcome is None else outcome.value, tag))
    assert seen == [(1, "first"), (None, "none"), (2, "last")]
    fleet.close()


def test_a_node_has_no_more_under_way_than_its_workers_need() -> None:
    release = threading.Event()

    def held(node: Node, tasks: list[wire.Sent]) -> None:
        release.wait(30)
        node.answer(tasks)

    node = Node("a", held, workers=2)
    fleet = Fleet(Nodes(node))
    stream = iter(NodesExecutor(fleet, "codeio").run_many(_items(100_000)))
    first = threading.Thread(target=next, args=(stream,), daemon=True)
    first.start()
    deadline = time.monotonic() + 20
    while node.under_way < 2 * FIRST_ROWS_A_WORKER and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert node.most_at_once == 2 * FIRST_ROWS_A_WORKER
    release.set()
    first.join(30)
    fleet.close()


def test_what_is_under_way_grows_with_quick_answers_and_shrinks_with_slow_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    def under_way_after(stay_s: float) -> int:
        monkeypatch.setattr(link_module, "STAY_S", stay_s)
        node = Node("a")
        fleet = Fleet(Nodes(node))
        executor = NodesExecutor(fleet, "codeio")
        values(executor, 400)
        node.most_at_once = 0
        values(executor, 1000)
        fleet.close()
        return node.most_at_once

    assert FIRST_ROWS_A_WORKER < under_way_after(1000) <= ROWS_A_WORKER
    assert under_way_after(0) <= LEAST_ROWS_A_WORKER


def test_a_few_tasks_are_shared_by_all_nodes() -> None:
    release = threading.Event()

    def held(node: Node, tasks: list[wire.Sent]) -> None:
        release.wait(30)
        node.answer(tasks)

    nodes = [Node(name, held) for name in "abc"]
    fleet = Fleet(Nodes(*nodes))
    stream = iter(NodesExecutor(fleet, "codeio").run_many(_items(12)))
    first = threading.Thread(target=next, args=(stream,), daemon=True)
    first.start()
    deadline = time.monotonic() + 20
    while sum(node.most_at_once for node in nodes) < 12 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [node.most_at_once for node in nodes] == [4, 4, 4]
    release.set()
    first.join(30)
    fleet.close()


def test_what_a_lost_node_had_runs_elsewhere() -> None:
    told: list[str] = []

    def dies(node: Node, tasks: list[wire.Sent]) -> None:
        node.answer(tasks[:1])
        node.ended("pulled out")

    fleet = Fleet(Nodes(Node("a", dies), Node("b")), tell=told.append)
    assert values(NodesExecutor(fleet, "codeio"), 500) == [(number, number) for number in range(500)]
    assert len(told) == 1
    assert told[0].startswith("a was lost (pulled out); its ")
    fleet.close()


def test_answers_of_a_lost_node_that_come_late_are_not_heard() -> None:
    def dies_and_answers(node: Node, tasks: list[wire.Sent]) -> None:
        node.ended("silent for a while")
        lines = [wire.answer_line(task.number, Outcome("value", "late")) for task in tasks]
        node.heard(wire.frame(wire.head(do="answers", counted={}), lines))

    fleet = Fleet(Nodes(Node("a", dies_and_answers), Node("b")))
    assert values(NodesExecutor(fleet, "codeio"), 200) == [(number, number) for number in range(200)]
    fleet.close()


def test_a_check_that_ends_nodes_is_an_engine_error_and_takes_no_other_along() -> None:
    killer = 7

    def dies_of_it(node: Node, tasks: list[wire.Sent]) -> None:
        if any(_argument(task) == killer for task in tasks):
            node.ended("out of memory")
        else:
            node.answer(tasks)

    transport = Nodes(Node("a", dies_of_it), Node("b", dies_of_it), spare=lambda name: Node(name, dies_of_it))
    fleet = Fleet(transport)
    outcomes = list(NodesExecutor(fleet, "codeio").map(PROGRAM, ([number] for number in range(300))))
    assert [number for number, outcome in enumerate(outcomes) if outcome.kind == "engine-error"] == [killer]
    assert "3 nodes were lost while they ran this check" in outcomes[killer].detail
    assert "out of memory" in outcomes[killer].detail
    fleet.close()


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"python": "3.11.2"}, "a has Python 3.12.1, b has 3.11.2"),
        ({"machine": "aarch64"}, "a has a processor of the kind x86_64, b has aarch64"),
        ({"isolation": "restricted"}, "a has isolation nsjail, b has restricted"),
        ({"packages": ["numpy-1.26", "pandas-2"]}, "a has numpy-2.1, b has numpy-1.26, pandas-2 instead"),
    ],
)
def test_nodes_that_differ_are_refused_with_both_values(about: dict[str, Any], said: str) -> None:
    fleet = Fleet(Nodes(Node("a"), Node("b", **about)))
    with pytest.raises(UsageError, match="nodes differ") as raised:
        NodesExecutor(fleet, "codeio")
    assert said in str(raised.value)
    fleet.close()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reexec": "0.0.9 (code 00)"}, "and the command has 0.0.9 (code 00); install the same on both"),
        ({"digest": "0" * 32}, "this node reads another policy in the same words"),
    ],
)
def test_a_node_with_another_reexec_or_policy_opens_nothing(changed: dict[str, str], said: str) -> None:
    work = NodeWork()
    settings = {"workers": 1, "part": "all", "python": None, "isolation": None, "cache": None, "share_identical": False}
    terms = {**likeness.terms(Policy.preset("codeio")), **changed}
    work.give(wire.head(do="open", executor=1, **terms, **settings))
    head, _ = wire.opened(work.take(60))
    work.close()
    assert (head["do"], head["executor"], head["kind"]) == ("failed", 1, "usage")
    assert said in head["why"]


def test_a_node_that_cannot_take_a_frame_says_that_it_is_of_no_more_use() -> None:
    work = NodeWork()
    work.give(wire.frame(wire.run_head([]), [b'[1,1,0,"no such program",[]]']))
    head, _ = wire.opened(work.take(60))
    work.close()
    assert (head["do"], head["kind"]) == ("not run", "node")


def test_a_node_that_is_not_up_in_time_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "START_S", 0.2)
    made: list[str] = []

    class Mute(Node):
        def send(self, data: bytes) -> None:
            pass

    def spare(name: str) -> Node:
        made.append(name)
        return Mute(name)

    fleet = Fleet(Nodes(Mute("a"), Node("b"), spare=spare))
    assert values(NodesExecutor(fleet, "codeio"), 50) == [(number, number) for number in range(50)]
    assert made == []
    fleet.close()


def test_a_node_that_comes_later_and_differs_is_left_out() -> None:
    told: list[str] = []

    def dies(node: Node, tasks: list[wire.Sent]) -> None:
        node.ended("pulled out")

    other = Node("a", python="3.13.0")
    fleet = Fleet(Nodes(Node("a", dies), Node("b"), spare=lambda _: other), tell=told.append)
    executor = NodesExecutor(fleet, "codeio")
    assert values(executor, 300) == [(number, number) for number in range(300)]
    assert other.closed.wait(20)
    assert other.most_at_once == 0
    assert "nodes differ: b has Python 3.12.1, a has 3.13.0" in told[-1] or "a has Python 3.12.1, a has 3.13.0" in told[-1]
    fleet.close()


def test_a_node_that_says_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "SILENT_S", 0.3)

    def says_nothing(node: Node, tasks: list[wire.Sent]) -> None:
        while not node.closed.wait(0.05):
            alive.heard(wire.head(do="lives"))

    alive = Node("b")
    fleet = Fleet(Nodes(Node("a", says_nothing), alive))
    assert values(NodesExecutor(fleet, "codeio"), 300) == [(number, number) for number in range(300)]
    fleet.close()


def test_a_run_ends_when_no_node_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "NONE_LEFT_S", 0.2)

    def dies(node: Node, tasks: list[wire.Sent]) -> None:
        node.ended("pulled out")

    fleet = Fleet(Nodes(Node("a", dies)))
    executor = NodesExecutor(fleet, "codeio")
    with pytest.raises(EngineError, match="no node is left: a: pulled out"):
        values(executor, 10)
    assert not executor.is_open
    fleet.close()


def test_a_node_that_cannot_open_an_executor_says_why() -> None:
    class Refusing(Node):
        def send(self, data: bytes) -> None:
            head, _ = wire.opened(data)
            if head["do"] == "open" and hasattr(self, "heard"):
                said = wire.head(do="failed", executor=head["executor"], kind="usage", why="no such interpreter")
                self._given.put((self.heard, (said,)))

    fleet = Fleet(Nodes(Refusing("a")))
    with pytest.raises(UsageError, match="a: no such interpreter"):
        NodesExecutor(fleet, "codeio")
    fleet.close()


def test_a_closed_stream_takes_back_what_waits() -> None:
    node = Node("a")
    fleet = Fleet(Nodes(node))
    executor = NodesExecutor(fleet, "codeio")
    stream = executor.run_many(_items(100_000))
    assert next(stream)[1] == 0
    stream.close()  # type: ignore[attr-defined]
    assert values(executor, 5) == [(number, number) for number in range(5)]
    fleet.close()


def test_calls_that_no_worker_takes_are_refused_before_they_are_sent() -> None:
    fleet = Fleet(Nodes(Node("a")))
    executor = NodesExecutor(fleet, "codeio")
    with pytest.raises(UsageError, match="cannot be sent"):
        executor.submit(PROGRAM, [object()])
    with pytest.raises(UsageError, match="called with arguments"):
        executor.submit(PROGRAM, b"text")
    fleet.close()
    with pytest.raises(UsageError, match="closed"):
        executor.submit(PROGRAM, [1])


def test_all_that_asks_a_pool_in_an_executor_is_answered_by_nodes() -> None:
    """What is inherited is made of these two."""
    public = {name for name, value in vars(Executor).items() if not name.startswith("_") and value is not None}
    made_of_them = {"submit", "map", "check", "check_many", "run_many"}
    assert (public - made_of_them) | {"_submit", "_stream"} <= vars(NodesExecutor).keys()


def test_checks_are_judged_by_the_driver() -> None:
    fleet = Fleet(Nodes(Node("a")))
    executor = NodesExecutor(fleet, "codeio")
    checks = [Check(PROGRAM, [number], expected=number // 2 * 2, id=number) for number in range(20)]
    assert [verdict.id for verdict in executor.check_many(checks) if verdict.accepted] == list(range(0, 20, 2))
    assert executor.check(PROGRAM, [3], 3).accepted
    with pytest.raises(UsageError, match="kind of values that the policy compares"):
        executor.check(PROGRAM, [3], (3,), rule="python-literal")
    fleet.close()


def test_halves_are_all_of_the_workers_and_one_at_least() -> None:
    for count in (1, 2, 3, 8, 9):
        halves = part_of(count, "first half"), part_of(count, "second half")
        assert min(halves) >= 1
        assert sum(halves) == max(2, count)
    assert part_of(5, "one") == 1
    assert part_of(5, "all") == 5


def test_an_address_where_nobody_listens_is_said_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ray_cluster.knock(f"127.0.0.1:{port}")
    with pytest.raises(EngineError, match=f"no Ray cluster at 127.0.0.1:{port}: "):
        ray_cluster.knock(f"127.0.0.1:{port}")
    for other in ("", "auto", "local", f"ray://127.0.0.1:{port}"):
        ray_cluster.knock(other)


def test_what_is_installed_is_read_by_name_and_version(tmp_path: Any) -> None:
    for name in ("numpy-2.1.dist-info", "six-1.16.egg-info", "numpy"):
        (tmp_path / name).mkdir()
    assert likeness.installed((str(tmp_path), str(tmp_path / "nowhere"))) == ["numpy-2.1", "six-1.16"]
