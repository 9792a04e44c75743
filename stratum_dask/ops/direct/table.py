"""Which calls have a native form of their own: (canonical name, type of the first argument).

An entry takes the call's real arguments and returns what the library would have returned, bit for
bit, or raises :class:`~stratum_dask.ops.steps.Unsupported` with the reason; then the
library runs the call.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import pandas as pd

from stratum_dask.ops.direct import categories, dates, text
from stratum_dask.ops.direct.groups import GROUPS
from stratum_dask.ops.direct.joins import JOINS
from stratum_dask.ops.direct.rows import ROWS
from stratum_dask.ops.steps import Unsupported

Direct = Callable[..., Any]

#: Attributes that lead to methods or rows of a value, and cost nothing by themselves.
_ACCESSORS = {
    pd.Series: frozenset({"dt", "str", "cat", "iloc"}),
    pd.DataFrame: frozenset({"loc", "iloc"}),
}


def _attribute(value: Any, name: str, /) -> Any:
    if name not in _ACCESSORS[type(value)]:
        raise Unsupported("attribute")
    return getattr(value, name)


DIRECT: dict[tuple[str, type], Direct] = {
    ("getattr", pd.Series): _attribute,
    ("getattr", pd.DataFrame): _attribute,
    **dates.DIRECT,
    **text.DIRECT,
    **categories.DIRECT,
    **GROUPS,
}

PARTIAL: dict[tuple[str, type], Direct] = {**ROWS, **JOINS}
"""Entries that take first which columns of their result are read (a set of labels, None for all).

What they put into the other columns, nobody sees.
"""

DIRECT_OPS: frozenset[str] = frozenset(op for op, _ in (*DIRECT, *PARTIAL))
"""The canonical names that have an entry for some type."""


def transparent(attribute: str) -> bool:
    """Tell whether reading an attribute of this name may be part of a fused task.

    Examples
    --------
    >>> transparent("str"), transparent("plot")
    (True, False)
    """
    return attribute in dates.FIELDS or any(attribute in names for names in _ACCESSORS.values())


def call(
    op: str | None,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    read: frozenset[str] | None = None,
) -> Any:
    """Run a call natively.

    Parameters
    ----------
    op : str or None
        Canonical name.
    args, kwargs
        The call's arguments.
    read : set of str or None
        The columns of the result that anybody will read, None for all.

    Returns
    -------
    object
        What the library would have returned.

    Raises
    ------
    Unsupported
        If the library has to run it; the message says why.
    """
    if op is None or not args:
        raise Unsupported("no rule")
    key = op, type(args[0])
    function = DIRECT.get(key)
    if function is None:
        function, args = PARTIAL.get(key), (read, *args)
    if function is None:
        raise Unsupported("no rule")
    try:
        _signature(function).bind(*args, **kwargs)
    except TypeError as error:
        raise Unsupported("arguments") from error
    return function(*args, **kwargs)


@cache
def _signature(function: Direct) -> inspect.Signature:
    return inspect.signature(function)
