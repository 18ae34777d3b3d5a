"""Nodes of a Ray cluster: an actor on each, which is a NodeWork. Needs the extra `ray`, here and on the nodes.

An actor is tied to its node and reserves nothing of it: a run takes the whole of the nodes that it finds, with as many workers
as Ray counts processors there. An actor whose node is lost is not moved; nodes that join the cluster get one of their own.
"""

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Collection
from typing import Any

from reexec.engine.errors import EngineError

from ..extras import missing_extra
from .link import Link
from .node import NodeWork

THREADS = 4
"""Of an actor: one waits in `take`, others serve `give`."""
END_S = 10.0
KNOCK_S = 10.0


class RayCluster:
    def __init__(self, address: str | None) -> None:
        """Connects to the cluster at the address, else to the one that RAY_ADDRESS names or that runs here, else starts one
        that ends with it. Raises UsageError where Ray is not installed, EngineError where there is no cluster."""
        try:
            import ray
        except ImportError:
            raise missing_extra("--backend ray", "ray") from None
        self._ray: Any = ray
        self._is_ours = not ray.is_initialized()
        if self._is_ours:
            knock(address or os.environ.get("RAY_ADDRESS", ""))
            try:
                ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING, include_dashboard=False)
            except Exception as error:
                where = f"at {address}" if address else "here"
                raise EngineError(f"no Ray cluster {where}: {first_line(error)}", stage="connect") from None

    def connect(self, taken: Collection[str]) -> list[Link]:
        try:
            nodes = [node for node in self._ray.nodes() if node["Alive"]]
        except Exception as error:
            said = f"the Ray cluster does not answer: {first_line(error)}"
            raise EngineError(said, stage="connect", retry_helps=True) from None
        links: list[Link] = []
        for node in nodes:
            name, processors = f"{node['NodeManagerAddress']} ({node['NodeID'][:8]})", int(node["Resources"].get("CPU", 0))
            if processors and name not in taken:  # a head without processors is there to lead
                links.append(RayNode(self._ray, name, node["NodeID"], processors))
        return links

    def close(self) -> None:
        if self._is_ours:
            self._ray.shutdown()


class RayNode:
    def __init__(self, ray: Any, name: str, node_id: str, processors: int) -> None:
        self._ray, self.name = ray, name
        where = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node_id, soft=False)
        actor = ray.remote(num_cpus=0, max_restarts=0, max_concurrency=THREADS)(NodeWork)
        self._actor = actor.options(scheduling_strategy=where).remote(processors)
        self._is_closed = False

    def start(self, heard: Callable[[bytes], None], ended: Callable[[str], None]) -> None:
        threading.Thread(target=self._read, args=(heard, ended), daemon=True).start()

    def send(self, data: bytes) -> None:
        with contextlib.suppress(Exception):  # a lost actor is found out by whoever reads
            self._actor.give.remote(data)

    def close(self) -> None:
        self._is_closed = True
        with contextlib.suppress(Exception):
            self._ray.get(self._actor.close.remote(), timeout=END_S)
        with contextlib.suppress(Exception):
            self._ray.kill(self._actor)

    def _read(self, heard: Callable[[bytes], None], ended: Callable[[str], None]) -> None:
        while not self._is_closed:
            try:
                data = self._ray.get(self._actor.take.remote())
            except Exception as error:
                return ended(first_line(error))
            heard(data)
        return None


def knock(address: str) -> None:
    """Raises EngineError where nobody listens at HOST:PORT: Ray itself would try for three minutes."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or not host or "/" in host:
        return  # Ray's other ways to name a cluster
    try:
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_S).close()
    except (OSError, OverflowError) as error:
        raise EngineError(f"no Ray cluster at {address}: {error}", stage="connect", retry_helps=True) from None


def first_line(error: Exception) -> str:
    """Ray's errors go on for a page."""
    return f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}"[:300]
