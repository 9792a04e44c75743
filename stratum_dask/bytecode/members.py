"""What a class holds under the names that its methods call on ``self`` and ``super()``."""

from __future__ import annotations

import dis
import inspect
import types
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

from stratum_dask.bytecode.bindings import inside, is_constant
from stratum_dask.semantics import of_library

_INHERITED = frozenset(
    f"__{name}__" for name in ("init", "getstate", "setstate", "sklearn_is_fitted", "sklearn_tags")
)
"""Methods of libraries' classes that users' methods call by ``super()``, besides the known ones."""


class Member(NamedTuple):
    """What a class holds under a name.

    Attributes
    ----------
    value : object
    functions : tuple
        What is called when it is called, or loaded: functions of the user.
    bound : bool
        Whether it is a plain method, whose first parameter is the object.
    on_access : bool
        Whether loading it runs its functions.
    """

    value: Any
    functions: tuple[Any, ...]
    bound: bool
    on_access: bool


def member(kind: type, name: str, owner: Any = None) -> Member | None:
    """Find what the user's classes among a class and its bases hold under a name.

    Parameters
    ----------
    kind : type
    name : str
    owner : type, optional
        Look only behind it, as ``super()`` in its methods does.

    Returns
    -------
    Member or None
        None if it is an attribute of objects, or a library's.

    Examples
    --------
    >>> class Base:
    ...     def f(self): ...
    >>> class Derived(Base):
    ...     def f(self): return super().f()
    >>> member(Derived, "f").value is Derived.f, member(Derived, "f", Derived).value is Base.f
    (True, True)
    """
    base = _holder(kind, name, owner)
    if base is None or of_library(base) is not None or base.__module__ == "builtins":
        return None
    value = vars(base)[name]
    on_access = isinstance(value, property | cached_property)
    functions = inside(value)
    if not (on_access or any(isinstance(one, types.FunctionType) for one in functions)):
        functions = ()
    return Member(value, functions, isinstance(value, types.FunctionType), on_access)


def _holder(kind: type, name: str, owner: Any) -> type | None:
    bases = kind.__mro__
    if owner is not None:
        bases = bases[bases.index(owner) + 1 :] if owner in bases else ()
    return next((base for base in bases if name in vars(base)), None)


def is_inherited(kind: type, name: str, owner: Any) -> bool:
    """Tell whether a method of a library's class is harmless that ``super()`` finds."""
    return name in _INHERITED and _holder(kind, name, owner) is not None


def is_attribute(kind: type, name: str) -> bool:
    """Tell whether a class holds nothing under a name, so that only its objects may."""
    return _holder(kind, name, None) is None


def held_by_class(kind: type, name: str) -> bool:
    """Tell whether an attribute is a value that all objects of a class share, and may change."""
    found = member(kind, name)
    if found is None or found.functions or is_constant(found.value) or callable(found.value):
        return False
    made = member(kind, "__init__")
    return made is None or not any(
        one.opname == "STORE_ATTR" and one.argval == name
        for function in made.functions
        for one in dis.get_instructions(function)
    )


def has_own_seed(kind: type) -> bool:
    """Tell whether objects of a class are given a parameter ``random_state``."""
    return "random_state" in inspect.signature(kind).parameters


def called_by_super(
    instructions: Sequence[dis.Instruction], at: int
) -> tuple[int, str, dis.Instruction | None] | None:
    """Read what follows the name ``super``.

    Returns
    -------
    (int, str, Instruction or None) or None
        The position after it, the attribute, and what loads the class if it is written out. None
        if it is nothing of that kind.
    """
    rest = instructions[at + 1 : at + 5]
    if len(rest) < 2:
        return None
    if rest[0].opname.startswith("CALL") and rest[0].arg == 0:  # before Python 3.12
        return _attribute(rest[1], at + 3, None)
    if len(rest) < 3:
        return None
    if rest[2].opname.startswith("LOAD_SUPER"):
        return at + 4, str(rest[2].argval), rest[0]
    if rest[2].opname.startswith("CALL") and rest[2].arg == 2 and len(rest) == 4:
        return _attribute(rest[3], at + 5, rest[0])
    return None


def _attribute(
    load: dis.Instruction, after: int, owner: dis.Instruction | None
) -> tuple[int, str, dis.Instruction | None] | None:
    if load.opname not in ("LOAD_ATTR", "LOAD_METHOD"):
        return None
    return after, str(load.argval), owner
