"""Nearest neighbours: the k nearest are the first of more, found by one search.

Only where no two of the distances that matter are equal: with ties (integer features, repeated
rows) which rows count as nearest, and in which order, depends on k. A brute force search ranks
by ``|y|^2 - 2xy``, which matrix multiplication rounds; there, distances must differ by more than
that rounding (N. Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1).
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stratum_dask.families.protocol import (
    FitDirectly,
    Refused,
    all_but,
    count,
    fitted_like,
)
from stratum_dask.ops.fitting import fit

_METRICS = ("minkowski", "euclidean", "manhattan", "cityblock", "l1", "l2", "chebyshev")


class Search(NamedTuple):
    """The neighbours of some rows, nearest first.

    Attributes
    ----------
    distances, indices : arrays of shape (rows, k)
    clear : int
        For how many neighbours it is certain that they are the nearest, in this order.
    method : str
        How they were found: ``brute``, ``kd_tree`` or ``ball_tree``.
    """

    distances: Any
    indices: Any
    clear: int
    method: str


class Neighbors:
    """Nearest neighbours that differ in `n_neighbors` and `weights` only; exact."""

    name = "neighbors"
    numerics = "exact"
    classes = frozenset({"sklearn.KNeighborsRegressor", "sklearn.KNeighborsClassifier"})
    params: frozenset[str] = frozenset()
    methods = frozenset({"predict", "predict_proba", "score"})

    def key(self, estimator: Any) -> Hashable:
        """Return all parameters but those that say what is done with the neighbours."""
        count(estimator, "n_neighbors")
        if estimator.weights not in ("uniform", "distance"):
            raise Refused("has a function for its weights, which is not known")
        if estimator.metric not in _METRICS or estimator.metric_params is not None:
            raise Refused("has a metric of its own")
        return all_but(estimator, "n_neighbors", "weights")

    def learn(self, estimators: Sequence[Any], X: Any, y: Any, params: Mapping[str, Any]) -> Any:
        """Fit the one with most neighbours."""
        return fit(max(estimators, key=lambda one: int(one.n_neighbors)), X, y, **params)

    def cut(self, learned: Any, estimator: Any) -> Any:
        """Take the same rows and the same tree, of which calls change only its statistics."""
        if learned.algorithm == "auto" and _many(learned) != _many(learned, estimator.n_neighbors):
            raise FitDirectly("chooses its algorithm by its number of neighbours")
        shared = {"_fit_X": learned._fit_X, "_tree": learned._tree, "_y": learned._y}
        return fitted_like(estimator, learned, **shared)

    def prepare(self, learned: Any, X: Any) -> Search:
        """Search once, for one neighbour more than are asked for: the last could be a tie."""
        if X is None:
            raise FitDirectly("asks for the neighbours of the fitted rows themselves")
        most = min(learned.n_neighbors + 1, learned.n_samples_fit_)
        distances, indices = learned.kneighbors(X, most)
        gaps = _gaps(learned, X, distances)
        unclear: np.ndarray = np.any(gaps <= 0, axis=0)
        clear = int(unclear.argmax()) if unclear.any() else len(unclear)
        if clear == most - 1 == learned.n_samples_fit_ - 1:
            clear = most  # all rows: none is left that the last could be mistaken for
        return Search(distances, indices, clear, learned._fit_method)

    def apply(
        self,
        prepared: Search,
        member: Any,
        method: str,
        X: Any,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """Call scikit-learn's own method on a stand-in that knows its neighbours already."""
        k = member.n_neighbors
        if k > prepared.clear:
            raise FitDirectly("some distances are equal, or too close to tell apart")
        if member._fit_method != prepared.method:
            raise FitDirectly("searches with another algorithm")
        # Contiguous, as scikit-learn's own are: the layout decides the order of summation.
        distances = np.ascontiguousarray(prepared.distances[:, :k])
        indices = np.ascontiguousarray(prepared.indices[:, :k])

        def kneighbors(rows: Any, return_distance: bool = True) -> Any:
            return (distances, indices) if return_distance else indices

        stand_in = copy.copy(member)
        stand_in.kneighbors = kneighbors
        # Classifiers by brute force would count the neighbours' classes while they search.
        stand_in._fit_method = "kd_tree"
        return getattr(stand_in, method)(X, *args, **kwargs)


def _many(learned: Any, n_neighbors: int | None = None) -> bool:
    """Tell whether so many neighbours are asked for that scikit-learn takes brute force."""
    asked = learned.n_neighbors if n_neighbors is None else n_neighbors
    return bool(asked >= learned.n_samples_fit_ // 2)


def _gaps(learned: Any, X: Any, distances: np.ndarray) -> np.ndarray:
    """Return by how much neighbours differ; none above zero is certain not to be a tie."""
    if learned._fit_method != "brute":
        return np.diff(distances, axis=1)
    fitted = learned._fit_X
    rows = np.asarray(X)
    if not (isinstance(fitted, np.ndarray) and fitted.dtype == rows.dtype == np.float64):
        raise FitDirectly("searches by brute force in rows that are not all float64")
    if learned.effective_metric_ not in ("euclidean", "l2"):
        return np.diff(distances, axis=1)
    squares = distances**2
    largest = np.einsum("ij,ij->i", fitted, fitted).max()
    size = largest + np.einsum("ij,ij->i", rows, rows)
    rounding = 8 * (fitted.shape[1] + 4) * np.finfo(float).eps * size
    gaps: np.ndarray = np.diff(squares, axis=1) - rounding[:, None]
    return gaps
