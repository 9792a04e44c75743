"""What objects of users' own classes are that only hold values: named tuples, enums, dataclasses.

Such an object is what its class does and what it holds. Others, whose methods do more than
compute something of what they hold, cannot be identified.
"""

from __future__ import annotations

import dataclasses
import types
from collections import namedtuple
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from stratum_dask.bytecode import effects
from stratum_dask.bytecode.bindings import inside
from stratum_dask.literals import Special, Unknown, encode
from stratum_dask.semantics import of_library

_PLAIN = frozenset(vars(namedtuple("Plain", "")))
_BY_DATACLASS = frozenset(
    f"__{name}__"
    for name in (
        "init",
        "repr",
        "eq",
        "lt",
        "le",
        "gt",
        "ge",
        "hash",
        "setattr",
        "delattr",
        "replace",
    )
)
_MAKING = frozenset({"__init__", "__post_init__", "__repr__", "__str__"})


def encode_record(
    value: Any, special: Special, code: Callable[[types.FunctionType], bytes]
) -> bytes | None:
    """Encode a record.

    Parameters
    ----------
    value : object
    special : callable
        As :func:`stratum_dask.literals.encode` takes it, for what the record holds.
    code : callable
        Identifies a function of the user.

    Returns
    -------
    bytes or None
        None if it is no object of a user's class that only holds values.

    Raises
    ------
    Unknown
        If a method does more than compute something.
    """
    kind = type(value)
    held = _held(value, kind)
    users_meta = type(kind) is not type and of_library(type(kind)) is None
    if held is None or users_meta or of_library(kind) is not None:
        return None
    parts = [encode([kind.__module__, kind.__qualname__])]
    for name, function in _functions(kind):
        found = effects(function, kind)
        if name not in _MAKING and (found.reason is not None or found.mutates):
            why = found.reason or "may change what it is given"
            raise Unknown(f"has an object of the class {kind.__name__}, whose {name} {why}")
        parts += [name.encode(), code(function)]
    return b"O" + b"".join(parts) + encode([held, _class_values(kind)], special)


def _held(value: Any, kind: type) -> list[Any] | None:
    """Return what a record holds; None if it is none."""
    if isinstance(value, Enum):
        return [value.name, [(one.name, one.value, _attributes(one)) for one in kind]]  # type: ignore[attr-defined]
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return [kind._fields, tuple(value), _attributes(value)]
    if dataclasses.is_dataclass(kind) and type(kind) is type and not callable(value):
        names = {field.name: getattr(value, field.name, None) for field in dataclasses.fields(kind)}
        return [sorted(names.items()), _attributes(value)]
    return None


def _attributes(value: Any) -> list[tuple[str, Any]]:
    """Return what was stored in an object, in slots or not."""
    found = dict(getattr(value, "__dict__", {}))
    for base in type(value).__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name):
                found[name] = getattr(value, name)
    return sorted((name, one) for name, one in found.items() if name not in _OF_ENUMS)


_OF_ENUMS = frozenset({"_name_", "_value_", "__objclass__", "_sort_order_", "__weakref__"})


def _class_values(kind: type) -> list[tuple[str, Any]]:
    """Return what the class itself holds: constants that its objects share."""
    found: dict[str, Any] = {}
    if not issubclass(kind, Enum):
        for base in kind.__mro__:
            if of_library(base) is None and base.__module__ != "builtins":
                found = {**vars(base), **found}
    names = _PLAIN | frozenset(getattr(kind, "_fields", ()))
    return [
        (name, value)
        for name, value in sorted(found.items())
        if not name.startswith("__")
        and name not in names
        and not isinstance(value, types.FunctionType)
        and not hasattr(type(value), "__get__")
    ]


def _functions(kind: type) -> Iterator[tuple[str, types.FunctionType]]:
    """Yield the functions that users wrote into a class, by name."""
    for base in kind.__mro__:
        if of_library(base) is not None or base.__module__ == "builtins":
            continue
        generated = _PLAIN if issubclass(base, tuple) else frozenset[str]()
        for name, member in sorted(vars(base).items()):
            for one in inside(member) if name not in generated else ():
                if not isinstance(one, types.FunctionType):
                    continue
                made = name in _BY_DATACLASS and one.__code__.co_filename == "<string>"
                by_python = of_library(one) is not None and not hasattr(one, "__wrapped__")
                if not (made or by_python):
                    yield name, one
