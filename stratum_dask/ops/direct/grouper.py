"""pandas' own groups with two things swapped: the codes of the keys, and the inner loops.

All that pandas decides around them - which columns take part, what dtype and index the result
has, which errors are raised - is decided by pandas.
"""

from __future__ import annotations

from functools import partial
from inspect import signature
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from pandas.core.groupby.grouper import Grouping
from pandas.core.groupby.ops import BaseGrouper, WrappedCythonOp
from pandas.util._decorators import cache_readonly

from stratum_dask import _native
from stratum_dask.ops.direct.gather import pick_numbers
from stratum_dask.ops.direct.keys import Codes, distinct, encode, encode_all
from stratum_dask.ops.steps import Unsupported

_FLOATS = frozenset({"float64", "float32"})
_NUMBERS = _FLOATS | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
#: The dtypes for which a reduction has a kernel, once pandas has converted them.
_KERNELS = {
    "sum": _FLOATS | {"int64", "uint64"},
    "mean": _FLOATS,
    "var": _FLOATS,
    "std": frozenset({"float64"}),
    "median": frozenset({"float64"}),
    **dict.fromkeys(("min", "max", "first", "last"), _NUMBERS),
}
REDUCTIONS = frozenset(_KERNELS)
"""The reductions with a kernel."""


def keys_of(grouping: Grouping) -> Any:
    """Return the array that pandas would find the groups of.

    Raises
    ------
    Unsupported
        If these are no keys whose codes a kernel finds.
    """
    keys = grouping.grouping_vector
    if not grouping._dropna:
        raise Unsupported("missing keys are groups")
    if grouping._uniques is not None or grouping.level is not None:
        raise Unsupported("keys are categories or levels")
    if isinstance(keys, (np.ndarray, pd.api.extensions.ExtensionArray)):
        return keys
    raise Unsupported(f"keys are {type(keys).__name__}")


def _codes_and_uniques(grouping: Grouping) -> tuple[np.ndarray, Any]:
    """Return the codes and keys of the groups, in pandas' order."""
    keys = keys_of(grouping)
    codes = encode(keys)
    numbers, uniques = pd.factorize(distinct(keys, codes), sort=grouping._sort)
    return pick_numbers(numbers, codes.codes) if grouping._sort else codes.codes, uniques


class NativeGrouper(BaseGrouper):
    """A grouper whose codes and reductions come from kernels where there are some."""

    @cache_readonly
    def result_index_and_ids(self) -> tuple[pd.Index, np.ndarray]:
        """Return the groups, and the number of each row's group."""
        for grouping in self.groupings:
            cache = grouping.__dict__.setdefault("_cache", {})
            if "_codes_and_uniques" not in cache:
                try:
                    cache["_codes_and_uniques"] = _codes_and_uniques(grouping)
                except Unsupported:  # then pandas finds them
                    continue
        return super().result_index_and_ids

    def _cython_operation(self, *args: Any, **kwargs: Any) -> Any:
        # pandas 3.0 says first whether it aggregates.
        values, how, *rest = args[1:] if isinstance(args[0], str) else args
        # Sorted groups are added in another order by some versions of pandas.
        if not isinstance(values, np.ndarray) or how not in _KERNELS or self.is_monotonic:
            return super()._cython_operation(*args, **kwargs)
        return reduce(how, values, self.ids, self.ngroups, *rest, **kwargs)


def reduce(
    how: str,
    values: np.ndarray,
    codes: np.ndarray,
    n_groups: int,
    axis: int,
    min_count: int = -1,
    **options: Any,
) -> np.ndarray:
    """Reduce the values of each group, as pandas does if the groups aren't sorted.

    Parameters
    ----------
    how : str
        One of `REDUCTIONS`.
    values : ndarray
        A column, or columns as rows.
    codes : ndarray of int64
        The number of each row's group, -1 for none.
    n_groups : int
        The number of groups.
    axis : int
        The axis of the rows: 0 for a column, else 1.
    min_count : int
        The number of the values that a result needs.
    **options
        What pandas passes on to its loop.

    Examples
    --------
    >>> reduce("sum", np.array([1.0, 2.0, 4.0]), np.array([1, 0, 1]), 2, 0).tolist()
    [2.0, 5.0]
    """
    # What is dropped matters for transformations only.
    operation = _Operation(**_KIND, how=how, has_dropped_na=False)
    return operation.cython_operation(
        values=values,
        axis=axis,
        min_count=min_count,
        comp_ids=codes,
        ngroups=n_groups,
        **options,
    )


#: pandas 3.0 is told that it aggregates, later versions do nothing else.
_KIND = {"kind": "aggregate"} if "kind" in signature(WrappedCythonOp).parameters else {}


class _Operation(WrappedCythonOp):
    """What pandas does before and after its loops, around ours."""

    @classmethod
    def _get_cython_function(cls, kind: str, how: str, dtype: np.dtype, is_numeric: bool) -> Any:
        loop = WrappedCythonOp._get_cython_function(kind, how, dtype, is_numeric)
        return partial(_aggregate, how, loop)


def _aggregate(
    how: str,
    loop: Any,
    out: np.ndarray,
    counts: np.ndarray,
    values: np.ndarray,
    labels: np.ndarray,
    min_count: int = -1,
    **options: Any,
) -> None:
    """Fill `out` and `counts` as pandas' own loop does."""
    ddof = options.get("ddof", 1)
    plain = options.get("mask") is None and options.get("skipna", True)
    plain = plain and not options.get("is_datetimelike") and options.get("initial", 0) == 0
    if plain and values.dtype.name in _KERNELS[how] and type(ddof) is int:
        at_least = {"sum": min_count, "var": 0, "std": 0}.get(how, max(min_count, 1))
        for column in range(values.shape[1]):
            source = np.require(values[:, column], requirements=("C", "A"))
            target = np.empty(len(counts), out.dtype)
            if _native.group_aggregate(how, labels, source, target, counts, at_least, ddof):
                break  # a zero of ambiguous sign
            out[:, column] = target
        else:
            return
        counts[:] = 0
    loop(out=out, counts=counts, values=values, labels=labels, min_count=min_count, **options)


_twins: WeakKeyDictionary[BaseGrouper, NativeGrouper] = WeakKeyDictionary()


def twin(grouped: Any) -> Any:
    """Return a copy of a groupby object that uses kernels; the original stays as it is.

    Raises
    ------
    Unsupported
        If neither kernels find the codes of any of its keys, nor are some categories.
    """
    grouper = grouped._grouper
    if type(grouper) is not BaseGrouper:
        raise Unsupported(f"groups are {type(grouper).__name__}")
    native = _twins.get(grouper)
    if native is None:
        _check(grouper)
        native = NativeGrouper(
            grouper.axis, grouper.groupings, sort=grouper._sort, dropna=grouper.dropna
        )
        _twins[grouper] = native
    copy = object.__new__(type(grouped))
    copy.__dict__.update(grouped.__dict__)
    copy.__dict__.pop("_cache", None)
    copy._grouper = native
    return copy


def _check(grouper: BaseGrouper) -> None:
    reasons = []
    for grouping in grouper.groupings:
        if isinstance(grouping.grouping_vector, pd.Categorical):
            continue  # which are codes already
        try:
            encode(keys_of(grouping))
        except Unsupported as reason:
            reasons.append(reason)
    if reasons and len(reasons) == len(grouper.groupings):
        raise reasons[0]


def codes_of(grouper: BaseGrouper) -> Codes:
    """Return the codes of a grouper's keys in order of first occurrence.

    Raises
    ------
    Unsupported
        If kernels don't find them.
    """
    return encode_all([keys_of(grouping) for grouping in grouper.groupings])
