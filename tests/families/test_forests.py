"""A smaller forest is a prefix of a larger one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from stratum_dask.families import Refused, family_of

CLASSES = (
    RandomForestRegressor,
    RandomForestClassifier,
    ExtraTreesRegressor,
    ExtraTreesClassifier,
)


def forests(kind, *sizes, **params):
    return [kind(n_estimators=n, random_state=0, **params) for n in sizes]


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"bootstrap": True, "max_samples": 0.5, "max_depth": 3},
        {"bootstrap": False, "max_features": 2, "ccp_alpha": 0.01},
        {"n_jobs": 2, "min_samples_leaf": 3},
    ],
    ids=str,
)
def test_members_are_their_own_fits(cut_exactly, data, kind, params):
    X, y, classes = data
    cut_exactly(forests(kind, 3, 1, 7, **params), X, classes if "Classifier" in str(kind) else y)


@pytest.mark.parametrize("kind", CLASSES)
def test_kinds_of_data(cut_exactly, data, kind):
    X, y, classes = data
    y = classes if "Classifier" in str(kind) else y
    weights = np.linspace(0, 1, len(y))
    cut_exactly(forests(kind, 2, 5), X, y, sample_weight=weights)
    cut_exactly(forests(kind, 2, 5), csr_matrix(X), y)
    cut_exactly(forests(kind, 2, 5), X.astype(np.float32), y)
    cut_exactly(forests(kind, 2, 5), X, np.column_stack([y, y[::-1]]))
    missing = np.where(X > 2, np.nan, X)
    cut_exactly(forests(kind, 2, 5), missing, y)


@pytest.mark.parametrize("weight", ["balanced", "balanced_subsample", {0: 1, 1: 2, 2: 3}])
def test_class_weights(cut_exactly, data, weight):
    X, _, y = data
    cut_exactly(forests(RandomForestClassifier, 2, 4, class_weight=weight), X, y)


def test_members_share_no_estimators(cut, data):
    X, y, _ = data
    small, large = cut(forests(RandomForestRegressor, 2, 3), X, y)
    before = large.predict(X)
    small.estimators_[0].fit(X, -y)
    small.estimators_[1].set_params(max_depth=1)
    small.set_params(n_estimators=4).fit(X, -y)
    np.testing.assert_array_equal(large.predict(X), before)
    assert large.estimators_[1].max_depth is None


@pytest.mark.parametrize(
    "params",
    [
        {"warm_start": True},
        {"oob_score": True},
        {"verbose": 1},
        {"n_estimators": 0},
        {"n_estimators": True},
        {"criterion": object()},
    ],
    ids=str,
)
def test_what_is_refused(params):
    forest = RandomForestRegressor(random_state=0).set_params(**params)
    with pytest.raises(Refused, match=next(iter(params))):
        family_of(forest).key(forest)


def test_subclasses_are_not_of_the_family():
    class Mine(RandomForestRegressor):
        pass

    assert family_of(Mine()) is None


def test_a_failing_shared_fit_leaves_each_its_own_error(cut, data):
    X, y, _ = data
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        cut(forests(RandomForestRegressor, 2, 3), X, y[:-1])
