"""X and y as users pass them: values, dask collections, or a path; what is not here becomes tasks.

The caller itself needs little of them, since folds follow from y, groups and the number of rows:

    "flights.parquet", y="arr_delay"
        -> read -> drop(arr_delay)  X, by tasks, where the candidates run
        -> read -> [arr_delay]      y, by a task as well, and computed here for the folds
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import dask
import numpy as np
import pandas as pd
from dask.base import is_dask_collection
from dask.delayed import Delayed, delayed
from sklearn.utils import indexable
from sklearn.utils.validation import _num_samples

from stratum_dask.api import optimize
from stratum_dask.errors import ConfigError
from stratum_dask.frontends.builder import Builder
from stratum_dask.ops.folds import of_length

_READERS = {
    ".csv": pd.read_csv,
    ".parquet": pd.read_parquet,
    ".pq": pd.read_parquet,
    ".feather": pd.read_feather,
    ".arrow": pd.read_feather,
}
_COMPRESSED = (".gz", ".bz2", ".xz", ".zip", ".zst")


class Inputs(NamedTuple):
    """What candidates are fitted on.

    Attributes
    ----------
    X, y : object
        For tasks: values or references. `y` may be None.
    seen_X, seen_y, groups : object
        For splitters: values. Where X is not here, `seen_X` has its rows but no columns, unless
        the splitter may look at these.
    """

    X: Any
    y: Any
    seen_X: Any
    seen_y: Any
    groups: Any


def read_inputs(builder: Builder, X: Any, y: Any, groups: Any, cv: Any) -> Inputs:
    """Add tasks for what is not here, and get what folds follow from.

    Parameters
    ----------
    builder : Builder
    X : array-like, dask collection, or path
        A path or URL of a CSV, Parquet or Feather file, as pandas reads it.
    y, groups : array-like, dask collection, name of a column of X, or None
        Such columns are no part of X.
    cv : object
        What will split them.

    Raises
    ------
    ConfigError
        If the format of a file is not known, or a name is given where X has no columns.
    ValueError
        If their lengths differ.
    """
    X, y, groups = _columns(_opened(X), y, groups)
    if not is_dask_collection(X) or _looks_at_columns(cv):
        shown = X
    else:
        shown = None if y is not None else delayed(len)(X)
    shown, seen_y, groups = _computed(shown, y, groups)
    if is_dask_collection(X) and not _looks_at_columns(cv):
        shown = np.empty((_num_samples(seen_y) if shown is None else shown, 0))
    shown, seen_y, groups = indexable(shown, seen_y, groups)
    far = [one for one in (X, y) if is_dask_collection(one)]
    refs: dict[int, Any] = {}
    for one, ref in zip(far, builder.collections(far), strict=True):
        # Its length was not looked at here, and rows of too long an X could be taken unnoticed.
        refs[id(one)] = builder.call("counted", of_length, ref, _num_samples(shown))
    return Inputs(refs.get(id(X), shown), refs.get(id(y), seen_y), shown, seen_y, groups)


def _opened(X: Any) -> Any:
    """Return the frame that a path leads to, to be read by a task."""
    if not isinstance(X, str | os.PathLike):
        return X
    path = os.fspath(X)
    kinds = [kind for kind in Path(path).suffixes if kind not in _COMPRESSED]
    reader = _READERS.get(kinds[-1].lower()) if kinds else None
    if reader is None:
        raise ConfigError(
            f"X is {path!r}; a path must end in one of {', '.join(_READERS)}; read other files "
            "yourself and pass the frame, or wrap the call that reads it in dask.delayed"
        )
    return delayed(reader)(path)


def _columns(X: Any, y: Any, groups: Any) -> tuple[Any, Any, Any]:
    """Take the columns that are asked for by name out of X."""
    names = [one for one in (y, groups) if isinstance(one, str)]
    if not names:
        return X, y, groups
    if not hasattr(X, "drop") and not isinstance(X, Delayed):
        raise ConfigError(
            f"y or groups is the name {names[0]!r}, but X is of type {type(X).__name__}, which "
            "has no columns with names; pass a frame or a path, or the values"
        )
    y, groups = (X[one] if isinstance(one, str) else one for one in (y, groups))
    return X.drop(columns=names), y, groups


def _looks_at_columns(cv: Any) -> bool:
    """Tell whether a splitter may look at more of X than how many rows it has."""
    return hasattr(cv, "split") and not type(cv).__module__.startswith("sklearn.")


def _computed(*values: Any) -> list[Any]:
    far = [one for one in values if is_dask_collection(one)]
    found = iter(dask.compute(*optimize(far))) if far else iter(())
    return [next(found) if is_dask_collection(one) else one for one in values]
