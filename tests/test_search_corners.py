"""Unusual but legitimate searches and cross-validations: results, warnings and errors compared."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn.model_selection as theirs
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics.pairwise import linear_kernel
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC

import stratum_dask.model_selection as ours

pytestmark = pytest.mark.usefixtures("one_thread")

X, y = load_breast_cancer(return_X_y=True)
X, y = StandardScaler().fit_transform(X[:90, :4]), y[:90]
FRAME = pd.DataFrame(X, columns=list("abcd"), index=range(7, 97))
MODEL = LogisticRegression()


class Plain(ClassifierMixin, BaseEstimator):
    """A classifier of the user's that leaves nothing by which others would see it fitted."""

    def __init__(self, how="not"):
        self.how = how

    def fit(self, X, y):
        if self.how == "exit":
            raise SystemExit(3)
        if self.how.startswith("fail"):
            raise ValueError(self.how)
        self.most = np.bincount(y).argmax()
        return self

    def predict(self, X):
        return np.full(3 if self.how == "short" else len(X), self.most)


class Seen(Plain):
    """One that does."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return super().fit(X, y)


class Picky(Plain):
    """One that copies what it is made with, so that it cannot be cloned with a list."""

    def __init__(self, columns=None, how="not"):
        self.columns = columns and list(columns)
        super().__init__(how)

    def fit(self, X, y, handle=None):
        first = np.asarray(X)[:, self.columns or [0]].sum(axis=1)
        self.most_, self.classes_ = np.median(first), np.unique(y)
        return self if handle is None else handle.use(self)

    def predict(self, X):
        return (np.asarray(X)[:, self.columns or [0]].sum(axis=1) < self.most_).astype(int)


class Handle:
    """What libraries of others keep elsewhere."""

    def use(self, model):
        return model

    def __deepcopy__(self, memo):
        raise RuntimeError("can't be copied")


class NoEstimator:
    """Not even made for scikit-learn."""

    def get_params(self, deep=True):
        return {}

    def set_params(self):
        return self

    def fit(self, X, y):
        self.mean = y.mean()
        return self

    def score(self, X, y):
        return -abs(y - self.mean).mean()


class Cloned(BaseEstimator):
    """Counts how often it was cloned."""

    def __init__(self, times=0):
        self.times = times

    def __sklearn_clone__(self):
        return Cloned(self.times + 1)

    def fit(self, X, y):
        return self

    def score(self, X, y):
        return float(self.times)


def noting(estimator, X, y):
    """Score, and leave a note on the estimator, as tuning of thresholds does."""
    estimator.coef_ = estimator.coef_ * 0
    return float(estimator.score(X, y))


def cross_validate(estimator, X=X, y=y, **how):
    return lambda module: module.cross_validate(estimator, X, y, **{"cv": 3, **how})


def search(estimator, space, X=X, y=y, **how):
    return lambda module: (
        module.GridSearchCV(estimator, space, **{"cv": 3, **how}).fit(X, y).cv_results_
    )


CASES = {
    "rows as ranges": cross_validate(MODEL, cv=[(range(50), range(50, 90))]),
    "rows as slices": cross_validate(MODEL, cv=[(slice(50), slice(50, 90))]),
    "rows as lists, of a frame": search(
        MODEL, {"C": [1, 2]}, FRAME, cv=[([*range(50)], [*range(50, 90)])]
    ),
    "rows that are not there": search(MODEL, {"C": [1, 2]}, cv=[(np.arange(50), [90, 91])]),
    "a kernel that is none": search(SVC(kernel="precomputed"), {"C": [1, 2]}),
    "a kernel as a list": search(
        SVC(kernel="precomputed"), {"C": [1, 2]}, linear_kernel(X).tolist()
    ),
    "no such method": search(SVC(), {"C": [1, 2]}, scoring="neg_log_loss"),
    "no such method of one scorer": cross_validate(SVC(), scoring=["accuracy", "neg_log_loss"]),
    "no such method of the last step": cross_validate(
        make_pipeline(StandardScaler(), LinearSVC()), scoring="neg_log_loss"
    ),
    "no such method of the last step, at once": cross_validate(
        make_pipeline(StandardScaler(), LinearSVC()), scoring="neg_log_loss", error_score="raise"
    ),
    "a last step that seems unfitted": cross_validate(make_pipeline(StandardScaler(), Plain())),
    "a last step that seems unfitted, by a metric": cross_validate(
        make_pipeline(StandardScaler(), Plain()), scoring=["accuracy", "f1"]
    ),
    "a last step of the user's": search(
        make_pipeline(StandardScaler(), Seen()), {"seen__how": ["not", "so"]}, FRAME, scoring="f1"
    ),
    "a last step that is no estimator": cross_validate(
        make_pipeline(StandardScaler(), NoEstimator())
    ),
    "the same inside a pipeline's last step": cross_validate(
        make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), NoEstimator()))
    ),
    "predictions by a last step that seems unfitted": lambda module: module.cross_val_predict(
        make_pipeline(StandardScaler(), Plain()), X, y, cv=3
    ),
    "predictions by a last step of the user's": lambda module: module.cross_val_predict(
        make_pipeline(StandardScaler(), Seen()), FRAME, y, cv=3
    ),
    "a scorer that leaves notes": cross_validate(
        MODEL, scoring=noting, return_train_score=True, return_estimator=True
    ),
    "a class that clones in its own way": search(Cloned(), {"times": [1, 5]}),
    "a clone that clones in its own way": cross_validate(make_pipeline(Cloned())),
    "parameters that a constructor copies": search(
        Picky(), {"columns": [[0], [1, 2], [9]]}, refit=False
    ),
    "the same in a pipeline": search(
        make_pipeline(StandardScaler(), Picky()), {"picky__columns": [[0], [1, 2]]}, refit=False
    ),
    "the same in parts of a table": search(
        make_pipeline(
            make_union(StandardScaler(), make_pipeline(FunctionTransformer(), StandardScaler())),
            Picky(),
        ),
        {"picky__columns": [[0], [1, 2]], "featureunion__standardscaler__with_mean": [True, False]},
        refit=False,
    ),
    "the same, given once": cross_validate(Picky([1])),
    "an argument that cannot be copied": cross_validate(
        Picky(), params={"handle": Handle()}, return_estimator=True
    ),
    "an argument of a step that cannot be copied": cross_validate(
        make_pipeline(StandardScaler(), Picky()), params={"picky__handle": Handle()}
    ),
    "a class for a step": search(
        make_pipeline(StandardScaler(), MODEL),
        {"standardscaler": [StandardScaler, StandardScaler()]},
        return_train_score=True,
    ),
    "wanting to exit": search(Plain(), {"how": ["not", "exit"]}, error_score=0.0, refit=False),
    "too few predictions, at once": cross_validate(
        Plain("short"), return_train_score=True, error_score="raise"
    ),
    "the first of several errors": search(
        Plain(), {"how": ["not", "fail", "fail again"]}, error_score="raise"
    ),
    "no jobs": cross_validate(MODEL, n_jobs=0),
    "all cores but many": cross_validate(MODEL, n_jobs=-100),
    "parts that do not go together": cross_validate(
        Pipeline([("one", StandardScaler()), ("one", MODEL)])
    ),
    "an argument that no step takes": lambda module: module.cross_val_score(
        make_pipeline(StandardScaler(), MODEL), X, y, params={"sample_weight": np.ones(90)}
    ),
}


def outcome(run, module):
    """Return what a call gives or raises, and what it warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = run(module)
        except (Exception, SystemExit) as error:
            found = type(error), readable(error)
    return found, sorted((one.category.__name__, readable(one.message)) for one in caught)


def readable(message):
    """Return a message without the frames of tracebacks, which are not scikit-learn's."""
    return re.sub(r"\n  .*", "", re.sub(r"0x\w+", "0x", str(message)))


def same(one, other):
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert list(one) == list(other)
        for name in one:
            if not name.endswith("_time"):
                same(one[name], other[name])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            same(a, b)
    elif isinstance(one, np.ma.MaskedArray):
        assert repr(one) == repr(other)
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, BaseEstimator):
        assert repr(one) == repr(other)
        same(vars(one), vars(other))
    else:
        assert one == other or one != one


@pytest.mark.parametrize("case", CASES)
def test_the_same_as_scikit_learn(case):
    found, caught = outcome(CASES[case], ours)
    expected, expected_caught = outcome(CASES[case], theirs)
    same(found, expected)
    assert caught == expected_caught


def test_fits_begin_with_numbers_of_their_own():
    """scikit-learn's go on from where the one before has left off, in the user's own array."""
    model = SGDClassifier(random_state=0, max_iter=3, tol=None)
    begin = np.ones((1, 4))
    for estimator, name in (
        (model, "coef_init"),
        (make_pipeline(model), "sgdclassifier__coef_init"),
    ):
        found = ours.cross_val_score(estimator, X, y, cv=KFold(3), params={name: begin})
        own = [
            model.fit(X[train], y[train], coef_init=np.ones((1, 4))).score(X[test], y[test])
            for train, test in KFold(3).split(X)
        ]
        np.testing.assert_array_equal(found, own)
        np.testing.assert_array_equal(begin, np.ones((1, 4)))
