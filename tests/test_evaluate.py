"""`evaluate`: the scores of scikit-learn, with shared work done once, and failures kept apart."""

from __future__ import annotations

import json
import sys
import warnings

import dask
import numpy as np
import pandas as pd
import pytest
import sklearn
from distributed import Client, LocalCluster
from scipy import sparse
from scipy.stats import randint
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin, clone
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, make_multilabel_classification
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet, LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import (
    fbeta_score,
    get_scorer,
    get_scorer_names,
    make_scorer,
    mean_squared_error,
)
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    ParameterSampler,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_validate,
)
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    PolynomialFeatures,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

import stratum_dask as sd
from stratum_dask.errors import ConfigError
from tests.ops.oracle import CROSS_FITTED

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def numbers():
    X, y = load_diabetes(return_X_y=True)
    return X[:150], y[:150]


@pytest.fixture(scope="module")
def classes():
    X, y = load_breast_cancer(return_X_y=True)
    return X[:150, :8], y[:150]


def alone(estimator, X, y, **how):
    """Return what scikit-learn scores for one candidate."""
    how.setdefault("cv", 5)
    return cross_validate(estimator, X, y, error_score="raise", **how)["test_score"]


def folds(results, number=5):
    return results.frame[[f"fold_{i}" for i in range(number)]].to_numpy()


def check(candidates, X, y, **how):
    """Compare every candidate's scores with those it has alone, bit by bit."""
    results = sd.evaluate(candidates, X, y, **how)
    assert not results.errors, results.errors
    params = how.pop("fit_params", None)
    how.pop("seed", None)
    for name, estimator in candidates.items():
        expected = alone(estimator, X, y, params=params, **how)
        row = results.frame.set_index("candidate").loc[name]
        got = row[[f"fold_{i}" for i in range(len(expected))]].to_numpy(dtype=float)
        np.testing.assert_array_equal(got, expected, err_msg=str(name))
    return results


REGRESSORS = {
    "ridge": Ridge(),
    "pipeline": make_pipeline(StandardScaler(), PolynomialFeatures(), Ridge(10.0)),
    "nested": make_pipeline(make_pipeline(StandardScaler(), PCA(5)), make_pipeline(Ridge(1.0))),
    "passthrough": Pipeline([("a", "passthrough"), ("b", StandardScaler()), ("c", ElasticNet())]),
    "forest": RandomForestRegressor(3, random_state=0),
    "instance": RandomForestRegressor(3, random_state=np.random.RandomState(1)),
    "union": make_pipeline(FeatureUnion([("p", PCA(3)), ("s", StandardScaler())]), Ridge()),
    "stack": StackingRegressor([("r", Ridge())], final_estimator=LinearRegression()),
    "target": make_pipeline(TargetEncoder(target_type="continuous", **CROSS_FITTED), Ridge()),
    "search": GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2),
    "no copies": make_pipeline(StandardScaler(copy=False), Ridge(copy_X=False)),
    "memory": Pipeline([("s", StandardScaler()), ("r", Ridge(2.0))], memory=None),
}


def test_kinds_of_estimators(numbers):
    check(REGRESSORS, *numbers, scoring="r2")


def test_frames_with_columns_of_all_kinds():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "a": rng.normal(size=120),
            "b": np.where(rng.random(120) < 0.2, np.nan, rng.normal(size=120)),
            "c": rng.choice(["x", "y", "z"], 120),
        }
    )
    y = pd.Series(X["a"] * 2 + (X["c"] == "x"), index=X.index[::-1])

    def prepare(strategy):
        numeric = make_pipeline(SimpleImputer(strategy=strategy), StandardScaler())
        return ColumnTransformer([("n", numeric, ["a", "b"]), ("o", OneHotEncoder(), ["c"])])

    check(
        {
            **{s: make_pipeline(prepare(s), Ridge()) for s in ("mean", "median")},
            "pandas": make_pipeline(
                prepare("mean").set_params(o__sparse_output=False).set_output(transform="pandas"),
                Ridge(),
            ),
        },
        X,
        y,
        cv=KFold(4),
    )


def test_preprocessings_share_their_parts():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({name: rng.normal(size=90) for name in "abcd"}).assign(e=[*"xyz"] * 30)
    y = X["a"] + X["b"] ** 2

    def prepared(*more, **how):
        parts = [("n", make_pipeline(Doubling(), StandardScaler()), ["a", "b"]), *more]
        return make_pipeline(ColumnTransformer(parts, **how), Ridge())

    poly = ("p", PolynomialFeatures(), [2, 3])
    candidates = {
        "one": prepared(),
        "two": prepared(("o", OneHotEncoder(), ["e"])),
        "pass": prepared(("o", "drop", ["e"]), poly, remainder="passthrough"),
        "sparse": prepared(("o", OneHotEncoder(), ["e"]), sparse_threshold=1.0),
        "none": prepared(("o", OneHotEncoder(), []), ("s", StandardScaler(), lambda X: ["c"])),
        "scalar": prepared(("t", TfidfVectorizer(token_pattern="."), "e")),
        "weights": prepared(poly, transformer_weights={"p": 2.0}),
        "fails": prepared(("o", StandardScaler(), ["missing"])),
    }
    CALLS.clear()
    results = sd.evaluate(candidates, X, y, cv=3, return_estimator=True)
    assert CALLS.count("fit") == 3
    assert set(results.errors) == {"fails"}
    assert "missing" in results.errors["fails"].message
    del candidates["fails"]
    check(candidates, X, y, cv=3)
    for name, pipeline in candidates.items():
        expected = cross_validate(pipeline, X, y, cv=3, return_estimator=True)["estimator"]
        for ours, theirs in zip(results.estimators[name], expected, strict=True):
            assert repr(ours) == repr(theirs)
            assert repr(ours[0].transformers_) == repr(theirs[0].transformers_)
            assert vars(ours[0]).keys() == vars(theirs[0]).keys()
            assert ours[0].get_feature_names_out is not None
    union = FeatureUnion([("p", PCA(1)), ("s", StandardScaler()), ("x", "passthrough")])
    numbers = X.drop(columns="e")
    frames = clone(union).set_output(transform="pandas")
    check({"u": make_pipeline(union, Ridge()), "f": make_pipeline(frames, Ridge())}, numbers, y)


def test_sparse_text_and_no_target(classes):
    X, y = classes
    check({"svm": LinearSVC(random_state=0), "nb": BernoulliNB()}, sparse.csr_matrix(X), y)
    texts = ["good day", "bad day", "good night", "bad luck"] * 8
    check({"text": make_pipeline(TfidfVectorizer(), LogisticRegression())}, texts, [0, 1] * 16)
    check({"clusters": make_pipeline(StandardScaler(), KMeans(2, random_state=0))}, X, None)


def test_kernels_between_rows(classes):
    X, y = classes
    kernel = (X / 99) @ (X / 99).T
    check({c: SVC(kernel="precomputed", C=c) for c in (1.0, 2.0)}, kernel, y)


CLASSIFIERS = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    "tree": DecisionTreeClassifier(random_state=0),
    "svm": make_pipeline(StandardScaler(), SVC()),
    "no probabilities": DummyClassifier(),
}


@pytest.mark.parametrize("scorer", get_scorer_names())
def test_every_scorer_by_name(scorer, numbers, classes):
    candidates = {"bayes": make_pipeline(StandardScaler(), GaussianNB())}
    X, y = classes
    if scorer in BINARY.split():
        pass
    elif scorer.endswith(("_samples", "_micro", "_macro", "_weighted")) and "roc" not in scorer:
        X, y = make_multilabel_classification(80, n_classes=3, random_state=0)
        candidates = {"neighbours": make_pipeline(StandardScaler(), KNeighborsClassifier(3))}
    elif "roc_auc_ov" in scorer or scorer in CLUSTERING.split():
        pass
    else:
        X, y = numbers
        candidates = {
            "forest": make_pipeline(StandardScaler(), RandomForestRegressor(3, random_state=0))
        }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(candidates, X, y, scoring=scorer, cv=3)


BINARY = """
    accuracy balanced_accuracy average_precision roc_auc f1 precision recall jaccard
    top_k_accuracy matthews_corrcoef neg_brier_score neg_log_loss positive_likelihood_ratio
    neg_negative_likelihood_ratio d2_log_loss_score d2_brier_score
"""
CLUSTERING = """
    adjusted_mutual_info_score adjusted_rand_score completeness_score fowlkes_mallows_score
    homogeneity_score mutual_info_score normalized_mutual_info_score rand_score v_measure_score
"""


def rows_and_error(estimator, X, y):
    """Score by hand; looks at the pipeline itself, and edits what it is given."""
    error = float(np.abs(estimator.predict(X) - y).mean()) + len(estimator.steps)
    X[:] = 0
    return error


def test_scorers_that_are_callables(numbers, classes):
    candidates = {a: make_pipeline(StandardScaler(), Ridge(a)) for a in (1.0, 2.0, 1.0 + 1e-9)}
    check(candidates, *numbers, scoring=rows_and_error)
    check(candidates, *numbers, scoring=make_scorer(mean_squared_error, greater_is_better=False))
    for method in ("predict_proba", "decision_function", "predict"):
        scorer = make_scorer(
            lambda y, p: float(np.sum(p[:, 0] if p.ndim == 2 else p)), response_method=method
        )
        check({"l": CLASSIFIERS["logistic"]}, *classes, scoring=scorer)
    fbeta = make_scorer(fbeta_score, beta=2)
    check(CLASSIFIERS, *classes, scoring=fbeta)
    check(CLASSIFIERS, *classes)  # each one's own score


def test_several_scorers(classes):
    scoring = {"auc": "roc_auc", "loss": "neg_log_loss", "acc": "accuracy"}
    results = sd.evaluate({"l": CLASSIFIERS["logistic"]}, *classes, scoring=scoring, cv=3)
    expected = cross_validate(CLASSIFIERS["logistic"], *classes, scoring=scoring, cv=3)
    for name in scoring:
        got = [results.frame[f"{name}_fold_{i}"].item() for i in range(3)]
        np.testing.assert_array_equal(got, expected[f"test_{name}"])
        assert results.frame[f"{name}_mean"].item() == np.mean(got)


@pytest.mark.parametrize(
    "cv",
    [
        3,
        None,
        KFold(4, shuffle=True, random_state=1),
        StratifiedKFold(3),
        GroupKFold(3),
        StratifiedGroupKFold(3),
        LeaveOneGroupOut(),
        TimeSeriesSplit(3),
        RepeatedKFold(n_splits=2, n_repeats=2, random_state=0),
        ShuffleSplit(2, test_size=0.3, random_state=0),
        [(np.arange(100), np.arange(100, 150)), (np.arange(50, 150), np.arange(50))],
    ],
    ids=lambda cv: type(cv).__name__,
)
def test_every_splitter(cv, classes):
    X, y = classes
    groups = np.arange(len(y)) % 5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # stratified groups that don't fit
        check(CLASSIFIERS, X, y, cv=cv, groups=groups)


def test_folds_are_drawn_once(numbers):
    results = sd.evaluate([Ridge(), Ridge()], *numbers, cv=KFold(3, shuffle=True))
    np.testing.assert_array_equal(*folds(results, 3))
    pairs = iter(list(KFold(3).split(numbers[0])))
    results = sd.evaluate({"r": Ridge(), "g": GaussianNB}, *numbers, cv=pairs)
    assert not results.frame[["fold_0", "fold_1", "fold_2"]].isna().to_numpy().any()


def test_parameters_of_fits(numbers):
    X, y = numbers
    weights = np.arange(len(y)) + 1.0
    check({"a": Ridge(), "b": Ridge(2.0)}, X, y, fit_params={"sample_weight": weights})
    pipeline = make_pipeline(StandardScaler(), Ridge())
    check({"p": pipeline}, X, y, fit_params={"ridge__sample_weight": weights})
    check(
        {"p": pipeline},
        X,
        y,
        fit_params={"ridge__sample_weight": weights, "standardscaler__sample_weight": weights},
    )
    wrong = sd.evaluate(pipeline, X, y, fit_params={"sample_weight": weights})
    assert "Pipeline.fit does not accept the sample_weight parameter" in str(
        wrong.errors["Pipeline"]
    )


def test_metadata_goes_where_it_is_requested(numbers):
    X, y = numbers
    weights = np.arange(len(y)) % 7 + 1.0
    with sklearn.config_context(enable_metadata_routing=True):
        both = Ridge().set_fit_request(sample_weight=True)
        scored = get_scorer("r2").set_score_request(sample_weight=True)
        pipeline = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False),
            Ridge(2.0).set_fit_request(sample_weight=True),
        )
        unweighted = Ridge(3.0).set_fit_request(sample_weight=False)
        candidates = {"both": both, "pipeline": pipeline, "scores only": unweighted}
        how = {"fit_params": {"sample_weight": weights}}
        weighted = check(candidates, X, y, scoring=scored, **how)
        unscored = get_scorer("r2").set_score_request(sample_weight=False)
        plain = check({"both": both}, X, y, scoring=unscored, **how)
        assert not np.array_equal(folds(weighted)[0], folds(plain)[0])
        refused = sd.evaluate(Ridge(), X, y, scoring="r2", **how)
        assert "are passed but are not explicitly set as requested" in str(refused.errors["Ridge"])


@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
def test_stopping_early(numbers):
    X, y = numbers
    check(
        {
            "own rows": HistGradientBoostingRegressor(
                max_iter=30, early_stopping=True, random_state=0
            )
        },
        X,
        y,
    )
    xgboost = pytest.importorskip("xgboost")
    lightgbm = pytest.importorskip("lightgbm")
    held = {"eval_set": [(X[:40], y[:40])], "verbose": False}
    models = {
        n: xgboost.XGBRegressor(n_estimators=n, early_stopping_rounds=2, n_jobs=1) for n in (20, 40)
    }
    check(models, X, y, fit_params=held)
    stop = lightgbm.early_stopping(2, verbose=False)
    models = {n: lightgbm.LGBMRegressor(n_estimators=n, n_jobs=1, verbose=-1) for n in (20, 40)}
    check(models, X, y, fit_params={"eval_set": [(X[:40], y[:40])], "callbacks": [stop]})


CALLS: list[str] = []


@sd.pure
def note(what):
    CALLS.append(what)


class Doubling(TransformerMixin, BaseEstimator):
    """Tells of its fits and transforms; its code is known to be pure."""

    def fit(self, X, y=None):
        note("fit")
        return self

    def transform(self, X):
        note("transform")
        return X * 2.0


def test_shared_work_is_done_once(numbers):
    CALLS.clear()
    models = [Ridge(a) for a in (1, 10, 100)] + [RandomForestRegressor(2, random_state=0)]
    results = sd.evaluate([make_pipeline(Doubling(), m) for m in models], *numbers, cv=3)
    assert not results.errors
    assert (CALLS.count("fit"), CALLS.count("transform")) == (3, 6)
    explained = results.explain()
    assert explained.candidates == 4
    assert explained.tasks_after < explained.tasks_before


class Noisy(TransformerMixin, BaseEstimator):
    """Draws randomness, which its parameters don't tell."""

    def fit(self, X, y=None):
        note("noisy")
        self.noise_ = np.random.rand()
        return self

    def transform(self, X):
        return X + self.noise_


def test_impure_code_runs_as_often_as_it_is_written(numbers):
    CALLS.clear()
    results = sd.evaluate([make_pipeline(Noisy(), Ridge(a)) for a in (1, 2)], *numbers, cv=3)
    assert CALLS.count("noisy") == 6
    assert any("class Noisy" in why for why in results.explain().why_not.values())


def test_functions_inside_estimators_count(numbers):
    def noisy(X):
        note("noisy")
        return X + np.random.rand()

    CALLS.clear()
    models = [make_pipeline(FunctionTransformer(noisy), Ridge(a)) for a in (1, 2)]
    results = sd.evaluate(models, *numbers, cv=3)
    assert CALLS.count("noisy") == 12
    assert any("calls" in why and "noisy" in why for why in results.explain().why_not.values())


def test_classes_of_one_name_are_told_apart(numbers):
    def made(by):
        class Scale(TransformerMixin, BaseEstimator):
            def fit(self, X, y=None):
                return self

            def transform(self, X):
                return X * by

        return make_pipeline(Scale(), Ridge())

    check({by: made(by) for by in (1.0, 2.0, 300.0)}, *numbers)


class Spoiler(RegressorMixin, BaseEstimator):
    """Overwrites its input, when fitted and when it predicts."""

    def fit(self, X, y):
        self.mean_ = y.mean()
        X[:] = np.nan
        y[:] = np.nan
        return self

    def predict(self, X):
        X[:] = np.nan
        return np.full(len(X), self.mean_)


class Late(RegressorMixin, BaseEstimator):
    """Keeps what it is fitted on, and overwrites that when it predicts."""

    def fit(self, X, y):
        self.X_, self.y_ = X, y
        return self

    def predict(self, X):
        self.y_[:] = self.y_ * 2
        self.X_[:] = 0.0
        return np.full(len(X), self.y_.mean())


class Duck:
    """Overwrites its input, and is of none of scikit-learn's classes."""

    def __init__(self, shift=1.0):
        self.shift = shift

    def get_params(self, deep=True):
        return {"shift": self.shift}

    def set_params(self, **params):
        vars(self).update(params)
        return self

    def __sklearn_tags__(self):
        return Ridge().__sklearn_tags__()

    def fit(self, X, y):
        X += self.shift
        self.mean_ = X.mean()
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)

    def score(self, X, y):
        return float(self.mean_)


def double(X):
    X *= 2
    return X


def test_no_candidate_spoils_the_data_of_others(numbers):
    check(
        {
            "a": make_pipeline(StandardScaler(), Ridge()),
            "spoiler": Spoiler(),
            "later": make_pipeline(StandardScaler(), Spoiler()),
            "keeper": Late(),
            "keeping": make_pipeline(StandardScaler(), Late()),
            "duck": Duck(),
            "function": make_pipeline(StandardScaler(), FunctionTransformer(double), Ridge(2.0)),
            "in place": make_pipeline(StandardScaler(), StandardScaler(copy=False), Ridge(3.0)),
            "b": make_pipeline(StandardScaler(), Ridge(4.0)),
        },
        *numbers,
    )


class Broken(RegressorMixin, BaseEstimator):
    """Breaks in many ways."""

    def __init__(self, how="fit"):
        self.how = how

    def fit(self, X, y):
        if self.how == "fit":
            raise ValueError("cannot be fitted")
        if self.how == "exit":
            sys.exit(3)
        if self.how == "warn":
            warnings.warn("a warning that is an error here", UserWarning, stacklevel=2)
        if self.how == "memory":
            raise MemoryError
        return self

    def predict(self, X):
        return [1 / 0 for _ in X] if self.how == "predict" else "nonsense"


class Untagged:
    """What scikit-learn takes for no estimator."""

    def get_params(self, deep=True):
        return {}

    def fit(self, X, y):
        return self


def no_estimator():
    raise KeyError("typo")


def test_broken_candidates_cost_only_themselves(numbers):
    X, y = numbers
    good = {f"ridge {a}": make_pipeline(StandardScaler(), Ridge(a)) for a in range(1, 9)}
    ways = ("fit", "exit", "warn", "memory", "predict", "nonsense")
    bad = {f"broken {how}": Broken(how) for how in ways}
    bad |= {
        "later": make_pipeline(StandardScaler(), Broken("fit")),
        "before": make_pipeline(Doubling(), "not an estimator", Ridge()),
        "maker": no_estimator,
        "no fit": object,
        "number": 3,
        "space": (Ridge(), {"typo": [1]}),
        "alpha": Ridge(alpha="x"),
        "no score": StandardScaler(),
        "no tags": Untagged(),
    }
    results = sd.evaluate({**good, **bad}, X, y)
    assert set(results.errors) == set(bad)
    for name, estimator in good.items():
        row = results.frame.set_index("candidate").loc[name]
        got = row[[f"fold_{i}" for i in range(5)]].to_numpy(dtype=float)
        np.testing.assert_array_equal(got, alone(estimator, X, y))
    failure = results.errors["broken fit"]
    assert (failure.error, failure.message) == ("ValueError", "cannot be fitted")
    assert failure.line.endswith('raise ValueError("cannot be fitted")')
    assert failure.task.startswith("fit-Broken")
    assert failure.seconds >= 0
    assert results.errors["broken exit"].error == "SystemExit"
    assert "1 / 0" in results.errors["broken predict"].line
    assert results.errors["maker"].line.endswith('raise KeyError("typo")')
    assert list(results.frame["status"]) == ["ok"] * len(good) + ["failed"] * len(bad)
    with pytest.raises(ValueError, match="cannot be fitted"):
        sd.evaluate(Broken(), X, y, on_error="raise")
    with pytest.raises(ConfigError, match="on_error"):
        sd.evaluate(Ridge(), X, y, on_error="ignore")
    with pytest.raises(ValueError, match="not a valid scoring"):
        sd.evaluate(Ridge(), X, y, scoring="r3")


def test_families_share_inside_folds(classes):
    X, y = classes
    rng = np.random.default_rng(0)
    X = X + rng.normal(size=X.shape) * 1e-6  # no two rows are equally far
    space = {"knn__n_neighbors": [1, 3, 5]}
    base = Pipeline([("scale", StandardScaler()), ("knn", KNeighborsClassifier())])
    forests = {f"forest {n}": RandomForestClassifier(n, random_state=0) for n in (2, 4)}
    neighbours = {n: clone(base).set_params(knn__n_neighbors=n) for n in (1, 3, 5)}
    results = check({**forests, **neighbours}, X, y, scoring="accuracy", cv=3)
    assert results.explain().families
    search = sd.model_selection.GridSearchCV(base, space, cv=3).fit(X, y)
    expected = GridSearchCV(base, space, cv=3).fit(X, y)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )


def test_labels_belong_to_their_candidates(numbers):
    space = [
        {"scale": [StandardScaler(), "passthrough"], "model": [Ridge()], "model__alpha": [1, 50]},
        {"model": [RandomForestRegressor(2, random_state=0)], "model__max_depth": [1, True, 3]},
    ]
    base = Pipeline([("scale", "passthrough"), ("model", Ridge())])
    results = sd.evaluate((base, space), *numbers, cv=3)
    search = GridSearchCV(base, space, cv=3).fit(*numbers)
    found = search.cv_results_
    expected = np.stack([found[f"split{i}_test_score"] for i in range(3)], axis=1)
    np.testing.assert_array_equal(folds(results, 3), expected)
    for name, params in zip(results.frame["candidate"], found["params"], strict=True):
        assert name.endswith(", ".join(f"{k}={v!r}" for k, v in params.items()))
    assert results.frame["candidate"].is_unique


def test_search_spaces_with_distributions(numbers):
    space = {"max_depth": randint(1, 5)}
    forest = RandomForestRegressor(2, random_state=0)
    results = sd.evaluate({"f": (forest, space, 3)}, *numbers, cv=3, seed=7)
    drawn = [f"f: max_depth={p['max_depth']!r}" for p in ParameterSampler(space, 3, random_state=7)]
    assert [str(name).partition(" #")[0] for name in results.frame["candidate"]] == drawn


def test_what_candidates_may_be(numbers):
    for one, names in (
        (Ridge(), ["Ridge"]),
        (Ridge, ["Ridge"]),
        (lambda: Ridge(2), ["<lambda>"]),
        ([Ridge(), Ridge()], [0, 1]),
        ((Ridge(), {"alpha": [1, 2]}), ["Ridge: alpha=1", "Ridge: alpha=2"]),
        ({"a": Ridge, 2: Ridge()}, ["a", 2]),
        ([], []),
    ):
        assert sd.evaluate(one, *numbers, cv=2).frame["candidate"].tolist() == names


def test_seeds(numbers):
    candidates = {
        "f": RandomForestRegressor(3),
        "g": make_pipeline(PCA(5), RandomForestRegressor(3)),
    }
    first = sd.evaluate(candidates, *numbers, seed=1)
    again = sd.evaluate(candidates, *numbers, seed=1)
    other = sd.evaluate(candidates, *numbers, seed=2)
    np.testing.assert_array_equal(folds(first), folds(again))
    assert (folds(first) != folds(other)).any()
    assert not first.explain().why_not
    twice = {"a": RandomForestRegressor(3), "b": RandomForestRegressor(3)}
    unseeded = sd.evaluate(twice, *numbers)
    assert (folds(unseeded)[0] != folds(unseeded)[1]).any()
    assert any("randomness" in why for why in unseeded.explain().why_not.values())
    assert candidates["f"].random_state is None


def test_estimators_are_kept(numbers):
    X, y = numbers
    candidates = {a: make_pipeline(StandardScaler(), Ridge(a)) for a in (1.0, 10.0)}
    results = sd.evaluate(candidates, X, y, return_estimator=True)
    for name, pipeline in candidates.items():
        expected = cross_validate(pipeline, X, y, return_estimator=True)["estimator"]
        for ours, theirs in zip(results.estimators[name], expected, strict=True):
            assert repr(ours) == repr(theirs)
            np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    scalers = [results.estimators[a][0].steps[0][1] for a in candidates]
    assert scalers[0] is not scalers[1]
    assert not np.shares_memory(scalers[0].mean_, scalers[1].mean_)


def test_results(numbers):
    results = sd.evaluate({"good": Ridge(), "bad": Broken(), "poor": Ridge(1e6)}, *numbers)
    assert results.best == "good"
    assert list(results.frame.columns) == [
        *("candidate", "mean", "std"),
        *(f"fold_{i}" for i in range(5)),
        *("seconds", "status", "error"),
    ]
    read = json.loads(results.to_json())
    assert [one["candidate"] for one in read["candidates"]] == ["good", "bad", "poor"]
    assert read["candidates"][1]["error"]["error"] == "ValueError"
    assert read["candidates"][1]["scores"]["score"] == [None] * 5
    assert "cannot be fitted" in results._repr_html_()
    assert "1 failed" in repr(results)
    assert 0 < results.frame["seconds"].iloc[0] <= results.seconds_alone
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="plot() needs it")
    assert results.plot().get_xlabel() == "score"
    pyplot.close("all")


def test_settings_of_the_calling_thread_hold(numbers):
    import sklearn

    class Sees(RegressorMixin, BaseEstimator):
        def fit(self, X, y):
            self.seen_ = sklearn.get_config()["transform_output"], np.geterr()["divide"]
            return self

        def predict(self, X):
            return np.zeros(len(X))

    with sklearn.config_context(transform_output="pandas"), np.errstate(divide="raise"):
        results = sd.evaluate(Sees(), *numbers, return_estimator=True, cv=2)
    assert [one.seen_ for one in results.estimators["Sees"]] == [("pandas", "raise")] * 2


def test_libraries_that_take_all_cores_get_one(numbers):
    class Booster(RegressorMixin, BaseEstimator):
        __module__ = "lightgbm.sklearn"

        def __init__(self, n_jobs=None):
            self.n_jobs = n_jobs

        def fit(self, X, y):
            return self

        def predict(self, X):
            return np.full(len(X), self.n_jobs)

    candidates = {"left": Booster(), "set": Booster(2), "inside": make_pipeline(Booster())}
    results = sd.evaluate(candidates, *numbers, return_estimator=True, cv=2)
    assert [one.n_jobs for one in results.estimators["left"]] == [1, 1]
    assert [one.n_jobs for one in results.estimators["set"]] == [2, 2]
    assert [one[-1].n_jobs for one in results.estimators["inside"]] == [1, 1]
    assert candidates["left"].n_jobs is None


@pytest.mark.parametrize("scheduler", ["sync", "threads"])
def test_the_same_on_other_schedulers(numbers, scheduler):
    with dask.config.set(scheduler=scheduler):
        check({"f": RandomForestRegressor(3, random_state=0), "p": REGRESSORS["nested"]}, *numbers)


@pytest.mark.cluster
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_same_on_a_cluster(numbers, classes):
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster),
    ):
        check({k: v for k, v in REGRESSORS.items() if k != "instance"}, *numbers, scoring="r2")
        check({"trees": HistGradientBoostingClassifier(max_iter=3)}, *classes, scoring="roc_auc")
        rng = np.random.default_rng(0)
        big = rng.normal(size=(20_000, 10))  # sent to a worker by itself
        check({"scaled": REGRESSORS["pipeline"], "plain": Ridge()}, big, big[:, 0] ** 2)
        results = sd.evaluate({"good": Ridge(), "bad": Ridge(alpha="x")}, *numbers)
        assert results.errors["bad"].error == "InvalidParameterError"
        assert list(results.frame["status"]) == ["ok", "failed"]
        forests = RandomForestClassifier(3, random_state=0)
        assert sd.model_selection.cross_val_score(forests, *classes, cv=3).tolist() == (
            alone(forests, *classes, cv=3).tolist()
        )
