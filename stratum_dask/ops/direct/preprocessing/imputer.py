"""SimpleImputer: missing values are filled with one value per column."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from stratum_dask.ops.direct.preprocessing import statistics
from stratum_dask.ops.direct.preprocessing.cells import Block, Number, Text
from stratum_dask.ops.steps import Unsupported

_STRATEGIES = ("mean", "median", "most_frequent", "constant")


def check(imputer: Any) -> None:
    """Refuse parameters that have no native form."""
    missing = imputer.missing_values
    if not (isinstance(missing, float) and math.isnan(missing)):
        raise Unsupported("missing_values")
    if imputer.strategy not in _STRATEGIES or imputer.add_indicator or imputer.keep_empty_features:
        raise Unsupported("parameters")
    if imputer.copy is not True:
        raise Unsupported("copy")


def refit(imputer: Any, block: Block) -> None:
    """Put in place what depends on all rows."""
    if imputer.strategy == "constant":
        return
    if _holds_text(block):
        if imputer.strategy != "most_frequent":
            raise Unsupported("not numeric")
        found = np.empty(len(block.cells), dtype=object)
        found[:] = [_most_frequent(cell) for cell in block.text()]
    elif imputer.strategy == "most_frequent":
        raise Unsupported("the most frequent number")
    else:
        statistic = statistics.medians if imputer.strategy == "median" else statistics.means
        found = statistic(_raw(block))
    imputer.statistics_ = found


def apply(imputer: Any, block: Block) -> Block:
    """Return the block with its missing values filled."""
    found = imputer.statistics_
    if len(found) != len(block.cells):
        raise Unsupported("number of columns")
    fitted_on = np.dtype(imputer._fit_dtype)
    if _holds_text(block):
        if fitted_on.kind != "O" or not all(type(value) is str for value in found):
            raise Unsupported("what it is fitted on")
        return block.then(
            cell if cell.fill is not None else replace(cell, fill=value)
            for cell, value in zip(block.text(), found, strict=True)
        )
    cells = _raw(block)
    if fitted_on != np.float64 or not all(_is_number(value) for value in found):
        raise Unsupported("what it is fitted on")
    if imputer.strategy in ("most_frequent", "constant") and not any(
        cell.values.dtype.kind == "f" for cell in cells
    ):
        raise Unsupported("integers")
    return block.then(
        cell if not math.isnan(cell.fill) else replace(cell, fill=float(value))
        for cell, value in zip(cells, found, strict=True)
    )


def _holds_text(block: Block) -> bool:
    return any(isinstance(cell, Text) for cell in block.cells)


def _raw(block: Block) -> tuple[Number, ...]:
    cells = block.numbers()
    if any(cell.steps for cell in cells):
        raise Unsupported("imputes what was scaled")
    return cells


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float | np.integer | np.floating) and value is not True
    return number and value is not False and math.isfinite(value)


def _most_frequent(cell: Text) -> str:
    """Return the most frequent string; of several the smallest."""
    found = cell.dictionary
    counts: dict[str, int] = {}
    for value, count in zip(cell.values, found.counts.tolist(), strict=True):
        if type(value) is str:
            counts[value] = counts.get(value, 0) + count
    if not counts:
        raise Unsupported("a column of missing values")
    most = max(counts.values())
    return min(value for value, count in counts.items() if count == most)
