"""The isolation level `none`: the interpreter as an ordinary process of the caller's. Limits hold an honest program."""

from reexec.policies.model import IsolationLevel

from ..config import environment, zygote_command
from ..launch import Command
from .base import Backend, Start, write_harness


class BareBackend(Backend):
    level = IsolationLevel.NONE
    knows_outside_kills = False

    def unavailable(self) -> str:
        return ""

    def _command(self, start: Start) -> Command:
        command = zygote_command(start.interpreter, start.channel_fd, folder=write_harness(start.folder), alone=False)
        return Command(command, environment(start.policy, start.cache))
