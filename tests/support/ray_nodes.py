"""A Ray cluster on this machine, as a process: each of its nodes is a raylet of its own, and any of them can be pulled out.

python -m tests.support.ray_nodes 3 FOLDER     # prints `up ADDRESS`, or `no REASON`
kill 1                                         # on its standard input; prints `killed`
                                               # ends with its input
"""

import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PATIENCE_S = 200.0
STORE_BYTES = 80 << 20  # the least that Ray takes


def main() -> None:
    count, folder = int(sys.argv[1]), sys.argv[2]
    try:
        cluster, nodes = started(count, folder)
    except Exception as error:
        print("no", " ".join(f"{type(error).__name__}: {error}".split())[:500], flush=True)
        return
    print("up", cluster.address, flush=True)
    for line in sys.stdin:
        cluster.remove_node(nodes[int(line.split()[1])], allow_graceful=False)
        print("killed", flush=True)
    cluster.shutdown()


def started(count: int, folder: str) -> tuple[Any, list[Any]]:
    """The cluster and its nodes, the head first."""
    from ray._private import services
    from ray.cluster_utils import Cluster

    be_patient(services)
    Path(tempfile.gettempdir(), "ray").mkdir(exist_ok=True)  # cluster_utils writes its address there, wherever the session is
    cluster = Cluster()
    nodes = []
    for number in range(count):
        head = {"include_dashboard": False, "temp_dir": folder} if number == 0 else {}
        ports = {"metrics_export_port": free_port(), "runtime_env_agent_port": free_port()}
        nodes.append(cluster.add_node(wait=False, num_cpus=1, object_store_memory=STORE_BYTES, **head, **ports))
    return cluster, nodes


def be_patient(services: Any) -> None:
    """Ray ends a node whose agents take more than 15 s to import their modules, and gives up one that is not up after 30 s: on
    a machine of two processors with other work they do. The agents' ports are written before they come; nothing here uses them.
    """
    start_raylet, get_node = services.start_raylet, services.get_node

    def start(*arguments: Any, **more: Any) -> Any:
        node, session = arguments[2], Path(arguments[11])
        ports = {"runtime_env_agent": more["runtime_env_agent_port"], "metrics_agent": -1, "metrics_export": -1}
        for name, port in {**ports, "dashboard_agent_listen": -1}.items():
            (session / f"{name}_port_{node}").write_text(str(port))
        return start_raylet(*arguments, **more)

    def get(*arguments: Any, **more: Any) -> Any:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return get_node(*arguments, **more)
            except RuntimeError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)

    services.start_raylet, services.get_node = start, get


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
