"""Trees of random forests, grown by a kernel while scikit-learn's own ``fit`` runs.

scikit-learn sorts the samples of every node by every column that it looks at. The kernel ranks the
columns once for all trees, and adds up samples by their ranks. That changes the order of sums:
trees are the same where sums are exact, as they are for classes and for targets that are whole
numbers.
"""

from __future__ import annotations

import functools
from threading import Lock
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.tree import _criterion, _splitter
from sklearn.tree._tree import NODE_DTYPE, DepthFirstTreeBuilder, Tree

from stratum_dask import _native
from stratum_dask.ops import counters

_OP = "grow trees of forests"
_CRITERIA = (_criterion.MSE, _criterion.Gini, _criterion.Entropy)
_SPLITTERS = (_splitter.BestSplitter, _splitter.RandomSplitter)
SEEDS = 2**31 - 1
"""Below which scikit-learn draws the seeds of a forest's trees, and of a tree's splits."""
_LIMITS = (
    "min_samples_split",
    "min_samples_leaf",
    "min_weight_leaf",
    "max_depth",
    "min_impurity_decrease",
)
"""What a builder is told, in scikit-learn's order."""


class Builders:
    """Stands for scikit-learn's ``DepthFirstTreeBuilder`` during a fit; all trees have one X."""

    def __init__(self) -> None:
        self.used: Builder | None = None
        """What has built a tree natively."""
        self._lock = Lock()
        self._X: Any = None
        self._columns: Any = None

    def __call__(self, *given: Any) -> Builder:
        """Return what builds one tree."""
        return Builder(self, *given)

    def columns(self, X: Any) -> Any:
        """Return the columns of X, ranked when the first tree asks."""
        with self._lock:
            if self._X is not X:
                by_rows = X.flags.c_contiguous
                matrix = X.reshape(-1) if by_rows else np.asfortranarray(X).reshape(-1, order="F")
                self._columns = _native.RankedColumns(matrix, X.shape[1], by_rows)
                self._X = X
            return self._columns


class Builder:
    """Builds trees of one shape, as scikit-learn's builder does.

    Parameters
    ----------
    builders : Builders
    splitter : Splitter
        scikit-learn's.
    *limits
        All else that its builder is told.
    """

    def __init__(self, builders: Builders, splitter: Any, *limits: Any) -> None:
        self._builders = builders
        self._splitter = splitter
        self._limits = dict(zip(_LIMITS, limits, strict=True))
        self._data: tuple[Any, Any] = None, None

    def build(self, tree: Tree, X: Any, y: Any, sample_weight: Any, missing: Any) -> None:
        """Build a tree in place."""
        kind: Any = type(self._splitter)
        reason = _refusal(self._splitter, X, y)
        if reason is None and not agrees(kind, missing is not None):
            reason = "other trees in this version of scikit-learn"
        if reason is None:
            if self.build_natively(tree, X, y, sample_weight):
                self._builders.used = self
                return
            reason = "targets or weights whose sums are rounded"
        counters.fallback(_OP, (X,), reason)
        own = DepthFirstTreeBuilder(self._splitter, *map(self._limits.get, _LIMITS))
        own.build(tree, X, y, sample_weight, missing)

    def build_natively(self, tree: Tree, X: Any, y: Any, weights: Any) -> bool:
        """Build a tree in place, if the kernel can; if not, nothing has been drawn."""
        generator = _generator_of(self._splitter)
        self._data = self._builders.columns(X), y.reshape(-1)
        self._limits["max_features"] = self._splitter.max_features
        state = generator.get_state()
        if self.build_again(tree, weights, generator):
            return True
        generator.set_state(state)
        return False

    def build_again(self, tree: Tree, weights: Any, generator: Any, **limits: Any) -> bool:
        """Build a tree of the same X and y in place, if the kernel can.

        Parameters
        ----------
        tree : Tree
        weights : ndarray of float64 or None
        generator : RandomState
            Which the tree's seed is drawn from.
        **limits
            What is another for this tree.
        """
        columns, y = self._data
        criterion = self._splitter.criterion
        grown = columns.plant(
            y,
            weights,
            generator.randint(0, SEEDS),
            classes=None if type(criterion) is _criterion.MSE else int(tree.max_n_classes),
            entropy=type(criterion) is _criterion.Entropy,
            random=type(self._splitter) is _splitter.RandomSplitter,
            **self._limits | limits,
        )
        if grown is None:
            return False
        counters.hit(_OP)
        tree.__setstate__(_state(grown, tree))
        return True


def _refusal(splitter: Any, X: Any, y: Any) -> str | None:
    """Say why a tree is left to scikit-learn, if it is."""
    if issparse(X):
        return "is sparse"
    if type(splitter) not in _SPLITTERS or type(splitter.criterion) not in _CRITERIA:
        return "splits by another criterion"
    if y.shape[1] != 1:
        return "has several targets"
    if splitter.__reduce__()[1][-1] is not None:
        return "has monotonic constraints"
    if splitter.max_features < 1:
        return "looks at no columns"
    return None


def _generator_of(splitter: Any) -> Any:
    return splitter.__reduce__()[1][-2]


def _state(grown: dict[str, Any], tree: Tree) -> dict[str, Any]:
    """Return the state of a tree that has grown."""
    count = len(grown["missing_go_to_left"])
    nodes = np.zeros(count, dtype=NODE_DTYPE)
    for name in NODE_DTYPE.names:
        nodes[name] = np.frombuffer(grown[name], dtype=NODE_DTYPE[name])
    values = np.frombuffer(grown["values"]).reshape(count, tree.n_outputs, tree.max_n_classes)
    return {
        "max_depth": grown["max_depth"],
        "node_count": count,
        "nodes": nodes,
        "values": values,
    }


@functools.cache
def agrees(kind: Any, has_missing: bool) -> bool:
    """Tell whether scikit-learn grows the same trees here: its builders are no public interface.

    Parameters
    ----------
    kind : type
        That of the splitter.
    has_missing : bool
        Whether values are missing.
    """
    rng = np.random.default_rng(0)
    some = rng.random(200) < 0.2 if has_missing else np.zeros(200, dtype=bool)
    X = np.column_stack(
        [
            rng.normal(size=200),
            rng.integers(0, 5, 200),
            np.where(some, np.nan, rng.integers(0, 9, 200)),
            np.eye(3)[rng.integers(0, 3, 200)],
        ]
    ).astype(np.float32)
    y = rng.integers(0, 3, (200, 1)).astype(float)
    weights = rng.integers(0, 4, 200).astype(float)
    missing = np.isnan(X).any(axis=0).astype(np.uint8) if has_missing else None
    limits = (4, 2, 1.0, 9, 0.0)
    classes = np.array([3])
    try:
        for criterion, count in (
            (_criterion.MSE(1, 200), np.array([1])),
            (_criterion.Gini(1, classes), classes),
            (_criterion.Entropy(1, classes), classes),
        ):
            ours, theirs = (Tree(X.shape[1], count, 1) for _ in range(2))
            own, other = (
                kind(criterion, 3, 2, 1.0, np.random.RandomState(0), None) for _ in range(2)
            )
            Builder(Builders(), own, *limits).build_natively(ours, X, y, weights)
            DepthFirstTreeBuilder(other, *limits).build(theirs, X, y, weights, missing)
            if not are_equal(ours, theirs):
                return False
    except Exception:  # of any type: another version's has other arguments or parts
        return False
    return True


def are_equal(*trees: Tree) -> bool:
    """Tell whether two trees have the same nodes, bit for bit."""
    one, other = (tree.__getstate__() for tree in trees)
    same = all(one[name].tobytes() == other[name].tobytes() for name in ("nodes", "values"))
    return same and one["max_depth"] == other["max_depth"]
