"""What users' classes are, as content: their code, what they hold, and what they come from."""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

from stratum_dask.bytecode import effects
from stratum_dask.bytecode.bindings import inside
from stratum_dask.literals import Special, Unknown, digest, encode
from stratum_dask.semantics import MUTATING_METHODS, PURE_METHODS, declared, of_library
from stratum_dask.versions import version
from stratum_dask.writers import CALLED

Callers = tuple[int, ...]
"""The ids of the functions and classes that are being identified, the outermost first."""
Code = Callable[[types.FunctionType, Callers], bytes]

_CALLED_BY_NAME = frozenset({"get_params", "set_params", *CALLED}) | PURE_METHODS | MUTATING_METHODS
_NOT_CALLED = frozenset(
    {"__class_getitem__", "__init_subclass__", "__repr__", "__str__", "__subclasshook__"}
)
_MADE_BY_PYTHON = frozenset(
    f"__{name}__"
    for name in (
        *("abstractmethods", "annotate", "annotate_func", "annotations", "annotations_cache"),
        *("classcell", "dict", "doc", "firstlineno", "module", "orig_bases", "parameters"),
        *("qualname", "slotnames", "slots", "static_attributes", "type_params", "weakref"),
    )
)
_MADE_BY_LIBRARIES = frozenset({"_abc_impl", "_parameter_constraints"})


def encode_class(
    kind: type,
    code: Code,
    special: Special,
    pure: bool | None = None,
    callers: Callers = (),
) -> bytes:
    """Identify a class: a library's by its name, the user's by its code and what it comes from.

    Parameters
    ----------
    kind : type
    code : callable
        Identifies a function of the user.
    special : callable
        As :func:`stratum_dask.literals.encode` takes it, for what the class holds.
    pure : bool, optional
        What the user says of it, or of what is made of it; asked for if it is None.
    callers : tuple of int

    Raises
    ------
    Unknown
        If it is neither known to be pure nor said to be.
    """
    if of_library(kind) is not None:
        return _name(kind)
    said = declared(kind) if pure is None else pure
    if said is False:
        raise Unknown(f"has an estimator of the class {kind.__name__}, declared impure")
    if id(kind) in callers:
        return again(kind, callers)
    callers = (*callers, id(kind))
    held = partial(_held, special=special)
    parts = [_metaclass(kind, said)]
    for base in kind.__mro__:
        if of_library(base) is not None or base.__module__ == "builtins":
            parts.append(_name(base))
            continue
        parts.append(encode(base.__name__))
        for name, member in sorted(vars(base).items()):
            if name in _MADE_BY_PYTHON or name in _MADE_BY_LIBRARIES:
                continue
            parts.append(name.encode())
            for one in inside(member):
                if not isinstance(one, types.FunctionType):
                    parts.append(encode(one, held))
                    continue
                if not said and _is_called(name, member):
                    _check(kind, name, one)
                parts.append(code(one, callers))
    return digest(b"".join(parts))


def again(value: Any, callers: Callers) -> bytes:
    """Identify what refers to itself by how far up it is among what is being identified."""
    return b"recursive%d" % (len(callers) - callers.index(id(value)))


def _name(kind: type) -> bytes:
    return encode([kind.__module__, kind.__qualname__, version(kind)])


def _metaclass(kind: type, said: bool | None) -> bytes:
    """Identify the class of a class, whose code is not looked into."""
    meta = type(kind)
    if meta is not type and of_library(meta) is None and not said:
        raise Unknown(f"has an object of the class {kind.__name__}, with a metaclass of its own")
    return encode([meta.__module__, meta.__qualname__])


def _is_called(name: str, member: Any) -> bool:
    """Tell whether a function in a class may be called where nothing in the code says so."""
    if isinstance(member, property | cached_property) or name in _CALLED_BY_NAME:
        return True
    return name.startswith("__") and name.endswith("__") and name not in _NOT_CALLED


def _check(kind: type, name: str, function: types.FunctionType) -> None:
    found = effects(function, kind)
    reason = found.reason
    if found.seeds or found.settings or found.paths:
        reason = reason or "reads a file or takes a seed"
    if reason is not None:
        raise Unknown(
            f"has an estimator of the class {kind.__name__}, whose method {name} "
            f"{reason}; declare the class with stratum_dask.pure if its fits "
            "and predictions depend on nothing but parameters and data"
        )


def _held(value: Any, special: Special) -> bytes | None:
    """Encode an attribute of a class; what libraries add to it follows from its code."""
    if of_library(type(value)) is not None and type(value).__module__.startswith("sklearn."):
        return type(value).__qualname__.encode()
    return special(value)
