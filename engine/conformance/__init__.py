"""The contract that every isolation level is held to, as a suite that ships with the package: anybody can run
it on their own host, against these isolation levels or a backend of their own.

    case      a case as data: a program, a word, exceptions with their reasons
    cases/    the suite's cases
    secrets   canaries in the caller's environment, files, descriptors and network, and the search for them from inside
    bench     runs cases on an executor and asks what they left behind
    outside   what the host sees of an executor at rest
    isolation levels     which isolation levels this host offers
    suite     all of it: run_conformance(factory, isolation level)
"""

from .bench import Bench, Benches, ExecutorFactory, Result, make_executor
from .case import Case, load_cases
from .levels import Offer, offer, offers
from .suite import run_conformance, suite_cases

__all__ = [
    "Bench",
    "Benches",
    "Case",
    "ExecutorFactory",
    "Offer",
    "Result",
    "load_cases",
    "make_executor",
    "offer",
    "offers",
    "run_conformance",
    "suite_cases",
]
