"""Trees of histogram gradient boosting, grown by a kernel while scikit-learn's own ``fit`` runs.

scikit-learn keeps 256 bins for each feature, whatever it needs, and walks from node to node in
Python: of a fit on thousands of rows that is most of the time. What is fitted is scikit-learn's,
from the bins to the predictors; only its ``TreeGrower`` is another one, with the same trees.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.ensemble._hist_gradient_boosting.common import (
    PREDICTOR_RECORD_DTYPE,
    X_BITSET_INNER_DTYPE,
)
from sklearn.ensemble._hist_gradient_boosting.grower import TreeGrower
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

from stratum_dask import _native
from stratum_dask.ops import counters
from stratum_dask.ops.rebound import with_globals
from stratum_dask.ops.thresholds import bin_mapper

_OP = "grow trees"
_BOOSTERS = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
_COLUMNS = (
    "value",
    "count",
    "feature_idx",
    "bin_threshold",
    "missing_go_to_left",
    "left",
    "right",
    "gain",
    "depth",
    "is_leaf",
)
"""What the kernel says of each node, by scikit-learn's names."""
_MIN_HESSIAN = 1e-3
"""What a leaf's hessians add up to at least; ``fit`` leaves it at that."""


def growing_fit(estimator: Any) -> Callable[..., Any]:
    """Return the ``fit`` of an estimator, which grows its trees natively if they are of this kind.

    Parameters
    ----------
    estimator : estimator

    Examples
    --------
    >>> X, y = np.arange(60.0)[:, None], np.arange(60.0) > 20
    >>> model = HistGradientBoostingClassifier(max_iter=2, learning_rate=1.0)
    >>> growing_fit(model)(X, y).predict([[19.0], [21.0]])
    array([False,  True])
    """
    if type(estimator) not in _BOOSTERS or "fit" in vars(estimator) or not _agrees():
        return estimator.fit  # type: ignore[no-any-return]
    fit = with_globals(type(estimator).fit, TreeGrower=Growers(), _BinMapper=bin_mapper)
    return functools.partial(fit, estimator)


class Growers:
    """Stands for scikit-learn's ``TreeGrower`` during a fit; all its trees have the same rows."""

    def __init__(self) -> None:
        self._binned: Any = None
        self._rows: Any = None

    def __call__(self, **given: Any) -> Any:
        """Return what grows one tree."""
        if self._binned is not given["X_binned"]:
            self._binned = given["X_binned"]
            reason = _refusal(given)
            if reason is None:
                counters.hit(_OP)
                self._rows = _laid_out(**given)
            else:
                counters.fallback(_OP, (self._binned,), reason)
                self._rows = None
        return TreeGrower(**given) if self._rows is None else Grower(self._rows, **given)


def _laid_out(
    *, X_binned: Any, n_bins: int, n_bins_non_missing: Any, has_missing_values: Any, **_: Any
) -> Any:
    """Return rows as kernels read them."""
    return _native.BinnedRows(
        X_binned.reshape(-1, order="F"),
        np.asarray(n_bins_non_missing, dtype=np.uint32),
        np.asarray(has_missing_values, dtype=np.uint8),
        n_bins - 1,
    )


def _refusal(given: dict[str, Any]) -> str | None:
    """Say why a tree is left to scikit-learn, if it is."""
    if np.any(given["is_categorical"]):
        return "categories are split in an order that the C library chooses among equals"
    if given["monotonic_cst"] is not None and np.any(given["monotonic_cst"]):
        return "has monotonic constraints"
    if given["interaction_cst"] is not None:
        return "has interaction constraints"
    if given["feature_fraction_per_split"] != 1.0:
        return "draws features for each split"
    return None


class _Leaf:
    """A leaf as scikit-learn looks at it: where its rows are, and what it predicts."""

    __slots__ = ("node", "partition_start", "partition_stop", "sample_indices", "value")

    def __init__(self, node: int, value: float, start: int, partition: Any) -> None:
        self.node, self.value = node, value
        self.partition_start, self.partition_stop = start, start + len(partition)
        self.sample_indices = partition


class Grower:
    """Grows one tree, and says what scikit-learn asks of it then."""

    total_apply_split_time = total_find_split_time = total_compute_hist_time = 0.0

    def __init__(
        self,
        rows: Any,
        *,
        X_binned: Any,
        gradients: Any,
        hessians: Any,
        n_bins_non_missing: Any,
        max_leaf_nodes: int | None,
        max_depth: int | None,
        min_samples_leaf: int,
        l2_regularization: float,
        shrinkage: float,
        n_threads: int,
        **_: Any,
    ) -> None:
        self.shrinkage = shrinkage
        self.splitter = SimpleNamespace(partition=np.empty(len(X_binned), dtype=np.uint32))
        self.finalized_leaves: list[_Leaf] = []
        self._last = np.asarray(n_bins_non_missing) - 1
        self._grow = functools.partial(
            rows.grow,
            X_binned.reshape(-1, order="F"),
            gradients,
            hessians,
            self.splitter.partition,
            max_leaf_nodes=max_leaf_nodes,
            max_depth=max_depth,
            min_samples_leaf=min_samples_leaf,
            min_hessian_to_split=_MIN_HESSIAN,
            l2_regularization=l2_regularization,
            threads=n_threads,
        )
        self._nodes: dict[str, list[Any]] = {}

    def grow(self) -> None:
        """Grow the tree."""
        self._nodes = nodes = self._grow()
        partition = self.splitter.partition
        for node, is_leaf in enumerate(nodes["is_leaf"]):
            if is_leaf:
                start = nodes["start"][node]
                value = nodes["value"][node] * self.shrinkage
                samples = partition[start : start + nodes["count"][node]]
                self.finalized_leaves.append(_Leaf(node, value, start, samples))

    def make_predictor(self, binning_thresholds: list[Any]) -> Any:
        """Return scikit-learn's predictor of the tree."""
        nodes = self._nodes
        for leaf in self.finalized_leaves:
            nodes["value"][leaf.node] = leaf.value
        made = np.zeros(len(nodes["value"]), dtype=PREDICTOR_RECORD_DTYPE)
        for name in _COLUMNS:
            made[name] = nodes[name]
        made["num_threshold"] = [
            0.0
            if leaf
            else np.inf
            if bin == self._last[feature]
            else binning_thresholds[feature][bin]
            for leaf, feature, bin in zip(
                nodes["is_leaf"], nodes["feature_idx"], nodes["bin_threshold"], strict=True
            )
        ]
        none = np.zeros((0, 8), dtype=X_BITSET_INNER_DTYPE)
        return TreePredictor(made, none, none.copy())


@functools.cache
def _agrees() -> bool:
    """Tell whether scikit-learn grows the same tree here: its growers are no public interface."""
    rng = np.random.default_rng(0)
    bins = np.array([250, 3, 1], dtype=np.uint32)
    binned = np.asfortranarray(rng.integers(0, bins, (300, 3)).astype(np.uint8))
    binned[::7, 1:] = 255
    given: dict[str, Any] = {
        "X_binned": binned,
        "gradients": rng.normal(size=300).astype(np.float32),
        "hessians": rng.random(300).astype(np.float32),
        "n_bins": 256,
        "n_bins_non_missing": bins,
        "has_missing_values": np.array([False, True, True]),
        "is_categorical": None,
        "monotonic_cst": None,
        "interaction_cst": None,
        "max_leaf_nodes": 15,
        "max_depth": None,
        "min_samples_leaf": 5,
        "l2_regularization": 0.5,
        "feature_fraction_per_split": 1.0,
        "rng": rng,
        "shrinkage": 0.1,
        "n_threads": 1,
    }
    thresholds = [np.arange(count - 1) + 0.5 for count in bins]
    try:
        grown = [Grower(_laid_out(**given), **given), TreeGrower(**given)]
        for grower in grown:
            grower.grow()
        ours, theirs = (grower.make_predictor(thresholds).nodes for grower in grown)
    except Exception:  # of any type: another version's has other arguments or parts
        return False
    return bool(ours.tobytes() == theirs.tobytes())
