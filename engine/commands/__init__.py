"""Programs in other languages: compiled once in a jail, run many times in another, judged as scripts are.

toolchain   a language as data: which programs it needs, how it compiles, how it runs
toolchains/ the languages that come with reexec
probe       which of them this host has, and what to install
prepare     what all compilations of a language need, made once
artefacts   what compilers made, by content, in a folder that jails show read-only
inside/     the program of ours that compiles, in a jail
compiler    compiles each program once
trial       whether a language that is here works here
executor    CommandExecutor: the public door
"""

from ..executor import Executor
from .executor import CommandExecutor

AnyExecutor = Executor | CommandExecutor
"""What `run_many` can be asked of, where it does not matter which."""

__all__ = ["AnyExecutor", "CommandExecutor"]
