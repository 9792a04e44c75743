"""Borders of bins, found by scikit-learn's histogram boosting while its own ``fit`` runs.

It sorts each column twice to learn its distinct values. Of a column of zeros and ones, as one-hot
encoding makes a hundred of, its least and its greatest number say as much. On one thread, columns
need no tasks, each of which takes longer than that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble._hist_gradient_boosting.binning import _BinMapper, _find_binning_thresholds

from stratum_dask.ops.rebound import in_turn, with_globals


def bin_mapper(**given: Any) -> Any:
    """Return scikit-learn's mapper of numbers to bins, whose first fit looks out for two values.

    Parameters
    ----------
    **given
        What scikit-learn gives it.

    Examples
    --------
    >>> X = np.array([[0.0, 1.5], [1.0, 2.5], [0.0, 7.0]])
    >>> bin_mapper(n_threads=1).fit(X).bin_thresholds_
    [array([0.5]), array([2.  , 4.75])]
    """
    made = _BinMapper(**given)

    def fit(*args: Any, **kwargs: Any) -> Any:
        del made.fit  # it is scikit-learn's alone afterwards
        return (_fit_here if made.n_threads == 1 else _fit)(made, *args, **kwargs)

    made.fit = fit
    return made


def _thresholds(column: Any, max_bins: int, **given: Any) -> Any:
    """Return the middle of two values, or what scikit-learn finds between more."""
    if all(value is None for value in given.values()) and len(column):
        least, most = column.min(), column.max()
        # Not with missing values, nor where a sum is infinite.
        if -1e300 < least < most < 1e300 and ((column == least) | (column == most)).all():
            return np.array([(least + most) / 2])
    return _find_binning_thresholds(column, max_bins, **given)


def _parallel(**_: Any) -> Any:
    return in_turn


_fit = with_globals(_BinMapper.fit, _find_binning_thresholds=_thresholds)
_fit_here = with_globals(_fit, Parallel=_parallel)
