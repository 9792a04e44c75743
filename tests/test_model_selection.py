"""The drop-in searches and cross-validations give what scikit-learn's give."""

from __future__ import annotations

import inspect
import pickle
import warnings

import numpy as np
import pytest
import sklearn
import sklearn.model_selection as theirs
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics.pairwise import linear_kernel
from sklearn.model_selection import GroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import stratum_dask.model_selection as ours

PIPELINE = Pipeline([("scale", StandardScaler()), ("pca", PCA(4)), ("model", LogisticRegression())])
GRID = [
    {"pca__n_components": [2, 4], "model__C": [0.1, 1.0, 10.0]},
    {"pca": ["passthrough"], "model": [DecisionTreeClassifier(random_state=0)]},
]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def classes():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X[:200, :8]), y[:200]


def both(name, *args, **how):
    return getattr(ours, name)(*args, **how), getattr(theirs, name)(*args, **how)


def same_results(one, other):
    """Compare two `cv_results_` bit by bit, but for times."""
    assert list(one) == list(other)
    for name, values in other.items():
        if "_time" not in name:
            assert type(one[name]) is type(values)
            if name.startswith("param"):
                assert str(one[name]) == str(values)
            else:
                np.testing.assert_array_equal(one[name], values, err_msg=name)


def worst(results):
    return int(np.argmin(results["mean_test_score"]))


SEARCHES = {
    "grid": ("GridSearchCV", PIPELINE, GRID, {"scoring": "roc_auc", "return_train_score": True}),
    "own score": (
        "GridSearchCV",
        DecisionTreeClassifier(random_state=0),
        {"max_depth": [1, 2]},
        {},
    ),
    "several": (
        "GridSearchCV",
        PIPELINE,
        GRID,
        {"scoring": ["f1", "neg_log_loss"], "refit": "f1", "cv": StratifiedKFold(3)},
    ),
    "random": (
        "RandomizedSearchCV",
        PIPELINE,
        {"model__C": loguniform(0.01, 10)},
        {"n_iter": 4, "random_state": 3},
    ),
    "halving": (
        "HalvingGridSearchCV",
        PIPELINE,
        GRID[0],
        {"random_state": 0, "min_resources": 60, "cv": 3},
    ),
    "halving at random": (
        "HalvingRandomSearchCV",
        PIPELINE,
        {"model__C": loguniform(0.01, 10)},
        {"random_state": 0, "n_candidates": 4, "min_resources": 60, "cv": 3},
    ),
    "choice of the best": (
        "GridSearchCV",
        PIPELINE,
        GRID,
        {"refit": worst},
    ),
}


@pytest.mark.parametrize("case", SEARCHES)
def test_searches(case, classes):
    name, estimator, space, how = SEARCHES[case]
    search, expected = both(name, estimator, space, **how)
    assert isinstance(search, type(expected))
    assert str(inspect.signature(type(search))) == str(inspect.signature(type(expected)))
    assert clone(search).get_params().keys() == expected.get_params().keys()
    search, expected = search.fit(*classes), expected.fit(*classes)
    same_results(search.cv_results_, expected.cv_results_)
    assert repr(search.best_params_) == repr(expected.best_params_)
    assert search.best_index_ == expected.best_index_
    np.testing.assert_array_equal(search.predict(classes[0]), expected.predict(classes[0]))
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict(classes[0]), search.predict(classes[0]))


def test_cross_validations(classes):
    X, y = classes
    groups = np.arange(len(y)) % 4
    how = {"cv": GroupKFold(4), "groups": groups, "n_jobs": 2}
    wanted = {"return_train_score": True, "return_estimator": True, "return_indices": True}
    scoring = {"a": "accuracy", "b": "roc_auc"}
    one, other = both("cross_validate", PIPELINE, X, y, scoring=scoring, **wanted, **how)
    assert list(one) == list(other)
    for name in ("test_a", "test_b", "train_a", "train_b"):
        np.testing.assert_array_equal(one[name], other[name])
    for fitted, expected in zip(one["estimator"], other["estimator"], strict=True):
        np.testing.assert_array_equal(fitted.predict_proba(X), expected.predict_proba(X))
    np.testing.assert_array_equal(*both("cross_val_score", PIPELINE, X, y, **how))
    for method in ("predict", "predict_proba", "decision_function", "predict_log_proba"):
        np.testing.assert_array_equal(
            *both("cross_val_predict", PIPELINE, X, y, method=method, **how)
        )


def test_what_cannot_be_taken_apart(classes):
    X, y = classes
    kernel = linear_kernel(X)
    np.testing.assert_array_equal(*both("cross_val_score", SVC(kernel="precomputed"), kernel, y))
    in_place = make_pipeline(StandardScaler(copy=False), LogisticRegression())
    one, other = both("cross_validate", in_place, X, y, return_train_score=True)
    np.testing.assert_array_equal(one["train_score"], other["train_score"])
    assert one["train_score"].tolist() != (
        ours.cross_validate(clone(in_place).set_params(standardscaler__copy=True), X, y,
                            return_train_score=True)["train_score"].tolist()
    )  # fmt: skip
    nested = theirs.GridSearchCV(ours.GridSearchCV(Ridge(), {"alpha": [1, 2]}, cv=2), {}, cv=2)
    inner = theirs.GridSearchCV(theirs.GridSearchCV(Ridge(), {"alpha": [1, 2]}, cv=2), {}, cv=2)
    X, y = load_diabetes(return_X_y=True)
    same_results(nested.fit(X, y).cv_results_, inner.fit(X, y).cv_results_)
    inside = ours.GridSearchCV(ours.GridSearchCV(Ridge(), {"alpha": [1, 2]}, cv=2), {}, cv=2)
    same_results(inside.fit(X, y).cv_results_, inner.cv_results_)


def test_routing(classes):
    X, y = classes
    weights = np.arange(len(y)) + 1.0
    with sklearn.config_context(enable_metadata_routing=True):
        model = LogisticRegression(C=2.0).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        for estimator in (model, make_pipeline(scaler, model)):
            one, other = both("cross_validate", estimator, X, y, params={"sample_weight": weights})
            np.testing.assert_array_equal(one["test_score"], other["test_score"])
    one, other = both("GridSearchCV", LogisticRegression(), {"C": [0.1, 1.0]}, cv=3)
    same_results(
        one.fit(X, y, sample_weight=weights).cv_results_,
        other.fit(X, y, sample_weight=weights).cv_results_,
    )


class Fragile(ClassifierMixin, BaseEstimator):
    """Fails in one of three ways, or not at all."""

    def __init__(self, how="not"):
        self.how = how

    def fit(self, X, y):
        if self.how == "fit":
            raise ValueError("cannot be fitted")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        if self.how == "predict":
            raise ValueError("cannot predict")
        return np.full(len(X), self.classes_[0])

    def transform(self, X):
        if self.how == "transform" and len(X) < 60:
            raise ValueError("cannot transform")
        return X


def searched(name, estimator, space, X, y, **how):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = (
            (ours if name == "ours" else theirs)
            .GridSearchCV(estimator, space, cv=3, refit=False, **how)
            .fit(X, y)
        )
    return found, [(one.category, str(one.message).partition("Details")[0][:150]) for one in caught]


@pytest.mark.parametrize("scoring", [None, "accuracy", ["accuracy", "f1"]])
def test_errors_and_warnings(classes, scoring):
    cases = [
        (Fragile(), {"how": ["not", "fit", "predict"]}),
        (make_pipeline(Fragile(), LogisticRegression()), {"fragile__how": ["not", "transform"]}),
    ]
    for estimator, space in cases:
        how = {"scoring": scoring, "error_score": -1.0}
        found, caught = searched("ours", estimator, space, *classes, **how)
        expected, expected_caught = searched("theirs", estimator, space, *classes, **how)
        same_results(found.cv_results_, expected.cv_results_)
        assert sorted(caught, key=str) == sorted(expected_caught, key=str)


def test_what_another_library_says_of_parameters(classes):
    xgboost = pytest.importorskip("xgboost")
    model, space = xgboost.XGBClassifier(n_estimators=2, unknown=3), {"max_depth": [1, 2]}
    for verbosity in (1, 0):
        with xgboost.config_context(verbosity=verbosity):
            _, caught = searched("ours", model, space, *classes)
            _, expected = searched("theirs", model, space, *classes)
        assert len(caught) == len(expected) == verbosity * 6
        assert all("unknown" in str(message) for _, message in caught)


def test_raising(classes):
    for how in ("fit", "predict"):
        search = ours.GridSearchCV(Fragile(), {"how": [how]}, error_score="raise", refit=False)
        with pytest.raises(ValueError, match="cannot"):
            search.fit(*classes)
    with pytest.raises(ValueError, match="All the 5 fits failed"):
        ours.cross_val_score(Fragile("fit"), *classes)
    with pytest.raises(ValueError, match="cannot predict"):
        ours.cross_val_predict(Fragile("predict"), *classes)
    with pytest.raises(AttributeError, match="This 'Pipeline' has no attribute 'predict_proba'"):
        ours.cross_val_predict(make_pipeline(PCA(2), Ridge()), *classes, method="predict_proba")
    with pytest.raises(ValueError, match="Invalid parameter 'typo'"):
        ours.GridSearchCV(Fragile(), {"typo": [1]}).fit(*classes)
    with (
        pytest.warns(FitFailedWarning, match="5 fits failed out of a total of 10"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        ours.GridSearchCV(Fragile(), {"how": ["fit", "not"]}, scoring="accuracy").fit(*classes)


def test_messages(classes, capsys):
    for verbose in (1, 2, 3, 10):
        said = []
        for module in (ours, theirs):
            module.GridSearchCV(
                Fragile(), {"how": ["not"]}, cv=2, verbose=verbose, return_train_score=True
            ).fit(*classes)
            said.append([line.rpartition("total time")[0] for line in _lines(capsys)])
        assert said[0] == said[1]


def _lines(capsys):
    return capsys.readouterr().out.splitlines()
