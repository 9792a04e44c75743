"""The calls that tasks make: fit, fit_transform and transform of each estimator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from stratum_dask.ops.direct.preprocessing import matrix, models, trees
from stratum_dask.ops.direct.preprocessing.cells import Block
from stratum_dask.ops.direct.preprocessing.frame import block_of, sample
from stratum_dask.ops.steps import Unsupported

#: Fitting on a sample first pays when it leaves out so many rows.
WORTH = 2_000


def fit(estimator: Any, X: Any, y: Any = None, /) -> Any:
    """Fit an estimator and return it; no transformer here looks at `y`."""
    if type(estimator) is Pipeline and models.ends_in_model(estimator):
        return models.fit(estimator, X, y, _fit)
    _fit(estimator, X)
    return estimator


def fit_clone(estimator: Any, X: Any, y: Any = None, /) -> Any:
    """Return a fitted clone."""
    return fit(clone(estimator), X, y)


def fit_transform(estimator: Any, X: Any, y: Any = None, /) -> Any:
    """Fit an estimator and return what it makes of `X`."""
    if type(estimator) is Pipeline and models.ends_in_model(estimator):
        return models.fit_transform(estimator, X, y, _fit)
    return matrix.write(_fit(estimator, X))


def fit_transform_clone(estimator: Any, X: Any, y: Any = None, /) -> tuple[Any, Any]:
    """Return a fitted clone, and what it makes of `X`."""
    fresh = clone(estimator)
    return fresh, fit_transform(fresh, X, y)


def transform(estimator: Any, X: Any, /) -> Any:
    """Return what a fitted estimator makes of `X`."""
    if type(estimator) is Pipeline and models.ends_in_model(estimator):
        return models.caller("transform")(estimator, X)
    return trees.transformed(estimator, X)


def _fit(estimator: Any, X: Any) -> Block:
    """Fit on a small frame with all distinct values, then complete what depends on all rows.

    What is refused in the middle leaves the estimator as it was.
    """
    block = block_of(X)
    if block.rows < WORTH:
        raise Unsupported("few rows")
    used = trees.check(estimator, X)
    encoded = frozenset(name for name, encodes in used.items() if encodes)
    small = sample(X, block.take(list(used)), encoded)
    if block.rows - len(small) < WORTH:
        raise Unsupported("few rows")
    before = [(part, dict(vars(part))) for part in trees.changed_by_fit(estimator)]
    try:
        # Nobody hears of overflows here: what comes out infinite is refused.
        with np.errstate(all="ignore"):
            estimator.fit(small)
            return trees.refit(estimator, block)
    except Exception as error:
        for part, state in before:
            vars(part).clear()
            vars(part).update(state)
        if isinstance(error, Unsupported):
            raise
        # On all rows, scikit-learn says it in its own words.
        raise Unsupported(f"{type(error).__name__} while fitting") from None


ENTRIES: dict[tuple[str, type], Callable[..., Any]] = {
    **{
        (op, kind): function
        for op, function in (
            (".fit", fit),
            (".fit_transform", fit_transform),
            ("stratum.fit", fit_clone),
            ("stratum.fit_transform", fit_transform_clone),
            (".transform", transform),
            ("stratum.transform", transform),
        )
        for kind in trees.SUPPORTED
    },
    **{
        (f".{method}", Pipeline): models.caller(method)
        for method in ("predict", "predict_proba", "decision_function", "score")
    },
}
