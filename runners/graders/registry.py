"""The tasks by name."""

from reexec.engine.errors import UsageError

from .evalplus import EvalPlus
from .humaneval import HumanEval
from .io_tests import IoTests
from .mbpp import Mbpp
from .packages.task import PackageTask
from .task import Task

TASKS: dict[str, type[Task]] = {task.name: task for task in (HumanEval, Mbpp, EvalPlus, IoTests, PackageTask)}


def task_named(name: str) -> type[Task]:
    if name not in TASKS:
        raise UsageError(f"no task {name!r}; known ones are {', '.join(TASKS)}")
    return TASKS[name]
