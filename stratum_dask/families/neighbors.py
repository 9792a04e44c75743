"""Nearest neighbours: the k nearest are the first of more, found by one search.

Only where no two of the distances that matter are equal: with ties (integer features, repeated
rows) which rows count as nearest, and in which order, depends on k. A brute force search ranks
by ``|y|^2 - 2xy``, which matrix multiplication rounds; there, distances must differ by more than
that rounding (N. Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1). Who
finds neighbours that are so clear does not matter: Euclidean ones we search ourselves, unless
somebody needs distances that depend on rounding or a tree has to look at few rows only.
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics._pairwise_distances_reduction import ArgKmin
from sklearn.neighbors import KDTree
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import validate_data

from stratum_dask.families.nearest import nearest
from stratum_dask.families.protocol import (
    FitDirectly,
    Refused,
    all_but,
    count,
    fitted_like,
)
from stratum_dask.ops.fitting import fit
from stratum_dask.runtime.threads import cores_here

_METRICS = ("minkowski", "euclidean", "manhattan", "cityblock", "l1", "l2", "chebyshev")

_EUCLIDEAN = ("euclidean", "l2")

_ASKED = 8
"""Rows that a tree is asked for, to see how many fitted rows it looks at."""

_MANY = 10
"""Looking at a row in a tree takes so many times what it takes where all are looked at."""


class Learned(NamedTuple):
    """What members have in common.

    Attributes
    ----------
    longest : estimator
        The fitted member with most neighbours.
    distances : bool
        Whether any member weights neighbours by their distances.
    """

    longest: Any
    distances: bool


class Search(NamedTuple):
    """The neighbours of some rows, nearest first.

    Attributes
    ----------
    indices : array of shape (rows, k)
    distances : array of shape (rows, k), optional
        With the bits that scikit-learn's own have.
    clear : array of int, shape (rows,)
        For how many neighbours it is certain that they are the nearest, in this order.
    method : str
        How scikit-learn finds them: ``brute``, ``kd_tree`` or ``ball_tree``.
    """

    indices: Any
    distances: Any
    clear: Any
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

    def learn(
        self, estimators: Sequence[Any], X: Any, y: Any, params: Mapping[str, Any]
    ) -> Learned:
        """Fit the one with most neighbours."""
        longest = max(estimators, key=lambda one: int(one.n_neighbors))
        distances = any(one.weights == "distance" for one in estimators)
        return Learned(fit(longest, X, y, **params), distances)

    def cut(self, learned: Learned, estimator: Any) -> Any:
        """Take the same rows and the same tree, of which calls change only its statistics."""
        longest = learned.longest
        if longest.algorithm == "auto" and _many(longest) != _many(longest, estimator.n_neighbors):
            raise FitDirectly("chooses its algorithm by its number of neighbours")
        shared = {"_fit_X": longest._fit_X, "_tree": longest._tree, "_y": longest._y}
        return fitted_like(estimator, longest, **shared)

    def prepare(self, learned: Learned, X: Any) -> Search:
        """Search once, for one neighbour more than are asked for: the last could be a tie."""
        if X is None:
            raise FitDirectly("asks for the neighbours of the fitted rows themselves")
        longest = learned.longest
        rows = validate_data(longest, X, accept_sparse="csr", reset=False, order="C")
        fitted, rows64 = _floats(longest, rows)
        most = min(longest.n_neighbors + 1, len(fitted))
        found: Any
        if _searches_itself(learned, rows64, most):
            indices, squares = nearest(fitted, rows64, most, cores_here(len(fitted) * len(rows64)))
            found = None if longest._fit_method == "brute" else np.sqrt(squares)
        else:
            found, indices = _unnamed(longest).kneighbors(rows, most)
            squares = found**2
        if longest.effective_metric_ in _EUCLIDEAN:
            clear = np.diff(squares, axis=1) > _rounding(fitted, rows64)[:, None]
        else:
            clear = np.diff(found, axis=1) > 0
        return Search(indices, found, _leading(clear, len(fitted)), longest._fit_method)

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
        if member._fit_method != prepared.method:
            raise FitDirectly("searches with another algorithm")
        unclear = np.flatnonzero(prepared.clear < k)
        if len(unclear) > (0 if prepared.method == "brute" else len(prepared.clear) // 2):
            raise FitDirectly("some distances are equal, or too close to tell apart")
        # Contiguous, as scikit-learn's own are: the layout decides the order of summation.
        indices = np.array(prepared.indices[:, :k], order="C")
        distances = None
        if member.weights == "distance":
            distances = np.array(prepared.distances[:, :k], order="C")
        if len(unclear):
            # A tree finds the neighbours of each row by itself.
            found = member.kneighbors(_safe_indexing(X, unclear))
            indices[unclear] = found[1]
            if distances is not None:
                distances[unclear] = found[0]

        def kneighbors(rows: Any, return_distance: bool = True) -> Any:
            return (distances, indices) if return_distance else indices

        stand_in = copy.copy(member)
        stand_in.kneighbors = kneighbors
        # Classifiers by brute force would count the neighbours' classes while they search.
        stand_in._fit_method = "kd_tree"
        return getattr(stand_in, method)(X, *args, **kwargs)


def _many(longest: Any, n_neighbors: int | None = None) -> bool:
    """Tell whether so many neighbours are asked for that scikit-learn takes brute force."""
    asked = longest.n_neighbors if n_neighbors is None else n_neighbors
    return bool(asked >= longest.n_samples_fit_ // 2)


def _floats(longest: Any, rows: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the fitted and other rows as scikit-learn computes with them."""
    fitted = longest._fit_X
    if longest._fit_method == "brute":
        arrays = isinstance(fitted, np.ndarray) and isinstance(rows, np.ndarray)
        doubles = arrays and fitted.dtype == rows.dtype == np.float64
        euclidean = longest.effective_metric_ in _EUCLIDEAN
        if not doubles and not (
            arrays and euclidean and ArgKmin.is_usable_for(rows, fitted, "euclidean")
        ):
            raise FitDirectly("searches by brute force in rows that it does not take as float64")
    else:
        fitted = longest._tree.data
    return np.asarray(fitted, np.float64), np.asarray(rows, np.float64)


def _searches_itself(learned: Learned, rows: np.ndarray, most: int) -> bool:
    """Tell whether the neighbours of rows are searched without scikit-learn."""
    longest = learned.longest
    if longest.effective_metric_ not in _EUCLIDEAN or len(rows) < 8 * _ASKED:
        return False
    if longest._fit_method == "brute":
        return not learned.distances
    if learned.distances and not _sums_in_order():
        return False
    tree = longest._tree
    sample = rows[:: len(rows) // _ASKED]
    before = tree.get_n_calls()
    tree.query(sample, most)
    looked_at = tree.get_n_calls() - before
    return bool(looked_at * _MANY > len(sample) * len(tree.data))


@cache
def _sums_in_order() -> bool:
    """Tell whether trees add squares in the order of the columns, each rounded by itself.

    They do, unless they were compiled for processors whose compilers merge operations.
    """
    fitted, rows = np.random.default_rng(0).normal(size=(2, 64, 37))
    distances, indices = KDTree(fitted).query(rows, 64)
    own, squares = nearest(fitted, rows, 64)
    return np.array_equal(indices, own) and np.array_equal(distances, np.sqrt(squares))


def _unnamed(estimator: Any) -> Any:
    """Return an estimator that doesn't ask for the names of columns, which were checked."""
    unnamed = copy.copy(estimator)
    vars(unnamed).pop("feature_names_in_", None)
    return unnamed


def _rounding(fitted: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return by how much rounding can change the order of squared distances, for each row.

    What a tree computes of its nodes is rounded, too, and decides where it looks.
    """
    largest = np.einsum("ij,ij->i", fitted, fitted).max()
    size = largest + np.einsum("ij,ij->i", rows, rows)
    rounding: np.ndarray = 8 * (fitted.shape[1] + 8) * np.finfo(float).eps * size
    return rounding


def _leading(clear: np.ndarray, n: int) -> np.ndarray:
    """Return for how many neighbours of each row all gaps up to the next are clear.

    Examples
    --------
    >>> _leading(np.array([[True, False, True], [True, True, True]]), 9)
    array([1, 3])
    """
    known = clear.shape[1]
    counts: np.ndarray = np.where(clear.all(axis=1), known, clear.argmin(axis=1))
    if known == n - 1:
        counts[counts == known] = n  # all rows: none is left that the last could be mistaken for
    return counts
