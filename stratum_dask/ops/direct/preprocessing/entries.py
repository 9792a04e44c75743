"""The calls that tasks make: fit, fit_transform and transform of each estimator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, NamedTuple

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    LabelEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    TargetEncoder,
)

from stratum_dask.ops.direct.preprocessing import (
    bins,
    documents,
    labels,
    learning,
    matrix,
    models,
    parts,
    products,
    quantiles,
    targets,
    trees,
)
from stratum_dask.ops.direct.preprocessing.cells import Block
from stratum_dask.ops.direct.preprocessing.frame import block_of, sample
from stratum_dask.ops.fitting import unfitted
from stratum_dask.ops.steps import Unsupported

Entry = Callable[..., Any]

#: Fitting on a sample first pays when it leaves out so many rows.
WORTH = 2_000


def fit(estimator: Any, X: Any, y: Any = None, /) -> Any:
    """Fit an estimator and return it; no transformer here looks at `y`."""
    if type(estimator) is Pipeline and models.ends_in_model(estimator):
        return models.fit(estimator, X, y, _fit)
    _fit(estimator, X)
    return estimator


def fit_transform(estimator: Any, X: Any, y: Any = None, /) -> Any:
    """Fit an estimator and return what it makes of `X`."""
    if type(estimator) is Pipeline and models.ends_in_model(estimator):
        return models.fit_transform(estimator, X, y, _fit)
    return matrix.write(_fit(estimator, X))


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
            learning.fit(estimator, small)
            return trees.refit(estimator, block)
    except Exception as error:
        for part, state in before:
            vars(part).clear()
            vars(part).update(state)
        if isinstance(error, Unsupported):
            raise
        # On all rows, scikit-learn says it in its own words.
        raise Unsupported(f"{type(error).__name__} while fitting") from None


def _on_clone(function: Entry) -> Entry:
    """Return what fits a clone and returns it."""
    return wraps(function)(lambda estimator, *data: function(unfitted(estimator), *data))


def _pair_on_clone(function: Entry) -> Entry:
    """Return what fits a clone and returns it with what it makes of the data."""

    @wraps(function)
    def call(estimator: Any, *data: Any) -> tuple[Any, Any]:
        fresh = unfitted(estimator)
        return fresh, function(fresh, *data)

    return call


class Kind(NamedTuple):
    """How estimators of a class are fitted and applied; None for scikit-learn's own way."""

    fit: Entry | None
    fit_transform: Entry
    transform: Entry | None


_KINDS: dict[type, Kind] = {
    **dict.fromkeys(trees.SUPPORTED, Kind(fit, fit_transform, transform)),
    **dict.fromkeys(
        documents.COUNTING, Kind(documents.fit, documents.fit_transform, documents.transform)
    ),
    HashingVectorizer: Kind(None, documents.fit_transform, documents.transform),
    LabelEncoder: Kind(labels.fit, labels.fit_transform, labels.transform),
    TargetEncoder: Kind(targets.fit, targets.fit_transform, targets.transform),
    KBinsDiscretizer: Kind(None, bins.fit_transform, bins.transform),
    PolynomialFeatures: Kind(None, products.fit_transform, products.transform),
    QuantileTransformer: Kind(quantiles.fit, quantiles.fit_transform, None),
}


def _entries() -> Iterator[tuple[str, type, Entry]]:
    for kind, (fit, fit_transform, transform) in _KINDS.items():
        if fit is not None:
            yield ".fit", kind, fit
            yield "stratum.fit", kind, _on_clone(fit)
        yield ".fit_transform", kind, fit_transform
        yield "stratum.fit_transform", kind, _pair_on_clone(fit_transform)
        if transform is not None:
            yield ".transform", kind, transform
            yield "stratum.transform", kind, transform
    for method in ("predict", "predict_proba", "decision_function", "score"):
        yield f".{method}", Pipeline, models.caller(method)


ENTRIES: dict[tuple[str, type], Entry] = {(op, kind): entry for op, kind, entry in _entries()}


def call_parts(op: str, estimator: Any, X: Any, /, *rest: Any) -> Any:
    """Make a call on a ColumnTransformer or Pipeline whose parts run natively by themselves.

    Raises
    ------
    Unsupported
        If it is none, or no part has a native form.
    """
    if not parts.has_parts(estimator) or not _has_rows(X):
        raise Unsupported("no parts")
    if not any(type(part) in _KINDS for part in trees.parts_of(estimator)):
        raise Unsupported("no part has a native form")
    where, _, method = op.rpartition(".")
    if not where:
        return parts.call(method, estimator, X, *rest)
    if method == "transform":
        return parts.call(method, estimator, X)
    fresh = unfitted(estimator)
    value = parts.call(method, fresh, X, *rest)
    return fresh if method == "fit" else (fresh, value)


def _has_rows(X: Any) -> bool:
    """Whether data are worth a native form; nothing is asked of what is no table or list."""
    shape = (len(X),) if type(X) is list else getattr(X, "shape", None)
    return isinstance(shape, tuple) and shape[:1] >= (WORTH,)
