"""Transformers side by side, put together from parts that were fitted apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.compose._column_transformer import _check_X
from sklearn.utils import _safe_indexing

from stratum_dask.ops.fitting import unfitted


class _Done(BaseEstimator):  # type: ignore[misc]  # scikit-learn is not typed
    """Stands in for a transformer while the others are put together with it."""

    def __init__(self, fitted: Any, transformed: Any) -> None:
        self.fitted, self.transformed = fitted, transformed

    def __sklearn_clone__(self) -> _Done:
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "fitted" not in vars(self):
            raise AttributeError(name)
        return getattr(self.fitted, name)

    def fit_transform(self, X: Any, y: Any = None, **params: Any) -> Any:
        return self.transformed

    def transform(self, X: Any) -> Any:
        return self.fitted.transform(X)


def columns(X: Any, chosen: Any) -> Any:
    """Return what a ``ColumnTransformer`` gives to one of its transformers.

    Examples
    --------
    >>> import pandas as pd
    >>> columns(pd.DataFrame({"a": [1], "b": [2]}), ["b"]).columns.tolist()
    ['b']
    """
    return _safe_indexing(_check_X(X), chosen, axis=1)


def unite(template: Any, X: Any, y: Any, places: Sequence[int], /, *parts: Any) -> tuple[Any, Any]:
    """Fit a ``ColumnTransformer`` or ``FeatureUnion`` of which parts are fitted already.

    Parameters
    ----------
    template : ColumnTransformer or FeatureUnion
        Unfitted; stays as it is.
    X, y : array-like
        What it is fitted on.
    places : sequence of int
        Which of its transformers are fitted already.
    *parts : object
        For each of these the fitted transformer, and what its ``fit_transform`` returned.

    Returns
    -------
    fitted : ColumnTransformer or FeatureUnion
    transformed : array-like

    Examples
    --------
    >>> from sklearn.pipeline import make_union
    >>> from sklearn.preprocessing import MinMaxScaler
    >>> scaler = MinMaxScaler().fit([[1.0], [3.0]])
    >>> union = make_union(MinMaxScaler(), MinMaxScaler((0, 2)))
    >>> unite(union, [[1.0], [3.0]], None, [0], scaler, [[0.0], [1.0]])[1].tolist()
    [[0.0, 0.0], [1.0, 2.0]]
    """
    fresh = unfitted(template)
    made = "transformers_" if hasattr(fresh, "transformers") else "transformer_list"
    given = made.rstrip("_")
    entries = list(getattr(fresh, given))
    fitted = dict(zip(places, zip(parts[::2], parts[1::2], strict=True), strict=True))
    stubs = {i: _Done(*pair) for i, pair in fitted.items()}
    united = [(e[0], stubs[i], *e[2:]) if i in stubs else e for i, e in enumerate(entries)]
    setattr(fresh, given, united)
    transformed = fresh.fit_transform(X, y)
    if made != given:
        setattr(fresh, given, entries)
    real = [
        (e[0], e[1].fitted if isinstance(e[1], _Done) else e[1], *e[2:])
        for e in getattr(fresh, made)
    ]
    setattr(fresh, made, real)
    return fresh, transformed
