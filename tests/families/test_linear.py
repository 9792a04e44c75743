"""The sums over the rows serve every penalty, within the bound that the family states."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from dask import compute, delayed
from packaging.version import Version
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge, RidgeCV

import stratum_dask as sd
from stratum_dask.families import Refused, family_of
from stratum_dask.families.gram import gram
from stratum_dask.ops import counters
from stratum_dask.ops.fitting import fit

BOUND = 1e-9

SOLVED = [Ridge(1.0), Ridge(1e3), Ridge(0.1, fit_intercept=False), LinearRegression()]
SOLVED += [LinearRegression(fit_intercept=False), Ridge(2.0, solver="cholesky")]
DESCENDED = [Lasso(0.1), Lasso(0.5, fit_intercept=False), ElasticNet(0.05, l1_ratio=0.3)]
# scikit-learn before 1.9 warns of what has no l1 penalty, so it is not shared.
L1 = 0.0 if Version(sklearn.__version__) >= Version("1.9") else 0.01
DESCENDED += [ElasticNet(0.2, l1_ratio=L1, tol=1e-6), Lasso(0.01, precompute=True)]
POSITIVE = [Lasso(0.1, positive=True), ElasticNet(0.05, positive=True)]


def assert_close(member, direct, X, spread, bound=BOUND):
    """Compare all that a fitted model holds, with what its family promises."""
    assert sorted(vars(member)) == sorted(vars(direct))
    for name, expected in vars(direct).items():
        found = getattr(member, name)
        assert type(found) is type(expected), name
        if name in ("coef_", "singular_", "intercept_", "dual_gap_"):
            assert np.shape(found) == np.shape(expected), name
        elif isinstance(expected, np.ndarray):
            np.testing.assert_array_equal(found, expected)
        else:
            assert found == expected, name
    scale = np.abs(direct.coef_).max() or 1.0
    np.testing.assert_allclose(member.coef_, direct.coef_, rtol=0, atol=100 * bound * scale)
    if hasattr(direct, "singular_"):
        np.testing.assert_allclose(member.singular_, direct.singular_, rtol=1e-8)
    if hasattr(direct, "dual_gap_"):
        np.testing.assert_allclose(member.dual_gap_, direct.dual_gap_, atol=bound * spread**2)
    expected = direct.predict(X)
    for one in (member, pickle.loads(pickle.dumps(member))):
        np.testing.assert_allclose(one.predict(X), expected, rtol=0, atol=bound * spread)


@pytest.fixture
def cut_closely(cut):
    def check(estimators, X, y, fallbacks=0, **params):
        counters.reset()
        members = cut(estimators, X, y, numerics="close", **params)
        assert sum(counters.snapshot().fallbacks.values()) == fallbacks
        spread = float(np.max(np.std(np.asarray(y, float), axis=0)))
        for estimator, member in zip(estimators, members, strict=True):
            assert_close(member, fit(estimator, X, y, **params), X, spread)
        return members

    return check


@pytest.fixture
def rows():
    """Columns of different scales and means, and what depends on them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2_500, 7)) * np.logspace(-1, 2, 7) + rng.normal(size=7) * 30
    return X, X @ np.linspace(-1, 1, 7) + rng.normal(size=2_500)


def test_models_of_all_kinds(cut_closely, rows):
    cut_closely(SOLVED + DESCENDED + POSITIVE, *rows)


def test_weights(cut_closely, rows):
    weights = np.random.default_rng(1).uniform(0, 3, size=len(rows[1]))
    weights[:5] = 0
    cut_closely(SOLVED + DESCENDED + POSITIVE, *rows, sample_weight=weights)


def test_several_targets(cut_closely, rows):
    X, y = rows
    cut_closely(SOLVED + DESCENDED, X, np.column_stack([y, y[::-1], np.sin(y)]))


@pytest.mark.parametrize(
    "convert", [np.asfortranarray, pd.DataFrame, lambda X: (100 * X).astype(int), np.ndarray.tolist]
)
def test_kinds_of_data(cut_closely, rows, convert):
    X, y = rows[0][:400], rows[1][:400]
    cut_closely(SOLVED + DESCENDED, convert(X), pd.Series(y))


def test_names_of_columns(cut_closely, rows):
    X = pd.DataFrame(rows[0], columns=list("abcdefg"))
    members = cut_closely(SOLVED[:2], X, rows[1])
    assert members[0].feature_names_in_ is not members[1].feature_names_in_


@pytest.mark.parametrize(
    "convert",
    [
        lambda X, y: (X.astype(np.float32), y),
        lambda X, y: (csr_array(X), y),
        lambda X, y: (X[:7], y[:7]),
        lambda X, y: (X, y[:, None]),
        lambda X, y: (X * [1, 1e-9, 1, 1, 1, 1, 1] + [0, 1e3, 0, 0, 0, 0, 0], y),
    ],
    ids=["float32", "sparse", "few rows", "column y", "nearly constant"],
)
def test_what_the_data_make_fit_directly(cut, assert_same, rows, convert):
    X, y = convert(rows[0][:200], rows[1][:200])
    models = [Ridge(1.0), Ridge(2.0)]
    counters.reset()
    for model, member in zip(models, cut(models, X, y, numerics="close"), strict=True):
        assert_same(member, fit(model, X, y))
    assert sum(counters.snapshot().fallbacks.values()) == 2


def test_constant_columns(cut_closely, rows):
    X, y = rows
    X = np.column_stack([X, np.zeros(len(X)), np.ones(len(X)), np.full(len(X), 0.1)])
    cut_closely([Ridge(1.0), Ridge(10.0), *DESCENDED[:1], *DESCENDED[2:]], X, y)
    cut_closely([LinearRegression()], X, y, fallbacks=1)


@pytest.mark.parametrize("apart", [1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-9, 0])
def test_columns_that_nearly_depend_on_each_other(cut, apart):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(400, 6))
    X[:, 5] = X[:, 4] + apart * rng.normal(size=400)
    y = X.sum(axis=1) + rng.normal(size=400)
    models = [Ridge(1e-8), Ridge(1.0), LinearRegression(), Lasso(0.01), ElasticNet(0.01)]
    counters.reset()
    members = cut(models, X, y, numerics="close")
    assert bool(counters.snapshot().fallbacks) == (apart < 1e-3)
    for model, member in zip(models, members, strict=True):
        assert_close(member, fit(model, X, y), X, y.std())


def test_scales_far_apart(cut, cut_closely, rows):
    X, y = rows
    cut_closely([Ridge(1e-3), Ridge(1.0)], X * np.logspace(-2, 2, 7), y)
    counters.reset()
    with pytest.warns(match="rcond"):
        cut([Ridge(1e-9), Ridge(1e-8)], X * np.logspace(-9, 9, 7), y, numerics="close")
    assert sum(counters.snapshot().fallbacks.values()) == 2


def test_rows_that_are_sorted_or_start_oddly(cut_closely, rows):
    X, y = rows
    order = np.argsort(X[:, 6])
    cut_closely(SOLVED[:4], X[order], y[order])
    X = X.copy()
    X[:1024, 2] += 1e4
    cut_closely(SOLVED[:3], X, y)


def test_sums_of_centred_columns(rows):
    X, y = rows
    found = gram(X, y[:, None])
    centred = X - X.mean(axis=0)
    np.testing.assert_allclose(found.xx, centred.T @ centred, rtol=1e-11)
    np.testing.assert_allclose(found.uncentred().xx, X.T @ X, rtol=1e-11)
    assert found.rows == found.weight == len(X)


def test_warnings_are_the_models_own(cut, rows):
    models = [Lasso(1e-3, max_iter=1, tol=1e-12), Lasso(1e-2, max_iter=1, tol=1e-12)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cut(models, *rows, numerics="close")
    assert [w.category for w in caught] == [ConvergenceWarning] * 2


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Ridge(solver="svd"), "solver"),
        (Ridge(positive=True), "positive"),
        (Ridge(alpha=np.ones(2)), "alpha"),
        (Ridge(alpha=-1.0), "alpha"),
        (LinearRegression(positive=True), "positive"),
        (RidgeCV(cv=3), "cv=3|before 1.9"),
        (RidgeCV(scoring="r2"), "scoring"),
        (RidgeCV(store_cv_results=True), "store_cv_results"),
        (RidgeCV(alpha_per_target=True), "alpha_per_target"),
        (RidgeCV((1.0,)), "single|before 1.9"),
        (RidgeCV(1.0), "no list|before 1.9"),
        (RidgeCV([0.0, 1.0]), "no positive number|before 1.9"),
        (Lasso(selection="random"), "selection"),
        (Lasso(warm_start=True), "warm_start"),
        (Lasso(precompute=np.eye(2)), "precompute"),
        (ElasticNet(alpha=0.0), "alpha=0"),
    ],
    ids=str,
)
def test_what_is_refused(model, reason):
    with pytest.raises(Refused, match=reason):
        family_of(model, "close").key(model)
    assert family_of(model) is None


SWEPT = [RidgeCV([0.1, 1.0, 10.0, 1e3]), RidgeCV(np.logspace(-3, 5, 9), fit_intercept=False)]
SWEPT += [RidgeCV([2, 30]), RidgeCV()]


shares_sweeps = pytest.mark.skipif(
    Version(sklearn.__version__) < Version("1.9"), reason="its own sweeps are rounded by more"
)


@shares_sweeps
@pytest.mark.parametrize("targets", [1, 3])
def test_sweeps_over_penalties(cut, rows, targets):
    X, y = rows
    y = y + 40 * np.random.default_rng(4).normal(size=len(y))  # so that penalties matter
    if targets > 1:
        y = np.column_stack([y, y[::-1], np.sin(y)])
    models = [*SWEPT, Ridge(3.0), Lasso(0.1)]
    counters.reset()
    members = cut(models, X[:400], y[:400], numerics="close")
    assert not counters.snapshot().fallbacks
    for model, member in zip(SWEPT, members, strict=False):
        own = fit(model, X[:400], y[:400])
        assert vars(member).keys() == vars(own).keys()
        assert (type(member.alpha_), member.alpha_) == (type(own.alpha_), own.alpha_)
        assert type(member.best_score_) is type(own.best_score_)
        np.testing.assert_allclose(member.best_score_, own.best_score_, rtol=1e-9)
        expected = own.predict(X)
        spread = np.std(y, axis=0).max()
        np.testing.assert_allclose(member.predict(X), expected, rtol=0, atol=BOUND * spread)
        assert pickle.loads(pickle.dumps(member)).alpha_ == own.alpha_


@shares_sweeps
@pytest.mark.parametrize("apart", [1.0, 1e-3, 1e-6, 0.0])
@pytest.mark.parametrize("count", [7, 40])
def test_sweeps_that_cannot_be_told_apart_or_hardly_solved(cut, assert_same, apart, count):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(count, 6))
    X[:, 5] = X[:, 4] + apart * X[:, 5]
    y = X.sum(axis=1) + rng.normal(size=count)
    models = [RidgeCV([1.0, 1.0 + 1e-14]), RidgeCV([1e-12, 1e-11]), RidgeCV([0.5, 5.0])]
    counters.reset()
    members = cut(models, X, y, numerics="close")
    assert 1 <= sum(counters.snapshot().fallbacks.values()) <= 2
    assert_same(members[0], fit(models[0], X, y))
    for model, member in zip(models, members, strict=True):
        own = fit(model, X, y)
        assert member.alpha_ == own.alpha_
        np.testing.assert_allclose(member.predict(X), own.predict(X), atol=BOUND * y.std())


@shares_sweeps
def test_sweeps_with_weights_are_fitted_by_themselves(cut, assert_same, rows):
    weights = np.random.default_rng(1).uniform(0, 3, size=len(rows[1]))
    models = [RidgeCV([1.0, 10.0]), RidgeCV([2.0, 20.0])]
    for model, member in zip(
        models, cut(models, *rows, numerics="close", sample_weight=weights), strict=True
    ):
        assert_same(member, fit(model, *rows, sample_weight=weights))


def score(fitted, X, y):
    return fitted.score(X, y)


def test_close_is_asked_for_and_is_another_identity(rows):
    X, y = delayed(rows[0]), delayed(rows[1])

    def batch():
        fits = [delayed(Ridge(a)).fit(X, y) for a in (0.1, 1.0, 10.0)]
        fits += [delayed(Lasso(a)).fit(X, y) for a in (0.01, 0.1)]
        return [*[one.predict(X) for one in fits], *[delayed(score)(one, X, y) for one in fits]]

    assert not sd.explain(batch()).families
    assert list(sd.explain(batch(), numerics="close").families.values()) == [5]
    exact = compute(*sd.optimize(batch()))
    close = compute(*sd.optimize(batch(), numerics="close"))
    for one, other in zip(exact, close, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12 * np.std(rows[1]))
