"""Fits on samples: encoders learn categories there, and what they would make of a sample is no use.

A ``ColumnTransformer`` also transforms what it is fitted on. A sample that holds every string has
so many rows as there are strings, and encoding them takes longer than finding the categories.
"""

from __future__ import annotations

from typing import Any

from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from stratum_dask.ops.direct.preprocessing import trees
from stratum_dask.ops.direct.preprocessing.parts import Part
from stratum_dask.ops.direct.preprocessing.standing_in import twin


class _Learner(Part):
    """Stands in for an encoder that is fitted; what it returns has nothing but the right shape."""

    def __sklearn_clone__(self) -> _Learner:
        return _Learner(clone(self.inner))

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        encoder = self.inner.fit(X)
        widths = getattr(encoder, "_n_features_outs", None)
        width = encoder.n_features_in_ if widths is None else sum(widths)
        return sparse.csr_matrix((len(X), width))


def fit(estimator: Any, sample: Any) -> None:
    """Fit an estimator by its own ``fit`` on a sample.

    Parameters
    ----------
    estimator : object
        One that :func:`~stratum_dask.ops.direct.preprocessing.trees.check` lets pass. A failure
        leaves it in the middle. Whether a ``ColumnTransformer`` returns sparse matrices remains to
        be decided.
    sample : DataFrame
    """
    tables = [part for part in trees.changed_by_fit(estimator) if type(part) is ColumnTransformer]
    given = [table.transformers for table in tables]
    for table in tables:
        table.transformers = [(name, _learner(part), of) for name, part, of in table.transformers]
    estimator.fit(sample)
    for table, transformers in zip(tables, given, strict=True):
        table.transformers = transformers
        table.transformers_ = [(name, _learnt(part), of) for name, part, of in table.transformers_]


def _learner(part: Any) -> Any:
    if type(part) in (OneHotEncoder, OrdinalEncoder):
        return _Learner(part)
    if type(part) is Pipeline:
        *others, (name, last) = part.steps
        return twin(part, steps=[*others, (name, _learner(last))])
    return part


def _learnt(part: Any) -> Any:
    if type(part) is _Learner:
        return part.inner
    if type(part) is Pipeline:
        name, last = part.steps[-1]
        part.steps[-1] = name, _learnt(last)
    return part
