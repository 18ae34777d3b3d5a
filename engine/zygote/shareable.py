"""What of the interpreter's modules a program that shares a fork may touch: a list of modules, and a look at what it names.

Runs where a program is compiled, in a process of its own in which none of the program has run.
"""

from __future__ import annotations

import functools
import importlib
import types
from enum import Enum
from typing import Any, List, Tuple

# Without state that ordinary use changes; what few of their members change some is in CHANGERS and DENIED_MEMBERS.
MODULES = frozenset(
    """
    abc array base64 binascii bisect cmath collections collections.abc contextlib copy dataclasses datetime difflib enum
    fractions functools graphlib hashlib heapq html itertools json keyword math numbers numpy numpy.fft numpy.linalg
    numpy.random operator queue random re statistics string struct textwrap time typing
    typing_extensions unicodedata zlib __future__
    """.split()
)
"""Importable as a whole. `sys` is allowed for its constants alone."""

SYS_MEMBERS = frozenset(
    ("maxsize", "float_info", "int_info", "version_info", "version", "byteorder", "maxunicode", "hash_info")
)

CHANGERS = frozenset(
    """
    functools.wraps functools.total_ordering dataclasses.dataclass enum.unique enum.verify typing.runtime_checkable
    typing.final typing.override typing.overload
    """.split()
)
"""They write to what they are given: only as decorators, where that is the program's own."""

DENIED_MEMBERS = frozenset(
    """
    abc.ABCMeta abc.get_cache_token abc.update_abstractmethods contextlib.chdir contextlib.redirect_stderr
    contextlib.redirect_stdout dataclasses.make_dataclass enum.global_enum enum.property functools.singledispatch
    functools.singledispatchmethod functools.update_wrapper operator.attrgetter operator.methodcaller string.Formatter
    typing.ForwardRef typing.TypedDict typing.get_type_hints typing.no_type_check typing.no_type_check_decorator
    typing.get_overloads typing.clear_overloads typing.dataclass_transform numpy.errstate numpy.printoptions
    numpy.seterr numpy.seterrcall numpy.seterrobj numpy.setbufsize numpy.set_numeric_ops numpy.add_docstring numpy.add_newdoc
    numpy.DataSource numpy.genfromtxt numpy.fromregex numpy.savez numpy.savez_compressed numpy.load numpy.save numpy.loadtxt
    numpy.savetxt numpy.fromfile numpy.memmap numpy.lookfor numpy.test numpy.get_include numpy.info numpy.source
    numpy.ndarray numpy.recarray numpy.frombuffer numpy.from_dlpack numpy.frompyfunc random.SystemRandom random.setstate
    numpy.random.set_state numpy.random.get_bit_generator numpy.random.set_bit_generator numpy.finfo numpy.polynomial
    time.tzset json.JSONDecoder dataclasses.fields typing.get_args typing.get_origin difflib.HtmlDiff
    contextlib.ExitStack contextlib.AsyncExitStack
    """.split()
)
"""What evaluates text, changes something for everybody, looks at memory or files, finds attributes by their names, or hands out
what a module keeps."""


class Kind(Enum):
    FIXED = "nothing about it can be changed: it may stand anywhere"
    CHANGEABLE = "it may be used, and get no second name"
    MODULE = "a module"


_IMMUTABLE_TYPE, _HEAP_TYPE = 1 << 8, 1 << 9  # of tp_flags
_VALUES = (int, bool, float, complex, str, bytes, type(None), frozenset)
_FUNCTIONS = (
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
)
_WITH_ATTRIBUTES = (types.FunctionType, staticmethod, functools.cached_property)
_DATA = (list, dict, set, bytearray, types.MappingProxyType, types.FrameType, types.CodeType, memoryview)


class Fault(Exception):
    """The message is what must not be touched."""


def look(module: str, path: List[str]) -> Tuple[Kind, str]:
    """What `module.a.b.c` is, and its full name. Raises Fault for what a program that shares a fork must not touch."""
    if module == "sys":
        if not path or path[0] not in SYS_MEMBERS:
            raise Fault(".".join(["sys", *path]))
        return Kind.FIXED, "sys." + path[0]
    if module not in MODULES:
        raise Fault("import of " + module)
    try:
        found: Any = importlib.import_module(module)
    except Exception:  # the program will see why
        raise Fault("import of " + module) from None
    kind, name = Kind.MODULE, module
    for part in path:
        name = "%s.%s" % (name, part)
        if (part.startswith("_") and kind is Kind.MODULE) or name in DENIED_MEMBERS:
            raise Fault(name)
        try:
            found = getattr(found, part)
        except AttributeError:
            raise Fault(name) from None  # for the program too, unless it is a module that comes later
        kind = _kind(found, name)
    return kind, name


def _kind(found: Any, name: str) -> Kind:
    if isinstance(found, types.ModuleType):
        if name not in MODULES or found.__name__ != name:
            raise Fault(name)
        return Kind.MODULE
    if isinstance(found, _DATA):
        raise Fault(name)
    if isinstance(found, type):
        if issubclass(found, type):
            raise Fault(name)
        flags = found.__flags__
        return Kind.FIXED if flags & _IMMUTABLE_TYPE or not flags & _HEAP_TYPE else Kind.CHANGEABLE
    if type(found) in _VALUES or type(found) in _FUNCTIONS:  # not a subclass: members of enumerations have attributes
        return Kind.FIXED
    if type(found).__name__ == "ufunc" and not hasattr(found, "__dict__"):
        return Kind.FIXED
    return Kind.CHANGEABLE


def has_functions(module: str, path: List[str]) -> bool:
    """Whether `module.a.b.c` is a class whose heirs have functions of the module's as attributes."""
    try:
        found: Any = importlib.import_module(module)
        for part in path:
            found = getattr(found, part)
    except Exception:
        return True
    found = getattr(found, "__origin__", None) or found
    members = [item for owner in getattr(found, "__mro__", ()) for item in vars(owner).items()]
    return any(isinstance(value, _WITH_ATTRIBUTES) and not name.endswith("_") for name, value in members)
