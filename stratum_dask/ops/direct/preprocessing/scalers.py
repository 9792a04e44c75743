"""StandardScaler, MinMaxScaler and RobustScaler: the same arithmetic on all values of a column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import clone

from stratum_dask.ops.direct.preprocessing import matrix, statistics
from stratum_dask.ops.direct.preprocessing.cells import Block, Number
from stratum_dask.ops.steps import Unsupported


def check(scaler: Any) -> None:
    """Refuse parameters that have no native form."""
    if scaler.copy is not True:
        raise Unsupported("copy")
    if getattr(scaler, "clip", False):
        raise Unsupported("clip")


def refit_standard(scaler: Any, block: Block) -> None:
    """Put mean and variance of all rows in place, computed as scikit-learn does in one batch."""
    cells = block.numbers()
    if any(cell.steps for cell in cells):
        return refit_on_array(scaler, block)
    if not (scaler.with_mean or scaler.with_std):
        raise Unsupported("does nothing")
    count, total, correction, squares = statistics.moments(cells)
    seen = np.asarray(scaler.n_samples_seen_).dtype.type
    numbers = count.astype(seen)
    same = bool((count == count[0]).all())
    scaler.n_samples_seen_ = numbers[0] if same else numbers
    # The batch is the first, so what was seen before counts zero times.
    scaler.mean_ = (0.0 + total) / count
    if not scaler.with_std:
        return None
    squares = squares - correction**2 / count
    scaler.var_ = squares / count
    if not (np.isfinite(scaler.var_).all() and np.isfinite(scaler.mean_).all()):
        raise Unsupported("huge numbers")
    scale = np.sqrt(scaler.var_)
    samples, epsilon = scaler.n_samples_seen_, np.finfo(np.float64).eps
    bound = samples * epsilon * scaler.var_ + (samples * scaler.mean_ * epsilon) ** 2
    scale[scaler.var_ <= bound] = 1.0
    scaler.scale_ = scale
    return None


def refit_minmax(scaler: Any, block: Block) -> None:
    """Let the scaler learn from the extremes, which is all that it looks at."""
    cells = block.numbers()
    if any(cell.steps for cell in cells):
        return refit_on_array(scaler, block)
    _adopt(scaler, clone(scaler).fit(statistics.extremes(cells)))
    scaler.n_samples_seen_ = block.rows
    return None


def refit_on_array(scaler: Any, block: Block) -> None:
    """Let the scaler learn from the array that scikit-learn would have given it."""
    _adopt(scaler, clone(scaler).fit(matrix.dense(block)))


def _adopt(scaler: Any, fitted: Any) -> None:
    """Take over what was learnt, except of the input's shape and names."""
    for name, value in vars(fitted).items():
        if name.endswith("_") and name not in ("n_features_in_", "feature_names_in_"):
            if value is not None and not np.isfinite(value).all():
                raise Unsupported("huge numbers")
            setattr(scaler, name, value)


def apply_standard(scaler: Any, block: Block) -> Block:
    """Return the block less the mean, divided by the deviation."""
    return _apply(
        block,
        ("sub", scaler.mean_ if scaler.with_mean else None),
        ("div", scaler.scale_ if scaler.with_std else None),
    )


def apply_robust(scaler: Any, block: Block) -> Block:
    """Return the block less the median, divided by the range of the quantiles."""
    return _apply(
        block,
        ("sub", scaler.center_ if scaler.with_centering else None),
        ("div", scaler.scale_ if scaler.with_scaling else None),
    )


def apply_minmax(scaler: Any, block: Block) -> Block:
    """Return the block multiplied by the scale, moved to the least value."""
    return _apply(block, ("mul", scaler.scale_), ("add", scaler.min_))


def _apply(block: Block, *steps: tuple[str, Sequence[float] | None]) -> Block:
    cells: list[Number] = list(block.numbers())
    for name, operands in steps:
        if operands is None:
            continue
        if len(operands) != len(cells) or np.asarray(operands).dtype != np.float64:
            raise Unsupported("what it is fitted on")
        if not all(math.isfinite(x) for x in operands):
            raise Unsupported("huge numbers")
        cells = [cell.then(name, x) for cell, x in zip(cells, operands, strict=True)]
    return block.then(cells)
