"""Which calls have a native form of their own: (canonical name, type of the first argument).

An entry takes the call's real arguments and returns what the library would have returned, bit for
bit, or raises :class:`~stratum_dask.ops.steps.Unsupported` with the reason; then the
library runs the call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from stratum_dask.ops.steps import Unsupported

Direct = Callable[..., Any]

#: Attributes that lead to methods or fields of a column, and cost nothing by themselves.
_ACCESSORS = frozenset({"dt", "str", "cat"})


def _attribute(value: Any, name: str, /) -> Any:
    if name not in _ACCESSORS:
        raise Unsupported("attribute")
    return getattr(value, name)


DIRECT: dict[tuple[str, type], Direct] = {
    ("getattr", pd.Series): _attribute,
}

DIRECT_OPS: frozenset[str] = frozenset(op for op, _ in DIRECT)
"""The canonical names that have an entry for some type and may be part of a fused task."""

ESTIMATOR_OPS: frozenset[str] = frozenset(
    (
        "stratum.fit",
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
    return attribute in _ACCESSORS


def has_form(op: str | None, args: tuple[Any, ...]) -> bool:
    """Tell whether a call of this name has an entry for the type of its first argument."""
    return op is not None and bool(args) and _find(op, type(args[0])) is not None


def call(op: str | None, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Run a call natively.

    Parameters
    ----------
    op : str or None
        Canonical name.
    args, kwargs
        The call's arguments.

    Returns
    -------
    object
        What the library would have returned.

    Raises
    ------
    Unsupported
        If the library has to run it; the message says why.
    """
    function = _find(op, type(args[0])) if op is not None and args else None
    if function is None:
        raise Unsupported("no rule")
    if kwargs and op in ESTIMATOR_OPS:
        raise Unsupported("arguments")
    return function(*args, **kwargs)


def _find(op: str, kind: type) -> Direct | None:
    function = DIRECT.get((op, kind))
    if function is None and op in ESTIMATOR_OPS and kind.__module__.startswith("sklearn."):
        # Imported here: whoever has such an object has paid for importing its module.
        from stratum_dask.ops.direct.preprocessing import ENTRIES

        return ENTRIES.get((op, kind))
    return function
