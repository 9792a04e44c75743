"""Keeping shared values from leaking: what one candidate edits, no other sees.

Protection follows possible shared memory: frames are copied shallowly, since pandas' copy on
write protects the rest, but the Python objects in their cells deeply; arrays and containers are
copied; an unfitted estimator is cloned, any other object is copied deeply.
"""

from __future__ import annotations

import copy
import types
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, clone

from stratum_dask.errors import NotShareableError
from stratum_dask.ops.views import CONTAINERS, Copies, copy_of, copy_shared_memory, root_of
from stratum_dask.semantics import draws_when_asked

_IMMUTABLE = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    range,
    slice,
    type,
    np.generic,
    np.dtype,
    date,
    datetime,
    time,
    timedelta,
    Decimal,
    Fraction,
    Enum,
    PurePath,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.ModuleType,
)

_SCALARS = frozenset({"string", "bytes", "floating", "integer", "boolean", "decimal", "complex"})
"""What pandas says of columns of objects that hold nothing else, but for what is missing."""


def is_immutable(value: object) -> bool:
    """Tell whether a value can be seen by many without any of them changing it.

    Examples
    --------
    >>> is_immutable("text"), is_immutable([1])
    (True, False)
    """
    return isinstance(value, _IMMUTABLE)


def own(value: Any, deep: bool = False, copies: Copies | None = None) -> Any:
    """Return a value that shares no writable memory with `value`.

    What is one object in several places, and arrays that share memory, are so in the copy.

    Parameters
    ----------
    value : object
        A task's result or a literal that other tasks may see.
    deep : bool
        Whether to copy the columns of frames, too, which pandas protects from those who ask it.
    copies : dict, optional
        Copies that were made before and belong together with this one.

    Returns
    -------
    object
        `value` itself if it is immutable or cannot be copied, such as a connection, else a copy as
        shallow as is safe.

    Raises
    ------
    NotShareableError
        If `value` is an iterator, which only one candidate could consume.

    Examples
    --------
    >>> a = [1, [2]]
    >>> b = own(a)
    >>> b[1].append(3)
    >>> a
    [1, [2]]
    """
    if isinstance(value, _IMMUTABLE):
        return value
    copies = {} if copies is None else copies
    found = copies.get(id(value))
    if found is None:
        if type(value) in CONTAINERS:
            copy_shared_memory([value], copies)
        found = _copied(value, deep, copies)
    return found


def handed_on(value: Any) -> Any:
    """Return a value as it is: another task's, under a name of its own."""
    return value


def _copied(value: Any, deep: bool, copies: Copies) -> Any:
    if isinstance(value, _IMMUTABLE):
        return value
    found = copies.get(id(value))
    if found is None:
        found = copies[id(value)] = _copy(value, deep, copies)
    return found


def _copy(value: Any, deep: bool, copies: Copies) -> Any:
    kind = type(value)
    if kind is list:
        fresh = copies[id(value)] = []  # which may hold itself
        fresh.extend(_copied(item, deep, copies) for item in value)
        return fresh
    if kind is dict:
        mapping = copies[id(value)] = {}
        mapping.update((key, _copied(item, deep, copies)) for key, item in value.items())
        return mapping
    if kind in (tuple, set):
        return kind(_copied(item, deep, copies) for item in value)
    if kind is frozenset:
        return value
    if isinstance(value, pd.DataFrame | pd.Series):
        return _own_frame(value.copy() if deep else value, copies)
    if isinstance(value, pd.Index):
        return value.copy(deep=True) if value.dtype == object else value.view()
    if isinstance(value, np.ndarray):
        return _own_array(value, copies)
    if issparse(value):
        return value.copy()
    if isinstance(value, Iterator):
        raise NotShareableError(
            f"a task that candidates share returns {kind.__name__}, which can be consumed only "
            "once; return a list, or declare its function with stratum_dask.impure"
        )
    try:
        if isinstance(value, BaseEstimator) and not (draws_when_asked(value) or _is_fitted(value)):
            return clone(value)
    except (RuntimeError, TypeError):  # its constructor changes what it is given
        pass
    try:
        return copy.deepcopy(value, copies)
    except Exception:  # of any type: a connection, say, which is its candidate's own
        return value


def _own_array(array: np.ndarray, copies: Copies) -> np.ndarray:
    fresh = copy_of(array)
    if array.dtype.hasobject:
        fresh = copy.deepcopy(fresh, copies)
    fresh.flags.writeable = array.flags.writeable
    return fresh


def _own_frame(frame: pd.DataFrame | pd.Series, copies: Copies) -> pd.DataFrame | pd.Series:
    """Copy shallowly; cells that hold mutable Python objects deeply (copy-on-write does not)."""
    fresh = frame.copy(deep=False)
    fresh.attrs = copy.deepcopy(frame.attrs)
    if isinstance(frame, pd.Series):
        return _own_cells(fresh, copies) if _holds_mutable(fresh) else fresh
    for position, dtype in enumerate(frame.dtypes):
        if dtype.kind == "O" and _holds_mutable(column := frame.iloc[:, position]):
            fresh.isetitem(position, _own_cells(column, copies))
    return fresh


def _holds_mutable(column: pd.Series) -> bool:
    """Tell whether a column holds objects that could be changed where they are."""
    dtype = column.dtype
    if dtype.kind != "O":
        return False
    if not isinstance(dtype, np.dtype):  # pandas' own are of texts, categories, intervals
        return type(dtype).__module__.partition(".")[0] != "pandas"
    if pd.api.types.infer_dtype(column, skipna=True) in _SCALARS:
        return False
    return any(not isinstance(cell, _IMMUTABLE) for cell in column.array)


def _own_cells(column: pd.Series, copies: Copies) -> pd.Series:
    cells = np.empty(len(column), dtype=object)
    for i, cell in enumerate(column.array):
        cells[i] = _copied(cell, False, copies)
    fresh = pd.Series(cells, index=column.index, name=column.name, dtype=column.dtype)
    return fresh.__finalize__(column)


def _is_fitted(estimator: BaseEstimator) -> bool:
    """Tell whether an estimator, or one inside it, holds more than a clone would have."""
    nested = estimator.get_params(deep=True).values()
    return any(
        not vars(one).keys() <= one.get_params(deep=False).keys()
        for one in (estimator, *nested)
        if isinstance(one, BaseEstimator) and not isinstance(one, type)
    )


class Protected:
    """A function that gets its own copies of arguments that others may see.

    Parameters
    ----------
    func : callable
        The user's function.
    positions : tuple of int, optional
        The positional arguments to copy; None means all of them and all keywords.
    result : bool
        Whether to copy the result too, which may be a view of what others see.
    deep : bool
        Whether the function may get at the memory of frames past pandas.

    Attributes
    ----------
    shared : bool
        Whether others are known to use the arguments. If somebody only may keep them, as a cache
        does, an iterator is handed on as it is.
    """

    def __init__(
        self,
        func: Callable[..., Any],
        positions: tuple[int, ...] | None = None,
        result: bool = False,
        deep: bool = False,
    ) -> None:
        self.func = func
        self.positions = positions
        self.result = result
        self.deep = deep
        self.shared = True

    @property
    def __name__(self) -> str:
        return getattr(self.func, "__name__", type(self.func).__name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function on copies."""
        copies: Copies = {}
        values = [*args, *kwargs.values()]
        chosen = (
            range(len(values)) if self.positions is None else _with_aliases(values, self.positions)
        )
        if len(chosen) > 1:
            copy_shared_memory([values[i] for i in chosen], copies)
        for i in chosen:
            try:
                values[i] = own(values[i], self.deep, copies)
            except NotShareableError:
                if self.shared:
                    raise
        given = dict(zip(kwargs, values[len(args) :], strict=True))
        value = self.func(*values[: len(args)], **given)
        return own(value) if self.result else value


def _with_aliases(values: Sequence[Any], positions: Sequence[int]) -> Sequence[int]:
    """Return the positions of some arguments and of all that are the same, or the same memory."""
    if not positions or len(values) == 1:
        return [i for i in positions if i < len(values)]
    chosen = [values[i] for i in positions if i < len(values)]
    objects = {id(value) for value in chosen if not isinstance(value, _IMMUTABLE)}
    memories = {id(root_of(value)) for value in chosen if isinstance(value, np.ndarray)}
    return [
        i
        for i, value in enumerate(values)
        if i in positions
        or id(value) in objects
        or (isinstance(value, np.ndarray) and id(root_of(value)) in memories)
    ]
