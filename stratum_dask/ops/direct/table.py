"""Which calls have a native form of their own: (canonical name, type of the first argument).

An entry takes the call's real arguments and returns what the library would have returned, bit for
bit, or raises :class:`~stratum_dask.ops.steps.Unsupported` with the reason; then the
library runs the call.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import pandas as pd
from pandas.core.arrays.categorical import CategoricalAccessor

from stratum_dask.ops.direct import categories, dates, text
from stratum_dask.ops.direct.appending import APPENDING
from stratum_dask.ops.direct.bins import BINS
from stratum_dask.ops.direct.choosing import CHOOSING
from stratum_dask.ops.direct.clipping import CLIPPING
from stratum_dask.ops.direct.concat import CONCAT
from stratum_dask.ops.direct.groups import GROUPS
from stratum_dask.ops.direct.joins import JOINS
from stratum_dask.ops.direct.ranks import RANKS
from stratum_dask.ops.direct.rows import ROWS
from stratum_dask.ops.direct.rowwise import ROWWISE
from stratum_dask.ops.direct.spelling import SPELLING
from stratum_dask.ops.direct.windows import WINDOWS
from stratum_dask.ops.steps import Unsupported

Direct = Callable[..., Any]

#: Attributes that lead to methods or rows of a value, and cost nothing by themselves.
_ACCESSORS = {
    pd.Series: frozenset({"dt", "str", "cat", "iloc"}),
    pd.DataFrame: frozenset({"loc", "iloc"}),
    CategoricalAccessor: frozenset({"codes"}),
}


def _attribute(value: Any, name: str, /) -> Any:
    if name not in _ACCESSORS[type(value)]:
        raise Unsupported("attribute")
    return getattr(value, name)


DIRECT: dict[tuple[str, type], Direct] = {
    ("getattr", pd.Series): _attribute,
    ("getattr", pd.DataFrame): _attribute,
    ("getattr", CategoricalAccessor): _attribute,
    **dates.DIRECT,
    **text.DIRECT,
    **APPENDING,
    **categories.DIRECT,
    **GROUPS,
    **BINS,
    **RANKS,
    **ROWWISE,
    **CONCAT,
    **WINDOWS,
    **SPELLING,
    **CLIPPING,
    **CHOOSING,
}

PARTIAL: dict[tuple[str, type], Direct] = {**ROWS, **JOINS, **text.PARTIAL, **dates.PARTIAL}
"""Entries that take first which columns of their result are read (a set of labels, None for all).

What they put into the other columns, nobody sees.
"""

DIRECT_OPS: frozenset[str] = frozenset(op for op, _ in (*DIRECT, *PARTIAL))
"""The canonical names that have an entry for some type and may be part of a fused task."""

ESTIMATOR_OPS: frozenset[str] = frozenset(
    (
        "stratum.fit",
        "stratum.fit_transform",
        "stratum.transform",
        ".fit",
        ".fit_transform",
        ".transform",
        ".predict",
        ".predict_proba",
        ".decision_function",
        ".score",
    )
)
"""The canonical names that have an entry for some estimators; these are never fused."""


def transparent(attribute: str) -> bool:
    """Tell whether reading an attribute of this name may be part of a fused task.

    Examples
    --------
    >>> transparent("str"), transparent("plot")
    (True, False)
    """
    return attribute in dates.FIELDS or any(attribute in names for names in _ACCESSORS.values())


def is_accessor(kind: type, attribute: str) -> bool:
    """Tell whether reading an attribute of a value of this type leads to its methods or rows."""
    return attribute in _ACCESSORS.get(kind, ())


def has_form(op: str | None, kind: type) -> bool:
    """Tell whether a call of this name has an entry for the type of its first argument."""
    return op is not None and _find(op, kind)[0] is not None


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
    function, partial = _find(op, type(args[0]))
    if function is None:
        raise Unsupported("no rule")
    if kwargs and op in ESTIMATOR_OPS:
        raise Unsupported("keyword arguments")
    if partial:
        args = (read, *args)
    least, most = _arity(function)
    if kwargs or not least <= len(args) <= most:
        try:
            _signature(function).bind(*args, **kwargs)
        except TypeError as error:
            raise Unsupported("arguments without a native form") from error
    return function(*args, **kwargs)


def call_parts(op: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Run a call that has no native form as a whole, the parts of its estimator natively.

    Raises
    ------
    Unsupported
        If there are none.
    """
    if op not in ESTIMATOR_OPS or kwargs:
        raise Unsupported("no parts")
    from stratum_dask.ops.direct.preprocessing import call_parts

    return call_parts(op, *args)


@cache
def _signature(function: Direct) -> inspect.Signature:
    return inspect.signature(function)


@cache
def _arity(function: Direct) -> tuple[int, float]:
    """Return how many arguments without names a function takes, at least and at most."""
    parameters = _signature(function).parameters.values()
    if any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters):
        return 1, 0
    named = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    least = sum(p.default is p.empty for p in named)
    return least, math.inf if any(p.kind is p.VAR_POSITIONAL for p in parameters) else len(named)


def _find(op: str, kind: type) -> tuple[Direct | None, bool]:
    """Return the entry for a call, and whether it takes the columns that are read."""
    function = DIRECT.get((op, kind))
    if function is not None:
        return function, False
    if op in ESTIMATOR_OPS and kind.__module__.startswith("sklearn."):
        # Imported here: whoever has such an object has paid for importing its module.
        from stratum_dask.ops.direct.preprocessing import ENTRIES

        return ENTRIES.get((op, kind)), False
    return PARTIAL.get((op, kind)), True
