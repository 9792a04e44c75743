"""How many bytes a value holds, without copying or pickling it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from dask.sizeof import sizeof

_SAMPLE = 4
_DEPTH = 5


def nbytes_of(value: Any, depth: int = _DEPTH) -> int:
    """Return how many bytes a value holds, with what an estimator has learned.

    Parameters
    ----------
    value : object
    depth : int
        How far to look into objects; of long lists only some entries are looked at.

    Examples
    --------
    >>> nbytes_of(np.zeros(1_000)), nbytes_of([np.zeros(1_000)] * 100)
    (8000, 800000)
    """
    if isinstance(value, np.ndarray):
        return int(value.nbytes) if value.dtype != object else _sampled(value.ravel(), depth)
    if isinstance(value, pd.DataFrame):
        blocks = [block.values for block in value._mgr.blocks]
        return sum(_sampled(b.ravel(), depth) if b.dtype == object else b.nbytes for b in blocks)
    if isinstance(value, list | tuple):
        return _sampled(value, depth)
    if type(value).__module__.startswith("sklearn."):
        return _inside(_parts(value), depth)
    try:
        return int(sizeof(value))
    except Exception:  # an object that cannot even say how large it is
        return 0


def _sampled(values: Any, depth: int) -> int:
    sample = values[:_SAMPLE]
    return _inside(sample, depth) * len(values) // max(len(sample), 1)


def _inside(values: Iterable[Any], depth: int) -> int:
    return sum(nbytes_of(value, depth - 1) for value in values) if depth else 0


def _parts(learned: Any) -> Iterable[Any]:
    """Return what an object of scikit-learn is made of; a tree's arrays are no copies."""
    if hasattr(learned, "__dict__"):
        return list(vars(learned).values())
    if hasattr(learned, "node_count"):
        return [part for part in learned.__getstate__().values() if isinstance(part, np.ndarray)]
    return []
