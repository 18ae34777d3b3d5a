"""What Prometheus reads at /metrics: counters of this process, and what the executor counts itself."""

import time
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from reexec.engine.executor import Executor
from reexec.engine.outcome import Outcome
from reexec.engine.version import VERSION

from .desk import Desk

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)


class Metrics:
    def __init__(self, executor: Executor, desk: Desk) -> None:
        registry = self._registry = CollectorRegistry(auto_describe=False)
        self._executor, self._desk, self._began = executor, desk, time.time()
        self._requests = Counter("reexec_requests", "Requests by route and status.", ("route", "status"), registry=registry)
        self._outcomes = Counter("reexec_outcomes", "Calls that ran, by what came of them.", ("kind",), registry=registry)
        self._verdicts = Counter("reexec_verdicts", "Checks that were judged, by verdict.", ("word",), registry=registry)
        self._run_s = Histogram(
            "reexec_run_seconds", "Elapsed seconds of a call in its sandbox.", buckets=_SECONDS, registry=registry
        )
        self._cpu_s = Counter("reexec_cpu_seconds", "Processor seconds that calls used.", registry=registry)
        self._queue_s = Histogram(
            "reexec_queue_seconds", "Seconds of a call from its arrival to its result, without its run.",
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        registry.register(self)

    def request(self, route: str, status: int) -> None:
        self._requests.labels(route, str(status)).inc()

    def ran(self, outcome: Outcome, elapsed_s: float) -> None:
        self._outcomes.labels(outcome.kind).inc()
        self._run_s.observe(outcome.usage.wall_s)
        self._cpu_s.inc(max(0.0, outcome.usage.cpu_s))
        self._queue_s.observe(max(0.0, elapsed_s - outcome.usage.wall_s))

    def judged(self, word: str) -> None:
        self._verdicts.labels(word).inc()

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Any]:
        """Read when it is asked for."""
        found = self._executor.statistics()
        yield GaugeMetricFamily("reexec_queue_calls", "Calls of requests that are on their way.", self._desk.calls)
        yield GaugeMetricFamily("reexec_held_bytes", "Bytes of requests and answers.", self._desk.held_bytes)
        yield GaugeMetricFamily("reexec_workers", "Live workers.", len(self._executor.worker_pids()))
        yield GaugeMetricFamily("reexec_start_time_seconds", "When the service began, Unix time.", self._began)
        yield CounterMetricFamily("reexec_workers_started", "Workers started, the first ones included.", found.workers_started)
        yield CounterMetricFamily("reexec_worker_restarts", "Workers that died and were replaced.", found.worker_deaths)
        yield CounterMetricFamily("reexec_calls_submitted", "Calls given to the executor.", found.submitted)
        yield CounterMetricFamily("reexec_calls_cancelled", "Calls that nobody waited for any more.", found.cancelled)
        yield CounterMetricFamily("reexec_calls_retried", "Runs repeated because a worker died.", found.retried)
        yield CounterMetricFamily("reexec_engine_errors", "Calls that the host failed on.", found.engine_errors)
        info = GaugeMetricFamily("reexec_info", "What runs here.", labels=("version", "isolation", "policy"))
        info.add_metric([VERSION, self._executor.isolation.value, self._executor.policy.name], 1)
        yield info
