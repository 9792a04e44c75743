"""Keeping shared values from leaking: what one candidate edits, no other sees.

Protection follows possible shared memory: frames are copied shallowly, since pandas' copy on
write protects the rest, but the Python objects in their cells deeply; arrays and containers are
copied; an unfitted estimator is cloned, any other object is copied deeply.
"""

from __future__ import annotations

import copy
import types
from collections.abc import Callable, Iterator
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


def is_immutable(value: object) -> bool:
    """Tell whether a value can be seen by many without any of them changing it.

    Examples
    --------
    >>> is_immutable("text"), is_immutable([1])
    (True, False)
    """
    return isinstance(value, _IMMUTABLE)


def own(value: Any, deep: bool = False) -> Any:
    """Return a value that shares no writable memory with `value`.

    Parameters
    ----------
    value : object
        A task's result or a literal that other tasks may see.
    deep : bool
        Whether to copy the columns of frames, too, which pandas protects from those who ask it.

    Returns
    -------
    object
        `value` itself if it is immutable, else a copy as shallow as is safe.

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
    kind = type(value)
    if kind in (list, tuple, set):
        return kind(own(item, deep) for item in value)
    if kind is frozenset:
        return value
    if kind is dict:
        return {key: own(item, deep) for key, item in value.items()}
    if isinstance(value, pd.DataFrame | pd.Series):
        return _own_frame(value.copy() if deep else value)
    if isinstance(value, pd.Index):
        return value.copy(deep=True) if value.dtype == object else value.view()
    if isinstance(value, np.ndarray):
        return _own_array(value)
    if issparse(value):
        return value.copy()
    if isinstance(value, BaseEstimator) and not (draws_when_asked(value) or _is_fitted(value)):
        return clone(value)
    if isinstance(value, Iterator):
        raise NotShareableError(
            f"a task that candidates share returns {kind.__name__}, which can be consumed only "
            "once; return a list, or declare its function with stratum_dask.impure"
        )
    return copy.deepcopy(value)


def _own_array(array: np.ndarray) -> np.ndarray:
    fresh = array.copy(order="K")
    if array.dtype.hasobject:
        fresh = copy.deepcopy(fresh)
    fresh.flags.writeable = array.flags.writeable
    return fresh


def _own_frame(frame: pd.DataFrame | pd.Series) -> pd.DataFrame | pd.Series:
    """Copy shallowly; cells that hold mutable Python objects deeply (copy-on-write does not)."""
    fresh = frame.copy(deep=False)
    fresh.attrs = copy.deepcopy(frame.attrs)
    if isinstance(frame, pd.Series):
        if frame.dtype == object and _holds_mutable(frame.array):
            fresh = pd.Series(
                _own_cells(frame.array), index=frame.index, name=frame.name, dtype=object
            ).__finalize__(frame)
        return fresh
    for position, dtype in enumerate(frame.dtypes):
        if dtype.kind == "O":
            cells = frame.iloc[:, position].array
            if _holds_mutable(cells):
                fresh.isetitem(position, pd.Series(_own_cells(cells), index=fresh.index))
    return fresh


def _holds_mutable(cells: Any) -> bool:
    return any(not isinstance(cell, _IMMUTABLE) for cell in cells)


def _own_cells(cells: Any) -> np.ndarray:
    fresh = np.empty(len(cells), dtype=object)
    for i, cell in enumerate(cells):
        fresh[i] = own(cell)
    return fresh


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

    @property
    def __name__(self) -> str:
        return getattr(self.func, "__name__", type(self.func).__name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function on copies."""
        chosen, deep = range(len(args)) if self.positions is None else self.positions, self.deep
        if self.positions is None:
            kwargs = {name: own(value, deep) for name, value in kwargs.items()}
        given = [own(a, deep) if i in chosen else a for i, a in enumerate(args)]
        value = self.func(*given, **kwargs)
        return own(value) if self.result else value
