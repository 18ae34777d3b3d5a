"""Which modules the worker of a program should have imported already.

Loading numpy doubles the memory of a zygote and with it the price of every fork, so a worker has only what its
programs name. The source is searched as text: a name that is not used costs a dearer fork, a name that is hidden from
the search costs an import in the check; neither changes a verdict.
"""

import ast
import re
from collections import OrderedDict

from reexec.policies.model import Policy

from ..program import Program

_REMEMBERED = 4096


class Warmth:
    def __init__(self, policy: Policy) -> None:
        self._module_of = {module: module for module in policy.warm}
        for statement in policy.prelude:
            for node in ast.walk(ast.parse(statement)):
                if isinstance(node, ast.Import):
                    for alias in node.names:
                        top = alias.name.partition(".")[0]
                        if top in policy.warm and alias.asname:
                            self._module_of[alias.asname] = top
        words = "|".join(map(re.escape, sorted(self._module_of)))
        self._pattern = re.compile(rf"\b(?:{words})\b") if words else None
        self._known: OrderedDict[str, frozenset[str]] = OrderedDict()

    def of(self, program: Program) -> frozenset[str]:
        key = self._known.get(program.id)
        if key is None:
            found = self._pattern.findall(program.source) if self._pattern else ()
            key = frozenset(self._module_of[word] for word in found)
            self._known[program.id] = key
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return key
