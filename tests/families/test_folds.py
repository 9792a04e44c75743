"""Fits on several folds of the same rows: sums are taken of all rows once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn
from dask import compute, delayed
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version
from sklearn.base import clone
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge, RidgeCV
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneOut,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import stratum_dask as sd
from stratum_dask.families import cut_fold, learn_family, learn_folds
from stratum_dask.families.gram import gram, sums_of_folds
from stratum_dask.families.tasks import Failed
from stratum_dask.graph import call_of, lower
from stratum_dask.ops import counters
from stratum_dask.ops.fitting import fit
from stratum_dask.ops.folds import rows as take
from stratum_dask.pipeline import run

NAME = "linear models"
MODELS = [Ridge(1e-3), Ridge(1.0, fit_intercept=False), LinearRegression(), Lasso(0.05)]
MODELS += [ElasticNet(0.05, l1_ratio=0.3)]
if Version(sklearn.__version__) >= Version("1.9"):
    MODELS += [RidgeCV([1.0, 10.0, 1e3])]


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3_000, 5)) * np.logspace(-1, 2, 5) + rng.normal(size=5) * 30
    return X, X @ np.linspace(-1, 1, 5) + rng.normal(size=3_000)


def cut(models, X, y, folds):
    learned = learn_folds(NAME, models, take, X, y, *folds)
    return [
        [cut_fold(NAME, learned, i, model, take, X, y, fold) for model in models]
        for i, fold in enumerate(folds)
    ]


def assert_close(models, X, y, folds, bound=1e-9):
    """Compare predictions with those of own fits, on the scale that the family promises."""
    counters.reset()
    found = cut(models, X, y, folds)
    spread = np.std(np.asarray(y, float)) or 1.0
    for fold, members in zip(folds, found, strict=True):
        for model, member in zip(models, members, strict=True):
            direct = fit(model, take(X, fold), take(y, fold))
            expected = direct.predict(take(X, fold))
            result = member.predict(take(X, fold))
            np.testing.assert_allclose(result, expected, rtol=0, atol=bound * spread)
            assert vars(member).keys() == vars(direct).keys()
    return sum(counters.snapshot().fallbacks.values())


SPLITTERS = [
    KFold(5),
    KFold(3, shuffle=True, random_state=0),
    RepeatedKFold(n_splits=3, n_repeats=7, random_state=0),
    ShuffleSplit(6, test_size=0.3, random_state=0),
    TimeSeriesSplit(4),
    GroupKFold(4),
]


@pytest.mark.parametrize("splitter", SPLITTERS, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("convert", [np.asarray, pd.DataFrame], ids=["array", "frame"])
def test_folds_of_all_kinds(rows, splitter, convert):
    X, y = rows
    groups = np.arange(len(y)) * 7 // len(y)
    groups = groups if isinstance(splitter, GroupKFold) else None
    folds = [train for train, _ in splitter.split(X, y, groups)]
    assert assert_close(MODELS, convert(X), pd.Series(y), folds) == 0


def test_leaving_one_row_out(rows):
    X, y = rows[0][:40], rows[1][:40]
    folds = [train for train, _ in LeaveOneOut().split(X)]
    assert assert_close(MODELS[:3], X, y, folds) == 0


def test_sorted_rows_whose_means_move(rows):
    """Without its first rows, a fold's mean is far from that of the others."""
    X, y = rows
    order = np.argsort(X[:, 4])
    X, y = X[order].copy(), y[order]
    X[: len(X) // 2, 2] += 1e5
    folds = [train for train, _ in KFold(5).split(X)]
    assert assert_close(MODELS[:2], X, y, folds) == 0
    for fold, sums in zip(folds, sums_of_folds(X, y[:, None], folds), strict=True):
        own = gram(X[fold], y[fold, None])
        size = np.sqrt(np.diag(own.xx))
        np.testing.assert_allclose(sums.x_mean, own.x_mean, rtol=1e-13)
        bound = 1e-12 * size[:, None] * size
        np.testing.assert_array_less(np.abs(sums.xx - own.xx), bound)
        np.testing.assert_allclose(sums.yy, own.yy, rtol=1e-12)


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(2, 40),
    columns=st.integers(1, 4),
    splits=st.integers(2, 6),
    apart=st.sampled_from([1.0, 1e-3, 1e-5, 1e-8, 0.0]),
    shift=st.sampled_from([0.0, 1.0, 1e4]),
    seed=st.integers(0, 1_000),
)
def test_tiny_and_nearly_singular_folds(count, columns, splits, apart, shift, seed):
    """Guards have to see each fold: its columns may depend on each other only there."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, columns))
    X[:, -1] = X[:, 0] + apart * X[:, -1]
    inside = rng.random(count) < 0.5
    X[inside] += shift
    X[~inside, 0] = 1.0  # constant in folds without the others
    y = X.sum(axis=1) - shift * columns * inside + rng.normal(size=count)
    parts = rng.integers(splits, size=count)
    folds = [np.flatnonzero(parts != number) for number in range(splits)]
    folds = [rng.permutation(fold) for fold in folds if len(fold) > 1]
    assert_close([Ridge(1e-6), Ridge(1.0)], X, y, folds)


def test_every_fold_has_its_own_guard(rows):
    X, y = rows[0].copy(), rows[1]
    X[600:, 1] = X[600:, 0]
    folds = [np.arange(600), np.arange(300, 900), np.arange(600, 3_000), np.arange(3)]
    models = MODELS[1:3]  # least squares has no answer of its own where columns are equal
    learned = learn_folds(NAME, models, take, X, y, *folds)
    assert [isinstance(one, Failed) for one in learned] == [False, False, False, True]
    assert assert_close(models, X, y, folds) == 1 + len(models)


@pytest.mark.parametrize(
    "folds",
    [
        [np.array([0, 1, 2, 3, 4, 5, 6, 6]), np.arange(9)],
        [np.arange(-9, 0), np.arange(9)],
        [np.arange(30) > 9, np.arange(30) < 20],
    ],
    ids=["twice", "from the end", "mask"],
)
def test_folds_that_are_learned_one_by_one(rows, folds):
    X, y = rows[0][:30], rows[1][:30]
    assert assert_close(MODELS[:2], X, y, folds) == 0


def test_rows_that_only_some_folds_have(rows):
    X, y = rows[0][:100].copy(), rows[1][:100]
    X[0, 0] = np.nan
    folds = [np.arange(50, 100), np.arange(1, 60), np.arange(60)]
    learned = learn_folds(NAME, MODELS[:2], take, X, y, *folds)
    assert [isinstance(one, Failed) for one in learned] == [False, False, True]
    with pytest.raises(ValueError, match="NaN"):
        cut_fold(NAME, learned, 2, MODELS[0], take, X, y, folds[2])
    learned = learn_folds(NAME, MODELS[:2], take, X, y, folds[0], np.array([200]))
    with pytest.raises(IndexError):
        cut_fold(NAME, learned, 1, MODELS[0], take, X, y, np.array([200]))


def calls(graph, func):
    found = map(call_of, graph.tasks.values())
    return [call for call in found if call is not None and call.func is func]


def batch(rows, models, folds):
    X, y, splits = delayed(rows[0]), delayed(rows[1]), delayed(folds)
    fits = [
        (delayed(clone(model)).fit(X[splits[i][0]], y[splits[i][0]]), splits[i][1])
        for i in range(len(folds))
        for model in models
    ]
    return [fitted.predict(X[test]) for fitted, test in fits]


def test_fits_on_folds_become_one_pass(rows):
    splits = list(KFold(3, shuffle=True, random_state=0).split(rows[0]))
    candidates = batch(rows, MODELS, splits)
    graph = run(lower(candidates, None)[0], numerics="close", check=True, disable=["pack_chains"])
    assert len(calls(graph, learn_folds)) == 1
    assert len(calls(graph, cut_fold)) == 3 * len(MODELS)
    assert not calls(graph, learn_family)
    assert list(sd.explain(candidates, numerics="close").families.values()) == [3 * len(MODELS)]
    exact, close = compute(*candidates), compute(*sd.optimize(candidates, numerics="close"))
    for one, other in zip(exact, close, strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-12 * np.std(rows[1]))
    assert not calls(run(lower(candidates, None)[0]), learn_folds)


def test_columns_are_no_folds(rows):
    frame = pd.DataFrame(rows[0], columns=list("abcde"))
    X, y = delayed(frame), delayed(frame)
    both = [delayed(Ridge(1.0)).fit(X[one], y[one]).coef_ for one in (["a", "b"], ["c", "d"])]
    graph, _ = lower(both, None)
    graph = run(graph, numerics="close", disable=["pack_chains"])
    expected = compute(*both)
    for one, other in zip(expected, compute(*sd.optimize(both, numerics="close")), strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-9)


def test_searches_sum_up_what_no_step_has_changed(rows):
    X, y = pd.DataFrame(rows[0], columns=list("abcde")), pd.Series(rows[1])
    plain, scaled = {"model": Ridge()}, make_pipeline(StandardScaler(), Ridge())
    for models, whole in ((plain, True), ({"model": scaled}, False)):
        results = sd.evaluate(models, X, y, cv=5, scoring="r2", numerics="close")
        expected = cross_validate(models["model"], X, y, cv=5, scoring="r2")["test_score"]
        found = results.frame.filter(like="fold_").to_numpy()[0]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
        hits = results.explain().calls.hits.get("family linear models", 0)
        assert hits == (5 if whole else 0)


def test_search_of_penalties_on_worker_processes(rows):
    grid = (Ridge(), {"alpha": [0.1, 1.0, 10.0]})
    threads, processes = (
        sd.evaluate({"ridge": grid}, *rows, cv=3, numerics="close", isolate=isolate).frame
        for isolate in ("thread", "process")
    )
    columns = [name for name in threads if name.startswith("fold_")]
    np.testing.assert_array_equal(threads[columns], processes[columns])
