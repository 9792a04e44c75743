"""What decides how pandas computes besides the operands: NumPy's state, optional libraries."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.core import nanops
from pandas.core.array_algos import quantile
from pandas.core.computation import expressions

#: NumPy's default size of the buffers through which it converts dtypes. Sums that convert restart
#: at each buffer, so their bits depend on it.
_BUFFER = 8192

#: The bit of each floating-point exception, by NumPy's name for it.
_IEEE = {"divide": 1, "over": 2, "under": 4, "invalid": 8}

#: More columns than this aren't told apart, so that short frames of any length share plans.
_MANY_COLUMNS = 256

#: pandas turns frames of fewer rows on their side before it adds rows.
_FEW_ROWS = 6


class Environment(NamedTuple):
    """The state that a plan depends on besides its operands.

    Attributes
    ----------
    underflow_ignored : bool
        Whether NumPy is to ignore underflow, as by default.
    default_buffer : bool
        Whether NumPy's buffers have their default size.
    whole_sums : bool
        Whether NumPy adds columns as long as these in one piece.
    bottleneck : bool
        Whether pandas leaves reductions to bottleneck, which has its own bits and types.
    numexpr_columns : tuple of int or None
        How many columns of each length class an operation may have before pandas leaves it to
        numexpr (or warns that it doesn't); None where it never does.
    numexpr_labels : int or None
        How many labels a Series with one value for each column may have before pandas does so.
    short : tuple of int
        The length classes in which pandas may add rows in another order.
    readonly : tuple of int
        The numbers of the frames and Series whose memory may not be written to.
    """

    underflow_ignored: bool = True
    default_buffer: bool = True
    whole_sums: bool = True
    bottleneck: bool = False
    numexpr_columns: tuple[int, ...] | None = None
    numexpr_labels: int | None = None
    short: tuple[int, ...] = ()
    readonly: tuple[int, ...] = ()


def current(lengths: Iterable[int], readonly: tuple[int, ...] = ()) -> Environment:
    """Return the state of this thread for columns of these lengths.

    Parameters
    ----------
    lengths : iterable of int
        The length of the columns by length class.
    readonly : tuple of int
        The numbers of the values in memory that may not be written to.
    """
    lengths = tuple(lengths)
    columns = limit = None
    if expressions._evaluate is not expressions._evaluate_standard:
        limit = expressions._MIN_ELEMENTS
        columns = tuple([min(limit // max(length, 1), _MANY_COLUMNS) for length in lengths])
    return Environment(
        np.geterr()["under"] == "ignore",
        np.getbufsize() == _BUFFER,
        max(lengths, default=0) <= _BUFFER or adds_whole_columns(),
        nanops._USE_BOTTLENECK,
        columns,
        limit,
        tuple([number for number, length in enumerate(lengths) if length < _FEW_ROWS]),
        readonly,
    )


def reports(raised: int) -> bool:
    """Tell whether NumPy would report floating-point exceptions, as ``np.errstate`` says.

    Parameters
    ----------
    raised : int
        A bit per exception that was raised, as processors number them.

    Examples
    --------
    >>> import numpy as np
    >>> reports(1), reports(1 | 4)
    (True, True)
    >>> with np.errstate(divide="ignore"):
    ...     reports(1)
    False
    """
    states = np.geterr().items()
    return any(raised & _IEEE[name] and state != "ignore" for name, state in states)


def fraction(q: float) -> float:
    """Return the fraction that pandas asks NumPy for when it is asked for a quantile."""
    # Earlier versions ask for percentiles, which NumPy turns back.
    return q if hasattr(quantile, "_nanquantile") else q * 100 / 100


@cache
def drops_without_copying() -> bool:
    """Tell whether ``frame.drop`` takes blocks apart; before pandas 3.1 it copied what stays."""
    return len(pd.DataFrame(np.zeros((1, 4))).drop(columns=2)._mgr.blocks) > 1


@cache
def adds_rows_by_blocks() -> bool:
    """Tell whether pandas adds rows block by block; before 3.1 it added the columns in order."""
    large = 2.0**53
    frame = pd.DataFrame({"a": [large] * 9, "b": [-int(large)] * 9, "c": [1.0] * 9}).copy()
    return bool(frame.sum(axis=1)[0] == (large + 1.0) - large)


@cache
def takes_medians_of_rows_at_once() -> bool:
    """Tell whether pandas asks NumPy for the medians of all rows; before 3.1 it did so row by row.

    Then a first row that misses something made them float64, and bools beside numbers an error.
    """
    frame = pd.DataFrame({"a": [np.nan, 1.0], "b": [1.0, 2.0]}, dtype=np.float32)
    return bool(frame.median(axis=1, skipna=False).dtype == np.float32)


@cache
def adds_whole_columns() -> bool:
    """Tell whether NumPy adds a long column as one tree; before 2.3 it did so buffer by buffer."""
    rng = np.random.default_rng(0)
    for _ in range(4):
        column = rng.normal(size=3 * _BUFFER)
        first, second, third = column.reshape(3, _BUFFER).sum(axis=1)
        if column.sum() != first + second + third:
            return True
    return False
