"""Rounds of XGBoost, grown by a kernel while XGBoost's own ``fit`` runs.

XGBoost adds one number to a histogram for each row and column, and calls Python in every round;
a kernel adds to all columns of a one-hot encoding at once, and looks at all splits together. What
is trained is XGBoost's: it trains the first round itself, which gives all that a model holds beside
its trees. If the kernel's first tree has the same bytes there, its other trees take their places,
too; if not, XGBoost trains all.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from stratum_dask import _native
from stratum_dask.ops import counters
from stratum_dask.ops.rebound import with_globals
from stratum_dask.ops.ubjson import stored, with_trees

_OP = "grow rounds"

_MISSING = 255
"""The bin of missing values."""
_MOST = 2**24
"""Numbers whose bins are copied; of more it takes too much memory to ask for them."""
_FEW = 8
"""Rounds from which on it is worth while to copy the bins."""
_DEPTHS = range(1, 13)
"""How deep trees may be, so that XGBoost keeps the sums of all of their nodes."""

_FREE = {
    "base_score",
    "eval_metric",
    "gamma",
    "learning_rate",
    "max_bin",
    "min_child_weight",
    "random_state",
    "reg_alpha",
    "reg_lambda",
}
"""Parameters that may be anything."""

_PLAIN: dict[str, Sequence[Any]] = {
    "booster": ("gbtree",),
    "colsample_bylevel": (1,),
    "colsample_bynode": (1,),
    "colsample_bytree": (1,),
    "device": ("cpu",),
    "grow_policy": ("depthwise",),
    "max_delta_step": (0,),
    "max_depth": _DEPTHS,
    "max_leaves": (0,),
    "n_jobs": (1,),
    "num_parallel_tree": (1,),
    "objective": ("reg:squarederror", "binary:logistic"),
    "scale_pos_weight": (1,),
    "subsample": (1,),
    "tree_method": ("auto", "hist"),
    "verbosity": (0, 1),
}
"""Parameters that may be these."""


def boosting_fit(estimator: Any) -> Callable[..., Any]:
    """Return the ``fit`` of an estimator, which grows its rounds natively if it is of this kind.

    Parameters
    ----------
    estimator : estimator

    Examples
    --------
    >>> from xgboost import XGBRegressor
    >>> model = XGBRegressor(n_estimators=2, learning_rate=1.0, reg_lambda=0.0, n_jobs=1)
    >>> boosting_fit(model)([[1.0], [2.0]], [3.0, 4.0]).predict([[2.0]])
    array([4.], dtype=float32)
    """
    kind = type(estimator)
    library = sys.modules.get("xgboost.sklearn")
    kinds = (getattr(library, "XGBRegressor", None), getattr(library, "XGBClassifier", None))
    if kind not in kinds or "fit" in vars(estimator):
        return estimator.fit  # type: ignore[no-any-return]
    if _by_weight() is None:
        counters.fallback(_OP, (), "this version of XGBoost grows other trees")
        return estimator.fit  # type: ignore[no-any-return]
    train = functools.partial(_train, library.train)  # type: ignore[union-attr]
    return functools.partial(with_globals(kind.fit, train=train), estimator)


def _train(train: Any, params: Mapping[str, Any], matrix: Any, rounds: int, **given: Any) -> Any:
    """Stands for XGBoost's ``train``."""
    reason = _refusal(params, matrix, rounds, given)
    if reason is None:
        first = train(params, matrix, 1, **given)
        trained = _continued(first, matrix, rounds, _by_weight())
        if trained is not None:
            counters.hit(_OP)
            return trained
        reason = "its first tree is another one here"
    counters.fallback(_OP, (), reason)
    return train(params, matrix, rounds, **given)


def _refusal(
    params: Mapping[str, Any], matrix: Any, rounds: int, given: Mapping[str, Any]
) -> str | None:
    """Say why rounds are left to XGBoost, if they are."""
    for name in ("evals", "obj", "early_stopping_rounds", "xgb_model", "callbacks"):
        if given.get(name):
            return f"has {name}"
    for name, value in params.items():
        if value is None or name in _FREE:
            continue
        if not np.isscalar(value) or value not in _PLAIN.get(name, ()):
            return f"has {name}={value!r}"
    if params.get("n_jobs") != 1:
        return "adds up on several threads"
    if type(matrix).__name__ != "QuantileDMatrix":
        return "takes rows that its library does not bin beforehand"
    if "c" in (matrix.feature_types or ()):
        return "has categories"
    if rounds < _FEW:
        return "has few rounds"
    numbers = matrix.num_row() * matrix.num_col()
    if numbers > _MOST:
        return "has many rows"
    if matrix.num_nonmissing() * 2 < numbers:
        return "misses most values"
    if len(matrix.get_base_margin()) or len(matrix.get_label()) != matrix.num_row():
        return "has more than one number to predict from, or to predict"
    return _laid_out(matrix).reason


class _Rows(NamedTuple):
    """Rows as kernels read them, or why they cannot."""

    reason: str | None
    rows: Any = None
    binned: Any = None
    cuts: Any = None
    starts: Any = None


_known: WeakKeyDictionary[Any, tuple[Lock, list[_Rows]]] = WeakKeyDictionary()
_lock = Lock()


def _laid_out(matrix: Any) -> _Rows:
    """Return the rows of a matrix; those of one matrix are laid out once."""
    with _lock:
        lock, found = _known.setdefault(matrix, (Lock(), []))
    with lock:
        if not found:
            found.append(_lay_out(matrix))
    return found[0]


def _lay_out(matrix: Any) -> _Rows:
    starts, cuts = matrix.get_quantile_cut()
    starts = starts.astype(np.intp)
    table = matrix.get_data()
    rows, columns = table.shape
    has_missing = np.zeros(columns, dtype=np.uint8)
    if table.nnz == rows * columns:
        values = np.ascontiguousarray(table.data.reshape(rows, columns).T)
    else:
        values = np.full((columns, rows), np.nan, dtype=np.float32)
        values[table.indices, np.repeat(np.arange(rows), np.diff(table.indptr))] = table.data
        has_missing[:] = np.isnan(values).any(axis=1)
    binned = np.full((columns, rows), _MISSING, dtype=np.uint8)
    bins = np.diff(starts) - 1
    if np.any(bins < 1) or np.any(bins > np.where(has_missing, _MISSING, 256)):
        return _Rows("has columns of no bins, or of many and missing values")
    for column, start in enumerate(starts[:-1]):
        ends = cuts[start : starts[column + 1]]
        there = slice(None) if not has_missing[column] else ~np.isnan(values[column])
        # A value that stands for a bin lies in it: at its lower end, or anywhere in that below all.
        found = np.searchsorted(ends[1:], values[column][there], side="right")
        if np.any(np.diff(ends) <= 0) or np.any(found >= bins[column]):
            return _Rows("has bins that are not told apart")
        binned[column][there] = found
    flat = binned.reshape(-1)
    laid_out = _native.BinnedRows(flat, bins.astype(np.uint32), has_missing, _MISSING)
    return _Rows(None, laid_out, flat, cuts, starts)


def _continued(first: Any, matrix: Any, rounds: int, by_weight: bool | None) -> Any:
    """Return a model of more rounds, given one of the first; None if its tree is another one."""
    learner = json.loads(first.save_config())["learner"]
    rule = learner["gradient_booster"]["tree_train_param"]
    score = learner["learner_model_param"]["base_score"].strip("[]")
    if "," in score:
        return None
    known = _laid_out(matrix)
    columns = known.rows.boost(
        known.binned,
        matrix.get_label(),
        matrix.get_weight(),
        score=float(score),
        logistic=learner["objective"]["name"] == "binary:logistic",
        rounds=rounds,
        max_depth=int(rule["max_depth"]),
        eta=float(rule["eta"]),
        gamma=float(rule["gamma"]),
        min_child_weight=float(rule["min_child_weight"]),
        lambda_=float(rule["lambda"]),
        alpha=float(rule["alpha"]),
        by_weight=bool(by_weight),
    )
    trees = stored(_by_xgboosts_names(columns, known), matrix.num_col())
    state = first.__getstate__()
    handle = with_trees(bytes(state["handle"]), trees)
    if handle is None:
        return None
    state["handle"] = bytearray(handle)
    trained = object.__new__(type(first))
    trained.__setstate__(state)
    return trained


def _by_xgboosts_names(columns: Mapping[str, bytes], known: _Rows) -> dict[str, Any]:
    """Return what XGBoost stores of each node."""

    def of(name: str, dtype: Any) -> Any:
        return np.frombuffer(columns[name], dtype=dtype)

    child, feature = of("child", np.int32), of("feature", np.int32)
    is_leaf = child < 0
    cuts = known.cuts[known.starts[feature] + of("bins", np.uint32)]
    return {
        "count": of("count", np.uint32),
        "base_weights": of("weight", np.float32),
        "default_left": of("missing_go_left", np.uint8),
        "left_children": child,
        "loss_changes": of("gain", np.float32),
        "parents": of("parent", np.int32),
        "right_children": np.where(is_leaf, child, child + 1),
        "split_conditions": np.where(is_leaf, of("value", np.float32), cuts),
        "split_indices": feature,
        "sum_hessian": of("hessian", np.float32),
    }


@functools.cache
def _by_weight() -> bool | None:
    """Tell how this version of XGBoost computes gains; None if neither way gives its trees.

    Its arithmetic and the bytes of its models are no public interface: some rounds are compared.
    """
    try:
        return next((way for way in (False, True) if _agrees(way)), None)
    except Exception:  # of any type: another version's has other arguments or parts
        return None


def _agrees(by_weight: bool) -> bool:
    from xgboost import QuantileDMatrix, train

    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 12))
    X[:, 1:10] = rng.integers(0, 9, 300)[:, None] == np.arange(9)
    X[::7, 10:] = np.nan
    y = (X[:, 0] + rng.normal(size=300) > X[:, 1]).astype(float)
    for objective in _PLAIN["objective"]:
        params = {"objective": objective, "n_jobs": 1, "max_depth": 4, "max_bin": 64}
        params["reg_alpha"] = 0.1
        matrix = QuantileDMatrix(X, y, weight=rng.random(300), nthread=1, max_bin=64)
        if _refusal(params, matrix, _FEW, {}) is not None:
            return False
        trained = _continued(train(params, matrix, 1), matrix, _FEW, by_weight)
        expected = train(params, matrix, _FEW)
        if trained is None or trained.__getstate__() != expected.__getstate__():
            return False
    return True
