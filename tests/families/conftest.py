"""What the tests of all families share: members against their own fits."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import sklearn
from packaging.version import Version
from scipy.sparse import issparse
from sklearn.base import clone

from stratum_dask.callables import SCORERS
from stratum_dask.families import cut_member, family_of, learn_family
from stratum_dask.ops import counters

_SCALARS = (type(None), bool, int, str, bytes, type, np.generic)


@pytest.fixture(autouse=True)
def _one_thread(one_thread):
    """Small fits are quicker alone than waiting for each other's threads."""


def _assert_same(a, b, path="", seen=None):
    """Compare two objects to the last bit, all they hold included."""
    seen = {} if seen is None else seen
    if (id(a), id(b)) in seen:
        return
    seen[id(a), id(b)] = a, b  # kept alive, so that no other object gets their ids
    assert type(a) is type(b), f"{path}: {type(a)} is not {type(b)}"
    if isinstance(a, np.ndarray):
        assert (a.dtype, a.shape) == (b.dtype, b.shape), path
        assert a.flags.c_contiguous == b.flags.c_contiguous, path
        assert a.flags.f_contiguous == b.flags.f_contiguous, path
        # Version 1.8 remembers which columns are categories in memory of pandas, or in its own.
        either = Version(sklearn.__version__) < Version("1.9") and a.dtype == bool
        assert a.flags.writeable == b.flags.writeable or either, path
        if a.dtype.hasobject:
            for i, (one, other) in enumerate(zip(a.ravel(), b.ravel(), strict=True)):
                _assert_same(one, other, f"{path}[{i}]", seen)
        else:
            assert a.tobytes() == b.tobytes(), path
    elif issparse(a):
        _assert_same(a.tocsr().data, b.tocsr().data, path, seen)
    elif isinstance(a, float):
        assert np.float64(a).tobytes() == np.float64(b).tobytes(), path
    elif isinstance(a, _SCALARS):
        assert a == b or a != a, f"{path}: {a!r} is not {b!r}"
    elif isinstance(a, dict):
        assert list(a) == list(b), f"{path}: {list(a)} is not {list(b)}"
        for key in a:
            _assert_same(a[key], b[key], f"{path}[{key!r}]", seen)
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), path
        for i, (one, other) in enumerate(zip(a, b, strict=True)):
            _assert_same(one, other, f"{path}[{i}]", seen)
    elif isinstance(a, np.random.RandomState):
        _assert_same(a.get_state(), b.get_state(), path, seen)
    elif isinstance(a, np.random.Generator):
        _assert_same(a.bit_generator.state, b.bit_generator.state, path, seen)
    elif callable(a) and not hasattr(a, "fit") and type(a).__module__ != SCORERS:
        assert a is b or pickle.dumps(a) == pickle.dumps(b), path
    elif vars_of(a):
        mine, theirs = vars_of(a), vars_of(b)
        assert sorted(mine) == sorted(theirs), path
        for name in sorted(mine):
            _assert_same(mine[name], theirs[name], f"{path}.{name}", seen)
    else:
        _assert_same(a.__reduce_ex__(4)[1:3], b.__reduce_ex__(4)[1:3], path, seen)


def vars_of(value):
    return getattr(value, "__dict__", None)


@pytest.fixture(scope="session")
def assert_same():
    return _assert_same


def _assert_same_booster(member, own, X):
    """Compare two fits of LightGBM or XGBoost, their boosters as the libraries write them."""
    again = pickle.loads(pickle.dumps(member))
    for method in ("predict", "predict_proba"):
        if hasattr(own, method):
            expected = getattr(own, method)(X)
            _assert_same(getattr(member, method)(X), expected)
            _assert_same(getattr(again, method)(X), expected)
    np.testing.assert_array_equal(member.feature_importances_, own.feature_importances_)
    mine, theirs = dict(vars(member)), dict(vars(own))
    one, other = mine.pop("_Booster"), theirs.pop("_Booster")
    _assert_same(mine, theirs)
    if hasattr(one, "num_trees"):
        _assert_same(one.__getstate__(), other.__getstate__())
        assert one.num_trees() == other.num_trees()
    else:
        assert one.save_raw("json") == other.save_raw("json")
        assert one.save_config() == other.save_config()
        assert one.attributes() == other.attributes()


@pytest.fixture(scope="session")
def assert_same_booster():
    return _assert_same_booster


def _fallbacks():
    """Return what families left to fits of their own."""
    found = counters.snapshot().fallbacks
    return [one for one in found if one.operation.startswith("family")]


@pytest.fixture(scope="session")
def fallbacks():
    return _fallbacks


def _cut(estimators, X, y=None, numerics="exact", **params):
    """Return the members of one family, cut out of what they share."""
    family = family_of(estimators[0], numerics)
    assert len({family.key(one) for one in estimators}) == 1
    learned = learn_family(family.name, estimators, X, y, **params)
    return [cut_member(family.name, learned, one, X, y, **params) for one in estimators]


@pytest.fixture
def cut():
    return _cut


@pytest.fixture
def cut_exactly():
    """Cut members out, and compare each with its own fit; guards must not have stepped in."""

    def check(estimators, X, y=None, **params):
        counters.reset()
        members = _cut(estimators, X, y, **params)
        assert not _fallbacks()
        own = [clone(estimator).fit(X, y, **params) for estimator in estimators]
        for member, direct in zip(members, own, strict=True):
            _assert_same(member, direct, type(direct).__name__)
        for member, direct in zip(members, own, strict=True):
            again = pickle.loads(pickle.dumps(member))
            for one in (member, direct, again):
                if hasattr(one, "n_jobs"):  # forests' predictions differ from call to call
                    one.set_params(n_jobs=None)
            for method in ("predict", "predict_proba", "decision_function", "transform"):
                if hasattr(direct, method):
                    expected = getattr(direct, method)(X)
                    _assert_same(getattr(member, method)(X), expected, method)
                    _assert_same(getattr(again, method)(X), expected, method)
        return members

    return check


@pytest.fixture
def data():
    """Continuous features, two targets and classes."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 6))
    noise = rng.normal(size=120)
    return X, X @ np.arange(6.0) + noise, (X[:, 0] + noise > 0).astype(int) + (X[:, 1] > 1)
