"""Which calls of libraries write into what they are given.

np.log1p(x, out=x)    np.clip(x, 0, 1, x)    x.clip(0, 1, x)    np.nan_to_num(x, copy=False)
"""

from __future__ import annotations

import inspect
from collections.abc import Collection
from functools import cache
from typing import Any

import numpy as np

from stratum_dask.semantics.table import METHOD_OUTPUTS, WRITES_UNLESS_COPIED


def parameters(func: Any, count: int) -> tuple[str, ...]:
    """Return what the first parameters of a library's function are called.

    Examples
    --------
    >>> parameters(np.log1p, 2), parameters(np.clip, 4)[-1]
    (('in', 'out'), 'out')
    """
    return _parameters(func)[:count] if callable(func) and not isinstance(func, type) else ()


@cache
def _parameters(func: Any) -> tuple[str, ...]:
    if isinstance(func, np.ufunc):
        return ("in",) * func.nin + ("out",) * func.nout
    try:
        return tuple(inspect.signature(func).parameters)
    except ValueError:  # written in C, without a signature
        return ()


def first_output(name: str | None, func: Any) -> int | None:
    """Return how many arguments of a callable by position are only read; None if all are.

    Parameters
    ----------
    name : str or None
        Its canonical name. Of a method, its object is the first argument.
    func : callable

    Examples
    --------
    >>> first_output("numpy.log1p", np.log1p), first_output(".clip", None)
    (1, 3)
    >>> first_output("numpy.array", np.array) is None
    True
    """
    if name is None:
        return None
    if name.startswith("."):
        at = METHOD_OUTPUTS.get(name[1:])
        return None if at is None else at + 1
    copied = name in WRITES_UNLESS_COPIED
    found = (
        i
        for i, one in enumerate(parameters(func, 99))
        if is_output(one) or (copied and one == "copy")
    )
    return next(found, None)


def is_output(parameter: str) -> bool:
    """Tell whether a parameter of this name is written into, or lets others be.

    Examples
    --------
    >>> is_output("out"), is_output("overwrite_a"), is_output("axis")
    (True, True, False)
    """
    return parameter == "out" or parameter.startswith("overwrite")


def writes(name: str | None, func: Any, count: int, keywords: Collection[str]) -> bool:
    """Tell whether a call writes into one of its arguments.

    Parameters
    ----------
    name : str or None
        Canonical name of what is called.
    func : callable
    count : int
        How many arguments it gets by position.
    keywords : collection of str

    Examples
    --------
    >>> writes("numpy.log1p", np.log1p, 2, ()), writes(".fillna", None, 1, ["inplace"])
    (True, True)
    >>> writes("numpy.nan_to_num", np.nan_to_num, 1, ["nan"])
    False
    """
    if "inplace" in keywords or any(map(is_output, keywords)):
        return True
    if name in WRITES_UNLESS_COPIED and "copy" in keywords:
        return True
    first = first_output(name, func)
    return first is not None and count > first
