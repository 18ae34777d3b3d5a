"""The isolation levels as objects: what each offers, refuses and enforces, and how it starts a worker.

base        Backend: what every level answers
nsjail      a jail with namespaces, with or without a control group for the checks
restricted  no jail: a process that gives up what a check must not have
bare        no isolation at all
"""

from reexec.policies.model import IsolationLevel

from .bare import BareBackend
from .base import Backend
from .nsjail import NsjailBackend
from .restricted import RestrictedBackend

BACKENDS: dict[IsolationLevel, Backend] = {
    backend.level: backend
    for backend in (NsjailBackend(grouped=True), NsjailBackend(grouped=False), RestrictedBackend(), BareBackend())
}
"""Strongest first."""

__all__ = ["BACKENDS", "Backend"]
