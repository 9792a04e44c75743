"""What users declare of their functions and classes."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

_declared: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def declare_pure(func: Callable[..., Any]) -> Callable[..., Any]:
    """Declare that a function's result depends on its arguments alone; usable as a decorator.

    Parameters
    ----------
    func : callable

    Returns
    -------
    callable
        `func` itself.

    Examples
    --------
    >>> import stratum_dask as sd
    >>> @sd.pure
    ... def load(path):
    ...     ...
    """
    return _declare(func, True)


def declare_impure(func: Callable[..., Any]) -> Callable[..., Any]:
    """Declare that every call of a function counts, so that none is merged with another.

    Parameters
    ----------
    func : callable

    Returns
    -------
    callable
        `func` itself.
    """
    return _declare(func, False)


def _declare(func: Callable[..., Any], pure: bool) -> Callable[..., Any]:
    if not callable(func):
        raise TypeError(f"{func!r} is of type {type(func).__name__}; declare what is called")
    _declared[func] = pure
    if isinstance(func, types.FunctionType):
        func.__stratum_pure__ = pure  # type: ignore[attr-defined]  # travels with the pickle
    return func


def declared(func: Any) -> bool | None:
    """Return what the user declared of a callable: pure, impure, or nothing."""
    try:
        if func in _declared:
            return _declared[func]
    except TypeError:  # unhashable, or not weakly referable
        pass
    found = (
        getattr(func, "__stratum_pure__", None) if isinstance(func, types.FunctionType) else None
    )
    return found
