"""What the tasks of fits call that share their work with those on other folds of the same rows.

They are given all rows and the numbers of those of each fold: where nothing else asks for a fold's
rows, nobody takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from sklearn.utils.validation import _num_samples

from stratum_dask.families.protocol import FitDirectly, SharesFolds
from stratum_dask.families.registry import FAMILIES
from stratum_dask.families.tasks import Failed, cut_or_fit, learn_family, reason_of
from stratum_dask.ops.fitting import fit
from stratum_dask.ops.folds import rows

Taking = Callable[[Any, Any], Any]


def learn_folds(
    family: str, estimators: Sequence[Any], take: Taking, X: Any, y: Any, /, *folds: Any
) -> list[Any]:
    """Do what the fits of several estimators on several folds of the same rows have in common.

    Parameters
    ----------
    family : str
    estimators : sequence of estimators
        Of all folds. Unfitted; stay as they are.
    take : callable
        Takes the rows of a fold: ``take(X, fold)``.
    X, y : array-like
    *folds : array of int
        Which rows each fold is fitted on.

    Returns
    -------
    list
        For each fold what :func:`~stratum_dask.families.learn_family` would return.
    """
    try:
        if take is not rows and not type(X) is type(y) is np.ndarray:
            raise FitDirectly("what is taken need not be rows")
        numbers = [_numbers(fold, _num_samples(X)) for fold in folds]
        found = cast(SharesFolds, FAMILIES[family]).learn_folds(estimators, X, y, numbers)
    except Exception:  # perhaps of rows that only some folds have: each tells for itself
        return [_learn_fold(family, estimators, take, X, y, fold) for fold in folds]
    return [Failed(str(one)) if isinstance(one, FitDirectly) else one for one in found]


def _learn_fold(
    family: str, estimators: Sequence[Any], take: Taking, X: Any, y: Any, fold: Any
) -> Any:
    try:
        return learn_family(family, estimators, take(X, fold), take(y, fold))
    except Exception as found:
        return Failed(reason_of(found))


def _numbers(fold: Any, count: int) -> np.ndarray:
    """Return the numbers of the rows that an index takes."""
    found = np.asarray(fold)
    if not isinstance(fold, np.ndarray | list) or found.ndim != 1 or found.dtype.kind not in "iu":
        raise FitDirectly("folds are not given by the numbers of their rows")
    if len(found) and not 0 <= found.min() <= found.max() < count:
        raise FitDirectly("folds count from the end, or have rows that do not exist")
    return found


def cut_fold(
    family: str,
    learned: Sequence[Any],
    number: int,
    estimator: Any,
    take: Taking,
    X: Any,
    y: Any,
    fold: Any,
) -> Any:
    """Return the fitted estimator that fitting a clone on a fold would have given.

    Parameters
    ----------
    family : str
    learned : list
        What :func:`learn_folds` returned.
    number : int
        Which of its folds.
    estimator : estimator
        Unfitted; stays as it is.
    take, X, y, fold
        What to fit it on if it cannot be cut out; counted as a fallback.

    Returns
    -------
    estimator
        Fitted.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> X, y, folds = np.arange(6.0)[:, None], np.arange(6.0), ([0, 1, 2, 3], [2, 3, 4, 5])
    >>> learned = learn_folds("linear models", [Ridge()], rows, X, y, *folds)
    >>> cut_fold("linear models", learned, 1, Ridge(), rows, X, y, folds[1]).coef_.round(6).tolist()
    [0.833333]
    """

    def fit_directly() -> Any:
        return fit(estimator, take(X, fold), take(y, fold))

    return cut_or_fit(family, learned[number], estimator, X, fit_directly)
