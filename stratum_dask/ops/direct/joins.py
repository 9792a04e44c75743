"""Joins: pandas' own merge with two things swapped, which rows match and how they are picked.

Keys, suffixes, dtypes, checks and errors are pandas'. The columns that nobody reads are not filled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from pandas.core.reshape.merge import _items_overlap_with_suffix, _MergeOperation

from stratum_dask.ops.direct.arrow import is_text
from stratum_dask.ops.direct.gather import take
from stratum_dask.ops.direct.keys import match
from stratum_dask.ops.frames import blocks
from stratum_dask.ops.steps import Unsupported, attempt

Rows = np.ndarray | None


def _merge(
    read: frozenset[str] | None,
    left: pd.DataFrame,
    right: Any,
    how: str = "inner",
    on: Any = None,
    *,
    left_on: Any = None,
    right_on: Any = None,
    suffixes: Any = ("_x", "_y"),
    validate: Any = None,
) -> pd.DataFrame:
    if type(right) is not pd.DataFrame:
        raise Unsupported(f"joined with {type(right).__name__}")
    if how not in ("left", "inner"):
        raise Unsupported("neither left nor inner join")
    if not blocks.plain(left) or not blocks.plain(right):
        raise Unsupported("attrs or flags")
    if not left.columns.is_unique or not right.columns.is_unique:
        raise Unsupported("repeated column labels")
    _check_keys(left, right, on, left_on, right_on)
    operation = attempt(
        _Merge,
        left,
        right,
        how=how,
        on=on,
        left_on=left_on,
        right_on=right_on,
        sort=False,
        suffixes=suffixes,
        validate=validate,
    )
    operation.read = read
    return attempt(operation.get_result)


def _check_keys(left: pd.DataFrame, right: pd.DataFrame, on: Any, *sides: Any) -> None:
    """Look at the keys before pandas converts them, of which it may warn."""
    if on is None and sides == (None, None):
        on = left.columns.intersection(right.columns).tolist()
    one, other = (_labels(side) for side in (sides if on is None else (on, on)))
    if not one or len(one) != len(other):
        raise Unsupported("keys are no labels of columns")
    for here, there in zip(one, other, strict=True):
        if here not in left.columns or there not in right.columns:
            raise Unsupported("keys are no columns")
        dtype = left[here].dtype
        if dtype != right[there].dtype:
            raise Unsupported("keys of different dtypes")
        # `replace` makes some, and pandas' merge does not know them.
        if isinstance(dtype, np.dtype) and dtype.type is not np.dtype(dtype.str).type:
            raise Unsupported("a dtype with another type than its equals")


def _labels(keys: Any) -> list[str]:
    labels = keys if type(keys) is list else [keys]
    return labels if all(type(label) is str for label in labels) else []


class _Merge(_MergeOperation):
    """A merge whose rows are matched and picked by kernels."""

    left: pd.DataFrame
    right: pd.DataFrame
    #: The columns of the result that are read, None for all.
    read: frozenset[str] | None

    def _get_join_indexers(self) -> tuple[Rows, Rows]:
        left, right, count = match(self.left_join_keys, self.right_join_keys)
        if count == len(right):  # a key's code is its row
            if self.how == "left":
                return None, _unless_all(right, left)
            rows = (left >= 0).nonzero()[0]
            return _unless_all(left, rows), _unless_all(right, left[rows])
        matches = np.bincount(right, minlength=count + 1)  # the last for keys without a match
        order = np.argsort(right, kind="stable")
        starts = np.cumsum(matches) - matches
        times = matches[left]
        if self.how == "left":
            times = np.maximum(times, 1)
        rows = np.repeat(np.arange(len(left)), times)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(times) - times, times)
        found = left[rows]
        picked = order.take(starts[found] + within, mode="clip")
        return _unless_all(left, rows), _unless_all(right, np.where(found < 0, -1, picked))

    def _reindex_and_concat(
        self, join_index: pd.Index, left_indexer: Rows, right_indexer: Rows
    ) -> pd.DataFrame:
        left, right, wanted = self.left, self.right, self.read
        if wanted is not None:  # labels that get a suffix, and keys, are read under other names
            wanted = wanted.union(left.columns.intersection(right.columns), self.join_names)
        rows = (left, left_indexer), (right, right_indexer)
        left, right = (
            frame.copy(deep=False) if picked is None else take(frame, picked, wanted, join_index)
            for frame, picked in rows
        )
        left.columns, right.columns = _suffixed(left.columns, right.columns, self.suffixes)
        left.index = right.index = join_index
        return pd.concat([left, right], axis=1)


def _suffixed(left: pd.Index, right: pd.Index, suffixes: Any) -> tuple[pd.Index, pd.Index]:
    """Return the labels of both tables as pandas names them where they overlap.

    pandas takes strings out of Arrow's arrays one by one, several times: it is asked with Python's.
    """
    if not (is_text(left.array) and is_text(right.array)) or left.hasnans or right.hasnans:
        return _items_overlap_with_suffix(left, right, suffixes)
    objects = left.astype(object), right.astype(object)
    named = _items_overlap_with_suffix(*objects, suffixes)
    if named[0] is objects[0]:  # nothing overlaps
        return left, right
    return named[0].astype(left.dtype), named[1].astype(right.dtype)


def _unless_all(keys: np.ndarray, rows: np.ndarray) -> Rows:
    """Return None for all rows of a table in order, as pandas says it."""
    if len(rows) == len(keys) and (rows == np.arange(len(rows))).all():
        return None
    return rows


JOINS: dict[tuple[str, type], Callable[..., Any]] = {
    (".merge", pd.DataFrame): _merge,
    ("pandas.merge", pd.DataFrame): _merge,
}
"""The entries for joins; each takes first which columns of its result are read."""
