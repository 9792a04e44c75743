"""What the names and parameters of functions are bound to."""

from __future__ import annotations

import builtins
import inspect
import types
from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import PurePath
from typing import Any

import numpy as np

from stratum_dask.semantics import name_of, of_library, written

MISSING = object()
"""What a name stands for that is bound to nothing."""

CONSTANT = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    np.generic,
    PurePath,
)
"""Types of values that nobody can change."""


def is_constant(value: Any) -> bool:
    """Tell whether nobody can change a value.

    Examples
    --------
    >>> is_constant((1, "a")), is_constant((1, ["a"]))
    (True, False)
    """
    if isinstance(value, tuple | frozenset):
        return all(map(is_constant, value))
    return isinstance(value, CONSTANT)


def holds_value(owner: Any, name: str) -> bool:
    """Tell whether an attribute of a module, or of a user's class, is bound to something there.

    Examples
    --------
    >>> class Config:
    ...     SEED = 0
    ...     def method(self): ...
    >>> holds_value(Config, "SEED"), holds_value(Config, "method"), holds_value(inspect, "bind")
    (True, False, True)
    """
    if isinstance(owner, types.ModuleType):
        return True
    if type(owner) is not type or of_library(owner) is not None:
        return False
    held = inspect.getattr_static(owner, name, MISSING)
    return held is not MISSING and not callable(held) and not hasattr(type(held), "__get__")


def attributes(func: types.FunctionType) -> dict[str, Any]:
    """Return what users stored in a function, by name."""
    return {name: value for name, value in vars(func).items() if not name.startswith("__")}


def inside(member: Any) -> tuple[Any, ...]:
    """Return what a class holds as one of its attributes, as the user wrote it: functions mostly.

    Examples
    --------
    >>> class Config:
    ...     half = property(lambda self: self.value / 2)
    >>> [one.__name__ for one in inside(vars(Config)["half"])]
    ['<lambda>']
    """
    names = _HOLDING.get(type(member))
    found = [getattr(member, name) for name in names] if names else [member]
    return tuple(written(one) for one in found if names is None or one is not None)


_HOLDING: dict[type, tuple[str, ...]] = {
    property: ("fget", "fset", "fdel"),
    cached_property: ("func",),
    classmethod: ("__func__",),
    staticmethod: ("__func__",),
}
"""What of Python's wrappers holds the functions that they call."""


def is_settled(func: types.FunctionType, uses: dict[str, Any]) -> bool:
    """Tell whether a function's identity can change only by binding its names anew.

    Parameters
    ----------
    func : function
    uses : dict of str to object
        What it refers to, from :func:`effects`; other functions of the user are not looked into.
    """
    defaults = (*(func.__defaults__ or ()), *(func.__kwdefaults__ or {}).values())
    return (
        not attributes(func)
        and all(map(is_constant, defaults))
        and all(
            isinstance(value, types.ModuleType | types.FunctionType | type)
            or is_constant(value)
            or bool(name_of(value))
            for value in uses.values()
        )
    )


def is_current(func: types.FunctionType, uses: dict[str, Any]) -> bool:
    """Tell whether all names that a settled function refers to still stand for the same."""
    cells = dict(zip(func.__code__.co_freevars, func.__closure__ or (), strict=True))
    for path, value in uses.items():
        root, *attributes = path.split(".")
        if root in cells:
            current = cells[root].cell_contents
        else:
            current = func.__globals__.get(root, getattr(builtins, root, MISSING))
        for attribute in attributes:
            current = getattr(current, attribute, MISSING)
        if current is not value:
            return False
    return True


def arguments(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Yield the parameters of a call and what they are given, defaults included.

    Raises
    ------
    TypeError
        If the call does not fit the function.
    """
    bound = inspect.signature(func).bind(*args, **kwargs)
    bound.apply_defaults()
    yield from bound.arguments.items()


def positions_of(func: Any, names: frozenset[str]) -> tuple[int, ...] | None:
    """Return at which positions a function takes the parameters of these names.

    Returns
    -------
    tuple of int or None
        None if one of them is no parameter that is given by position.

    Examples
    --------
    >>> positions_of(lambda a, b: a, frozenset({"b"}))
    (1,)
    """
    if not names:
        return ()
    if not isinstance(func, types.FunctionType):
        return None
    plain = func.__code__.co_varnames[: func.__code__.co_argcount]
    if not names <= set(plain):
        return None
    return tuple(i for i, name in enumerate(plain) if name in names)


def unwrapped(func: Any) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """Return the function inside nested partials, and the arguments that they fix."""
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    while isinstance(func, partial):
        args, kwargs, func = (*func.args, *args), {**func.keywords, **kwargs}, func.func
    return func, args, kwargs
