"""Fewer stages are a prefix of more."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

from stratum_dask.families import Refused, family_of

STAGED = (GradientBoostingRegressor, GradientBoostingClassifier)
HISTOGRAM = (HistGradientBoostingRegressor, HistGradientBoostingClassifier)


def staged(kind, *lengths, **params):
    return [kind(n_estimators=n, random_state=0, max_depth=2, **params) for n in lengths]


def histogram(kind, *lengths, **params):
    return [kind(max_iter=n, random_state=0, max_leaf_nodes=5, **params) for n in lengths]


def target(kind, data):
    return data[2] if "Classifier" in kind.__name__ else data[1]


@pytest.mark.parametrize("kind", STAGED)
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"subsample": 0.7, "max_features": 2},
        {"init": "zero", "learning_rate": 0.5, "ccp_alpha": 0.001},
        {"n_iter_no_change": 2, "tol": 0.05},
    ],
    ids=str,
)
def test_staged_members_are_their_own_fits(cut_exactly, data, kind, params):
    cut_exactly(staged(kind, 6, 1, 3, 20, **params), data[0], target(kind, data))


@pytest.mark.parametrize("loss", ["huber", "quantile", "absolute_error"])
def test_losses_that_adapt(cut_exactly, data, loss):
    cut_exactly(staged(GradientBoostingRegressor, 4, 2, loss=loss), *data[:2])


def test_two_classes_and_exponential_loss(cut_exactly, data):
    two = data[2] > 0
    cut_exactly(staged(GradientBoostingClassifier, 4, 2, loss="exponential"), data[0], two)
    cut_exactly(histogram(HistGradientBoostingClassifier, 4, 2), data[0], two)


@pytest.mark.parametrize("kind", HISTOGRAM)
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"early_stopping": True, "n_iter_no_change": 2, "tol": 0.1},
        {"early_stopping": True, "validation_fraction": None, "n_iter_no_change": 2, "tol": 0.1},
        {"l2_regularization": 1.0, "max_bins": 16, "monotonic_cst": [1, 0, 0, 0, 0, -1]},
    ],
    ids=str,
)
def test_histogram_members_are_their_own_fits(cut_exactly, data, kind, params):
    if kind is HistGradientBoostingClassifier:
        data = (data[0], data[1], data[2] > 0)
    cut_exactly(histogram(kind, 6, 1, 3, 40, **params), data[0], target(kind, data))


@pytest.mark.parametrize("loss", ["absolute_error", "quantile", "poisson", "gamma"])
def test_histogram_losses(cut_exactly, data, loss):
    params = {"quantile": 0.3} if loss == "quantile" else {}
    positive = np.abs(data[1]) + 1
    cut_exactly(
        histogram(HistGradientBoostingRegressor, 4, 2, loss=loss, **params), data[0], positive
    )


@pytest.mark.parametrize("kind", [*STAGED, *HISTOGRAM])
def test_kinds_of_data(cut_exactly, data, kind):
    make = staged if kind in STAGED else histogram
    X, y = data[0], target(kind, data)
    cut_exactly(make(kind, 2, 4), X, y, sample_weight=np.linspace(0.1, 1, len(y)))
    cut_exactly(make(kind, 2, 4), X.astype(np.float32), y)
    if kind in STAGED:
        cut_exactly(make(kind, 2, 4), csr_matrix(X), y)
    else:
        frame = pd.DataFrame(X, columns=list("abcdef"))
        frame["kind"] = pd.Categorical(np.where(X[:, 0] > 0, "x", "y"))
        frame.iloc[3, 2] = np.nan
        cut_exactly(make(kind, 2, 4), frame, y)


def test_members_share_no_generator(cut, data):
    X, y, _ = data
    small, large = cut(staged(GradientBoostingRegressor, 2, 3, subsample=0.5), X, y)
    state = large._rng.get_state()[1].copy()
    small._rng.normal(size=1_000)
    small.set_params(n_estimators=4, warm_start=True).fit(X, y)
    np.testing.assert_array_equal(large._rng.get_state()[1], state)
    assert large.estimators_[0, 0].random_state is large._rng


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (GradientBoostingRegressor(warm_start=True), "warm_start"),
        (GradientBoostingRegressor(verbose=1), "verbose"),
        (GradientBoostingRegressor(init=GradientBoostingRegressor()), "init"),
        (HistGradientBoostingRegressor(max_features=0.5), "max_features"),
        (HistGradientBoostingRegressor(max_iter=2.5), "max_iter"),
        (HistGradientBoostingRegressor(scoring="r2"), "scoring"),
    ],
    ids=str,
)
def test_what_is_refused(model, reason):
    with pytest.raises(Refused, match=reason):
        family_of(model).key(model)
