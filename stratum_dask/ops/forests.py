"""Fits of random forests whose trees are grown natively, and like the first one.

For each tree scikit-learn makes an estimator anew, checks its parameters and targets, and makes two
generators. That takes longer than the kernel needs to grow a tree of thousands of rows. Here its
own ``fit`` makes and checks one tree; the others differ from it in their seeds, in how often they
count each row, and in their nodes.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.ensemble import _forest as theirs
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import Tree

from stratum_dask.ops.planting import SEEDS, Builder, Builders, are_equal
from stratum_dask.ops.rebound import in_turn, with_globals

_FORESTS = (
    RandomForestClassifier,
    RandomForestRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
)


def forest_fit(estimator: Any) -> Callable[..., Any]:
    """Return the ``fit`` of an estimator, which grows its trees natively if it is a forest.

    Parameters
    ----------
    estimator : estimator

    Examples
    --------
    >>> X, y = np.arange(60.0)[:, None], np.arange(60.0) > 20
    >>> model = RandomForestClassifier(n_estimators=5, random_state=0)
    >>> forest_fit(model)(X, y).predict([[10.0], [40.0]])
    array([False,  True])
    """
    kind = type(estimator)
    own = vars(estimator).keys() & {"fit", "_make_estimator"}
    if kind not in _FORESTS or own or not _agrees():
        return estimator.fit  # type: ignore[no-any-return]
    return functools.partial(_fit, estimator)


def _fit(estimator: Any, *args: Any, **kwargs: Any) -> Any:
    trees = _Trees(estimator._make_estimator)
    fit = with_globals(type(estimator).fit, _parallel_build_trees=trees, Parallel=_parallel)
    estimator._make_estimator = trees.make
    try:
        return fit(estimator, *args, **kwargs)
    finally:
        del estimator._make_estimator


class _Trees:
    """Makes the trees of a forest, and fits each; sent elsewhere, it is scikit-learn's function."""

    __slots__ = ("_build", "_builders", "_first", "_fit", "_make", "_unfitted")

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make
        self._unfitted: Any = None
        self._first: tuple[Any, Builder] | None = None
        self._builders = Builders()
        self._fit = with_globals(BaseDecisionTree._fit, DepthFirstTreeBuilder=self._builders)
        sample = with_globals(theirs._generate_sample_indices, check_random_state=_generator)
        self._build = with_globals(theirs._parallel_build_trees, _generate_sample_indices=sample)

    def __reduce__(self) -> tuple[Any, ...]:
        return _parallel_build_trees, ()

    def make(self, append: bool = True, random_state: Any = None) -> Any:
        """Make a tree, as the forest's ``_make_estimator`` does."""
        if self._unfitted is None or append or random_state is None:
            made = self._make(append=append, random_state=random_state)
            if all(map(_is_plain, made.get_params().values())):
                self._unfitted = _copy(made)
            return made
        made = _copy(self._unfitted)
        made.random_state = random_state.randint(SEEDS)
        return made

    def __call__(self, tree: Any, *args: Any, **kwargs: Any) -> Any:
        """Fit a tree to rows that are drawn for it."""
        tree._fit = functools.partial(self.fit, tree)
        try:
            return self._build(tree, *args, **kwargs)
        finally:
            del tree._fit

    def fit(self, tree: Any, X: Any, y: Any, sample_weight: Any = None, **how: Any) -> None:
        """Fit a tree as its ``_fit`` does."""
        if self._first is None or not self._fit_like(*self._first, tree, X, sample_weight):
            self._fit(tree, X, y, sample_weight, **how)
            if self._builders.used is not None:
                self._first = tree, self._builders.used

    def _fit_like(
        self, first: Any, builder: Builder, tree: Any, X: Any, sample_weight: Any
    ) -> bool:
        weights = sample_weight
        if weights is not None:
            weights = np.ascontiguousarray(weights, dtype=np.float64)
        weight = X.shape[0] if weights is None else np.sum(weights)
        grown = Tree(first.n_features_in_, first.tree_.n_classes, first.n_outputs_)
        least = tree.min_weight_fraction_leaf * weight
        generator = _generator(tree.random_state)
        if not builder.build_again(grown, weights, generator, min_weight_leaf=least):
            return False
        own = vars(tree)
        for name, value in vars(first).items():
            if name not in own:
                own[name] = value.copy() if isinstance(value, np.ndarray) else value
        tree.tree_ = grown
        tree._prune_tree()
        return True


def _parallel_build_trees() -> Any:
    return theirs._parallel_build_trees


def _parallel(**how: Any) -> Callable[..., Any]:
    """Stand for joblib's ``Parallel``, which takes a while where there is nothing to share out."""
    if how["verbose"] or joblib.effective_n_jobs(how["n_jobs"]) != 1:
        return theirs.Parallel(**how)  # type: ignore[no-any-return]
    return in_turn


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str | np.generic)


def _copy(unfitted: Any) -> Any:
    made = object.__new__(type(unfitted))
    vars(made).update(vars(unfitted))
    return made


_seeded = threading.local()


def _generator(seed: int) -> np.random.RandomState:
    """Return the generator of a seed, for now: seeding one again takes a hundredth of the time."""
    if not hasattr(_seeded, "generator"):
        _seeded.generator = np.random.RandomState()
    _seeded.generator.seed(seed)
    return _seeded.generator  # type: ignore[no-any-return]


@functools.cache
def _agrees() -> bool:
    """Tell whether scikit-learn fits the same forest here: its methods are no public interface."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), rng.integers(0, 3, 60)
    ours, model = (RandomForestClassifier(3, random_state=0) for _ in range(2))
    try:
        _fit(ours, X, y)
        pairs = zip(ours.estimators_, model.fit(X, y).estimators_, strict=True)
        return all(_same(*pair) for pair in pairs) and list(vars(ours)) == list(vars(model))
    except Exception:  # of any type: another version's has other arguments or parts
        return False


def _same(one: Any, other: Any) -> bool:
    """Compare all that trees have."""
    ours, theirs = (dict(vars(tree)) for tree in (one, other))
    return are_equal(ours.pop("tree_"), theirs.pop("tree_")) and repr(ours) == repr(theirs)
