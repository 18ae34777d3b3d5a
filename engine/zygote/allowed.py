"""The words that decide whether checks may share a fork (sharing.py): data, no code."""

from __future__ import annotations

DENIED_ATTRIBUTES = frozenset(
    """
    register seterr seterrcall setbufsize set_printoptions set_string_function setfirstweekday set_state setstate gi_frame
    gi_code cr_frame ag_frame f_back f_globals f_locals f_builtins f_code tb_frame tb_next func_globals cache_clear
    cache_info ctypes ctypeslib testing test f2py distutils lib memmap load save loadtxt savetxt fromfile tofile modules
    intern mro default_factory func buffer_info unicode_whitespace_trans dump fromhandle get_overloads
    obj default parse_object parse_array
    """.split()
)

OWN_METHODS = frozenset(
    """
    __init__ __name__ __doc__ __len__ __iter__ __next__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __hash__ __repr__
    __str__ __bool__ __int__ __float__ __index__ __contains__ __getitem__ __setitem__ __delitem__ __missing__ __call__
    __enter__ __exit__ __add__ __radd__ __iadd__ __sub__ __rsub__ __isub__ __mul__ __rmul__ __imul__ __truediv__
    __rtruediv__ __floordiv__ __rfloordiv__ __mod__ __rmod__ __pow__ __rpow__ __neg__ __pos__ __abs__ __invert__ __and__
    __or__ __xor__ __lshift__ __rshift__ __divmod__ __round__ __reversed__ __post_init__ __format__ __matmul__ __slots__
    __name__ __copy__ __deepcopy__ __new__ __version__
    """.split()
)
"""With two underscores, and all the same of the program's own making."""

DENIED_NAMES = frozenset(
    """
    __import__ __builtins__ __loader__ __spec__ breakpoint compile copyright credits delattr dir eval exec exit globals
    hash help id input license locals memoryview open quit setattr vars
    """.split()
)

TEXTS = frozenset(("__name__", "__doc__", "__version__", "__slots__"))
"""Of OWN_METHODS, what is read and not called. A method that is kept may be a function of a class of a module's."""

OF_MEMBERS = frozenset(("_value_", "_name_"))
"""What begins and ends with one underscore is an enumeration's machinery, but for these."""

ONLY_CALLED = frozenset(("getattr", "hasattr", "type"))

HASHED_BY_VALUE = frozenset(
    ("NamedTuple", "Enum", "IntEnum", "StrEnum", "Flag", "IntFlag", "TypedDict", "Protocol", "int", "str", "tuple")
)

# What a name that a module gave may be an argument of without getting a second name: of what is built in or a module gave, and
# never of a function of the program's that has such a name.
TAKES_TYPES = {"isinstance": 1, "issubclass": 1, "defaultdict": 0, "cast": 0}
TAKES_FUNCTION = {"map": 0, "filter": 0, "reduce": 0, "partial": 0}
TAKES_KEY = frozenset(("sorted", "min", "max", "sort"))
TAKES_BY_NAME = frozenset(("default_factory", "dtype"))
BUILT_IN_TYPES = frozenset(("list", "dict", "tuple", "set", "frozenset", "type"))
