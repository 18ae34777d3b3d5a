"""Which modules the worker of a program should have imported already: its kind.

Loading numpy doubles the memory of a zygote and with it the price of every fork, so a worker has only what its
programs name. Packages come from the policy (`warm`); which of their submodules to load is learnt from the programs, because
some of them take seconds (`scipy.stats`) and most are never used. A kind grows by what its programs name, so that a few kinds
serve them all; how many there are, and how much each loads, is bounded, whatever the programs say.

The source is searched as text: a name that is not used costs a dearer fork, a name that is hidden from the search costs an
import in the check; neither changes a verdict.
"""

import ast
import re
from collections import OrderedDict

from reexec.policies.model import Policy

from ..program import Program

MAX_KINDS = 16
MAX_SUBMODULES = 24
"""Of all packages of a kind together."""
_REMEMBERED = 4096
_MOST_NAMES = 64  # of one program
_NAME = r"[A-Za-z_]\w{0,40}"

Kind = frozenset[str]
"""Packages, and submodules as `package.name`."""


class Preload:
    def __init__(self, policy: Policy) -> None:
        self._package_of = {name: name for name in policy.warm}
        for statement in policy.prelude:
            for node in ast.walk(ast.parse(statement)):
                if isinstance(node, ast.Import):
                    for alias in node.names:
                        top = alias.name.partition(".")[0]
                        if top in policy.warm and alias.asname:
                            self._package_of[alias.asname] = top
        words = "|".join(map(re.escape, sorted(self._package_of)))
        packages = "|".join(map(re.escape, sorted(policy.warm)))
        self._words = re.compile(rf"\b(?:{words})\b") if words else None
        self._dotted = re.compile(rf"\b({packages})\.({_NAME})")
        self._from = re.compile(rf"\bfrom +({packages}) +import +(\([\w, \t\n]{{1,400}}|[\w, \t]{{1,400}})")
        self._known: OrderedDict[str, Kind] = OrderedDict()  # packages by program
        self._kinds: dict[Kind, Kind] = {frozenset(): frozenset()}  # by their packages

    def of(self, program: Program) -> Kind:
        """What to import before the first check of `program`. Programs that are learnt later may make the answer larger."""
        packages = self._known.get(program.id)
        if packages is None:
            packages = self.learn(program)
        kind = self._kinds.get(packages)
        return self._nearest(packages) if kind is None else kind

    def learn(self, program: Program) -> Kind:
        """Lets the kind of a program grow by what it names; its packages."""
        packages = self._known.get(program.id)
        if packages is not None:
            return packages
        packages, submodules = self._names(program.source)
        self._known[program.id] = packages
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        kind = self._kinds.get(packages)
        if kind is None:
            if len(self._kinds) >= MAX_KINDS:
                return packages
            kind = packages
        room = MAX_SUBMODULES - (len(kind) - len(packages))
        self._kinds[packages] = kind.union(sorted(submodules - kind)[: max(0, room)])
        return packages

    def _names(self, source: str) -> tuple[Kind, Kind]:
        if self._words is None:
            return frozenset(), frozenset()
        packages = frozenset(self._package_of[word] for word in self._words.findall(source))
        submodules = {f"{package}.{name}" for package, name in self._dotted.findall(source)}
        for package, names in self._from.findall(source):
            submodules.update(f"{package}.{name}" for name in re.findall(_NAME, names))
        return packages, frozenset(sorted(submodules)[:_MOST_NAMES])

    def _nearest(self, packages: Kind) -> Kind:
        """Of the kinds that there are, the one that has most of the packages and least beside them."""
        best = min(self._kinds, key=lambda other: (len(packages - other), len(other - packages), sorted(other)))
        return self._kinds[best]
