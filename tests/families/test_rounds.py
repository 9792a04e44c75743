"""Rounds that a kernel grows are those that XGBoost grows, bit for bit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.base import clone

from stratum_dask import _native
from stratum_dask.families import family_of
from stratum_dask.families.binned import of_rows
from stratum_dask.ops import counters
from stratum_dask.ops.fitting import fit

xgboost = pytest.importorskip("xgboost")


@pytest.fixture(scope="module")
def assert_grown(assert_same_booster):
    """Compare all that a fit leaves behind, and how it was done."""

    def check(model, X, y, hit=True, **params):
        expected = clone(model).fit(X, y, **params)
        counters.reset()
        grown = fit(model, X, y, **params)
        if hit and not misses_most(X):
            assert counters.snapshot().hits == {"grow rounds": 1}
        else:
            assert len(counters.snapshot().fallbacks) == 1
        assert_same_booster(grown, expected, X)
        mine, theirs = grown.get_booster(), expected.get_booster()
        assert mine.__getstate__() == theirs.__getstate__()
        for part in (slice(1), slice(1, None)):
            assert mine[part].save_raw() == theirs[part].save_raw()
        return grown

    def misses_most(X):
        return isinstance(X, np.ndarray) and np.isnan(X).mean() > 0.5

    return check


@st.composite
def tables(draw):
    """Draw columns of few and of many values, some missing, and categories as columns."""
    rows = draw(st.sampled_from([2, 7, 40, 130, 600]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    columns = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["normal", "binary", "few", "constant", "skewed", "one-hot"]))
        if kind == "one-hot":
            count = draw(st.sampled_from([2, 6, 15]))
            columns += list((rng.integers(0, count + 1, rows) == np.arange(count)[:, None]) * 1.0)
            continue
        column = {
            "normal": lambda: rng.normal(size=rows),
            "binary": lambda: rng.integers(0, 2, rows).astype(float),
            "few": lambda: rng.integers(0, 9, rows).astype(float),
            "constant": lambda: np.full(rows, 3.0),
            "skewed": lambda: np.floor(rng.exponential(2.0, rows) ** 3),
        }[kind]()
        missing = draw(st.sampled_from([0.0, 0.0, 0.1, 0.4]))
        columns.append(np.where(rng.random(rows) < missing, np.nan, column))
    return np.column_stack(columns), rng


_GROWTH = st.fixed_dictionaries(
    {
        "n_estimators": st.integers(8, 14),
        "max_depth": st.integers(1, 8),
        "max_bin": st.sampled_from([255, 255, 16, 2]),
        "learning_rate": st.sampled_from([None, 0.05, 1.0]),
        "gamma": st.sampled_from([None, 0.5, 10.0]),
        "min_child_weight": st.sampled_from([None, 0.0, 0.1, 5.0]),
        "reg_alpha": st.sampled_from([None, 0.5, 3.0]),
        "reg_lambda": st.sampled_from([None, 0.0, 10.0]),
        "base_score": st.sampled_from([None, None, 0.3]),
    }
)


@given(table=tables(), growth=_GROWTH, weighted=st.booleans(), whole=st.booleans())
def test_regressors(assert_grown, table, growth, weighted, whole):
    X, rng = table
    y = rng.normal(size=len(X)) * 5
    params = {"sample_weight": rng.random(len(X))} if weighted else {}
    model = xgboost.XGBRegressor(n_jobs=1, random_state=0, **growth)
    assert_grown(model, X, np.round(y) if whole else y, **params)


@given(table=tables(), growth=_GROWTH, weighted=st.booleans())
def test_classifiers(assert_grown, table, growth, weighted):
    X, rng = table
    y = np.resize([0, 1], len(X))
    rng.shuffle(y)
    params = {"sample_weight": rng.random(len(X))} if weighted else {}
    assert_grown(xgboost.XGBClassifier(n_jobs=1, random_state=0, **growth), X, y, **params)


def test_more_rounds_than_a_byte_counts(assert_grown):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), rng.normal(size=60)
    assert_grown(xgboost.XGBRegressor(n_estimators=300, max_depth=2, n_jobs=1), X, y)


def test_frames_with_names_and_256_bins(assert_grown):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(900, 3)), columns=["a", "b", "c"])
    grown = assert_grown(
        xgboost.XGBRegressor(n_estimators=9, n_jobs=1, eval_metric="mae", tree_method="hist"),
        X,
        X["a"] * 3 + X["b"] ** 2,
    )
    assert grown.get_booster().feature_names == ["a", "b", "c"]


def test_many_exclusive_columns(assert_grown):
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 300, 3_000)
    X = (groups[:, None] == np.arange(299)).astype(float)
    # One effect is tiny: its gradients have digits that sums in another order would round off.
    y = rng.normal(size=300)[groups] + np.where(groups == 1, 1e-9, 0.0)
    assert_grown(xgboost.XGBRegressor(n_estimators=20, n_jobs=1), X, y)


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"subsample": 0.5}, "has subsample=0.5"),
        ({"colsample_bynode": 0.5}, "has colsample_bynode=0.5"),
        ({"monotone_constraints": (1, 0)}, "has monotone_constraints"),
        ({"interaction_constraints": "[[0], [1]]"}, "has interaction_constraints"),
        ({"grow_policy": "lossguide", "max_leaves": 5}, "has grow_policy"),
        ({"num_parallel_tree": 2}, "has num_parallel_tree"),
        ({"booster": "dart"}, "has booster"),
        ({"tree_method": "exact"}, "has tree_method"),
        ({"objective": "count:poisson"}, "has objective"),
        ({"max_delta_step": 1}, "has max_delta_step"),
        ({"n_jobs": 2}, "has n_jobs=2"),
        ({"n_jobs": None}, "threads"),
        ({"n_estimators": 2}, "few rounds"),
        ({"max_depth": 20}, "has max_depth=20"),
    ],
    ids=str,
)
def test_what_is_left_to_xgboost(assert_grown, params, reason):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 9, (100, 2)).astype(float), rng.integers(0, 9, 100)
    given = {"n_estimators": 9, "n_jobs": 1, "random_state": 0, **params}
    assert_grown(xgboost.XGBRegressor(**given), X, y, hit=False)
    assert reason in str(counters.snapshot())


def test_what_is_left_to_xgboost_because_of_its_data(assert_grown):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(600, 2)), rng.normal(size=600)
    model = xgboost.XGBRegressor(n_estimators=9, n_jobs=1)
    assert_grown(model, X, np.column_stack([y, y]), hit=False)
    assert_grown(model, X, y, hit=False, base_margin=y)
    assert_grown(model, X, y, hit=False, eval_set=[(X, y)], verbose=False)
    assert_grown(model, np.where(X > 2, np.nan, X), y, hit=False)
    assert "many and missing values" in str(counters.snapshot())
    sparse = csr_matrix(rng.random((50, 40)) * (rng.random((50, 40)) < 0.02))
    assert_grown(model, sparse, y[:50], hit=False)
    frame = pd.DataFrame({"a": pd.Categorical(np.resize(list("xyz"), 600)), "b": X[:, 0]})
    assert_grown(clone(model).set_params(enable_categorical=True), frame, y, hit=False)
    assert_grown(
        clone(model).set_params(callbacks=[xgboost.callback.TrainingCallback()]), X, y, hit=False
    )


def test_another_first_tree_is_xgboosts_turn(assert_grown, monkeypatch):
    from stratum_dask.ops import rounds

    kept = rounds.stored

    def stored(columns, features):
        return kept({**columns, "sum_hessian": columns["sum_hessian"] + 1}, features)

    monkeypatch.setattr(rounds, "stored", stored)
    X, y = np.arange(50.0)[:, None], np.arange(50.0) % 7
    assert_grown(xgboost.XGBRegressor(n_estimators=9, n_jobs=1), X, y, hit=False)
    assert "first tree" in str(counters.snapshot())


def test_subclasses_and_errors_are_their_own():
    class Own(xgboost.XGBRegressor):
        def fit(self, X, y):
            self.own_ = True
            return super().fit(X, y)

    X, y = np.arange(50.0)[:, None], np.arange(50.0)
    assert fit(Own(n_estimators=9), X, y).own_
    with pytest.raises(xgboost.core.XGBoostError, match="Label contains NaN"):
        fit(xgboost.XGBRegressor(n_jobs=1), X, y * np.nan)


def test_rows_of_one_matrix_are_laid_out_once_for_several_threads(assert_same_booster, monkeypatch):
    from stratum_dask.ops import rounds

    times = []
    kept = rounds._lay_out
    monkeypatch.setattr(rounds, "_lay_out", lambda matrix: (times.append(1), kept(matrix))[1])
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2_000, 5)), rng.normal(size=2_000)
    models = [xgboost.XGBRegressor(n_estimators=20, max_depth=d, n_jobs=1) for d in (2, 3, 4, 5)]
    fit(clone(models[0]), X[:50], y[:50])  # compares with XGBoost once for all
    times.clear()
    rows = of_rows(X)
    fits = [clone(model) for model in models]

    def fit_binned(one):
        family_of(one, "exact").fit_binned(rows, one, X, y, {})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fit_binned, fits))
    assert times == [1]
    for one, model in zip(fits, models, strict=True):
        assert_same_booster(one, clone(model).fit(X, y), X)


def test_rows_that_do_not_fit_are_refused():
    bins, has_missing = np.array([2], np.uint32), np.array([0], np.uint8)
    binned = np.array([0, 1, 1], np.uint8)
    rows = _native.BinnedRows(binned, bins, has_missing, 255)
    rule = {"eta": 0.3, "gamma": 0.0, "min_child_weight": 1.0, "lambda_": 1.0, "alpha": 0.0}
    rule["by_weight"] = False
    given = {"score": 0.5, "logistic": False, "rounds": 2, "max_depth": 1, **rule}
    three, none = np.ones(3, np.float32), np.ones(0, np.float32)
    rows.boost(binned, three, none, **given)
    for wrong in ((binned, three[:2], none), (binned, three, three[:2]), (binned[:2], three, none)):
        with pytest.raises(ValueError, match="lengths of rows differ"):
            rows.boost(*wrong, **given)
    with pytest.raises(ValueError, match="no split is allowed"):
        rows.boost(binned, three, none, **{**given, "max_depth": 0})
    with pytest.raises(ValueError, match="float32"):
        rows.boost(binned, np.ones(3), none, **given)
