"""scikit-learn's own checks of estimators, on preprocessing that is fitted and applied natively."""

from __future__ import annotations

import functools
import pickle
import warnings
from collections import Counter
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    LabelEncoder,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.utils.estimator_checks import estimator_checks_generator

from stratum_dask.ops import counters, direct
from stratum_dask.ops.direct.preprocessing import entries
from tests.ops.oracle import assert_same, every_length, observe
from tests.ops.test_preprocessing import assert_same_matrix, assert_same_state

METHODS = ("fit", "fit_transform", "transform")


@pytest.fixture(autouse=True, scope="module")
def _small_tables_too():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entries, "WORTH", 0)
        every_length(patch)
        yield


@contextmanager
def framed(kind: type, ran: Counter[str] | None, whole: bool):
    """Have the class's methods see frames instead of arrays, and run natively if counted."""
    busy = False

    def wrapped(name: str) -> Any:
        own = getattr(kind, name)

        @functools.wraps(own)
        def call(self: Any, X: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal busy
            if busy or type(self) is not kind:
                return own(self, X, *args, **kwargs)
            if isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "iuf" and X.size:
                values = np.round(X).astype("int64") if whole and np.isfinite(X).all() else X
                X = pd.DataFrame(values, columns=[f"x{i}" for i in range(X.shape[1])])
            busy = True
            try:
                if ran is None:
                    return own(self, X, *args, **kwargs)
                counters.reset()
                value = direct.Native(f".{name}", own)(self, X, *args, **kwargs)
                ran.update(counters.snapshot().hits)
                return value
            finally:
                busy = False

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in METHODS:
            patch.setattr(kind, name, wrapped(name))
        yield


def outcomes(
    estimator: Any, ran: Counter[str] | None = None, whole: bool = False
) -> list[tuple[str, str]]:
    """What each check says: nothing, or an error."""
    said = []
    for fresh, check in estimator_checks_generator(clone(estimator)):
        name = getattr(check, "func", check).__name__
        if "array_api" in name:  # needs other libraries
            continue
        with framed(type(estimator), ran, whole), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome = observe(functools.partial(check, fresh))
        said.append((name, repr(outcome.error)))
    return said


NUMBERS = make_pipeline(SimpleImputer(), StandardScaler())


@pytest.mark.parametrize(
    "estimator",
    [
        SimpleImputer(),
        SimpleImputer(strategy="median"),
        StandardScaler(),
        MinMaxScaler(),
        RobustScaler(),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        OneHotEncoder(handle_unknown="ignore"),
        NUMBERS,
        ColumnTransformer([("numbers", NUMBERS, make_column_selector())]),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_checks_say_what_they_say_of_scikit_learn(estimator):
    ran: Counter[str] = Counter()
    whole = isinstance(estimator, OrdinalEncoder | OneHotEncoder)
    natively, plainly = outcomes(estimator, ran, whole), outcomes(estimator, whole=whole)
    assert natively == plainly
    assert sum(error == "None" for _, error in plainly) > 30
    assert min(ran[f".{method}"] for method in ("fit", "transform")) > 9


def table(rows: int = 60, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "f": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows)),
            "i": rng.integers(-5, 5, rows),
            "s": pd.array(rng.choice(["a", "b", None], rows), dtype="str"),
            "w": pd.array(rng.choice(["xx yy", "yy zz", "zz"], rows), dtype="str"),
        }
    )


#: Estimators, and the columns that each is fitted on.
CASES: dict[str, tuple[Any, Any]] = {
    "mean": (SimpleImputer(), ["f", "i"]),
    "most frequent": (SimpleImputer(strategy="most_frequent"), ["s", "w"]),
    "standard": (StandardScaler(), ["f", "i"]),
    "minmax": (MinMaxScaler(), ["f", "i"]),
    "robust": (RobustScaler(), ["f", "i"]),
    "ordinal": (OrdinalEncoder(), ["s", "w"]),
    "onehot": (OneHotEncoder(), ["w", "i"]),
    "onehot with unknowns": (OneHotEncoder(handle_unknown="ignore"), ["w"]),
    "targets": (TargetEncoder(random_state=0, target_type="continuous"), ["s", "w"]),
    "bins": (KBinsDiscretizer(3, quantile_method="linear", random_state=0), ["i"]),
    "labels": (LabelEncoder(), "w"),
    "counts": (CountVectorizer(), "w"),
    "tfidf": (TfidfVectorizer(), "w"),
    "hashes": (HashingVectorizer(n_features=32), "w"),
    "pipeline": (NUMBERS, ["f", "i"]),
    "columns": (
        ColumnTransformer(
            [
                ("numbers", NUMBERS, ["f", "i"]),
                ("strings", make_pipeline(SimpleImputer(strategy="constant"), OneHotEncoder()),
                 ["s", "w"]),
            ]
        ),
        ["f", "i", "s", "w"],
    ),
}  # fmt: skip


def changed(frame: Any, how: str) -> Any:
    """What users hand over by mistake, or in another form than they fitted on."""
    if frame.ndim == 1:  # documents and labels
        return {
            "one row": frame.iloc[:1],
            "no rows": frame.iloc[:0],
            "array": frame.to_numpy(),
            "list": frame.to_list(),
            "objects": frame.astype(object),
            "missing": frame.where(frame.index != 3),
            "unknown": frame.where(frame.index != 3, "unheard of"),
            "column": frame.to_frame(),
        }.get(how)
    first = frame.columns[0]
    return {
        "one row": lambda: frame.iloc[:1],
        "no rows": lambda: frame.iloc[:0],
        "no columns": lambda: frame.iloc[:, :0],
        "fewer columns": lambda: frame.iloc[:, 1:],
        "more columns": lambda: frame.assign(more=1.0),
        "other order": lambda: frame.iloc[:, ::-1],
        "other names": lambda: frame.rename(columns={first: "other"}),
        "numbers for names": lambda: frame.set_axis(range(frame.shape[1]), axis=1),
        "array": lambda: frame.to_numpy(),
        "list": lambda: frame.to_numpy().tolist(),
        "column": lambda: frame[first],
        "sparse": lambda: sparse.csr_matrix(np.ones(frame.shape)),
        "objects": lambda: frame.astype(object),
        "missing": lambda: frame.drop(index=3).reindex(frame.index),
        "infinite": lambda: frame.assign(**{first: np.inf}),
        "unknown": lambda: frame.assign(**{first: "unheard of"}),
        "complex": lambda: frame.assign(**{first: 1j}),
        "nullable": lambda: frame.convert_dtypes(),
    }[how]()


MISTAKES = ["one row", "no rows", "no columns", "fewer columns", "more columns", "other order",
            "other names", "numbers for names", "array", "list", "column", "sparse", "objects",
            "missing", "infinite", "unknown", "complex", "nullable"]  # fmt: skip


def natively(method: str, estimator: Any, *args: Any) -> Any:
    return direct.Native(f".{method}", lambda e, *rest: getattr(e, method)(*rest))(estimator, *args)


def plainly(method: str, estimator: Any, *args: Any) -> Any:
    return getattr(estimator, method)(*args)


def pair(case: str, *, fitted: bool) -> tuple[Any, Any, Any, tuple[Any, ...]]:
    """The estimator twice, one for each way, its data, and what else its fit needs."""
    estimator, columns = CASES[case]
    y = (np.arange(60) % 7 * 0.5,) if isinstance(estimator, TargetEncoder) else ()
    data = table()[columns]
    ours, theirs = clone(estimator), clone(estimator)
    if fitted:
        natively("fit", ours, data, *y)
        plainly("fit", theirs, data, *y)
    return ours, theirs, data, y


def assert_same_outcome(actual: Any, expected: Any) -> None:
    assert type(actual.error) is type(expected.error), (actual.error, expected.error)
    if "unknown categories" not in str(expected.error):  # listed in the order of a set
        assert str(actual.error) == str(expected.error)
    # What is refused in the middle runs again, and warns again.
    assert list(dict.fromkeys(actual.warned)) == list(dict.fromkeys(expected.warned))
    if expected.error is None:
        assert_same_matrix(actual.value, expected.value)


@pytest.mark.parametrize("case", CASES)
def test_fitted_objects(case):
    ours, theirs, data, y = pair(case, fitted=True)
    assert_same_state(vars(ours), vars(theirs))
    # Transforming changes nothing, and says the same again; so does a copy from elsewhere.
    first = natively("transform", ours, data)
    before = pickle.dumps(ours)  # HashingVectorizer remembers that it was used
    assert_same_matrix(natively("transform", ours, data), first)
    assert pickle.dumps(ours) == before
    assert_same_matrix(natively("transform", pickle.loads(before), data), first)
    assert_same_matrix(first, plainly("transform", theirs, data))
    if hasattr(theirs, "get_feature_names_out") and "hashes" not in case:
        assert_same(ours.get_feature_names_out(), theirs.get_feature_names_out())
    if hasattr(theirs, "inverse_transform"):
        one, other = (observe(lambda e=e: e.inverse_transform(first)) for e in (ours, theirs))
        assert type(one.error) is type(other.error)
    # Fitted again on other rows, and on other columns, nothing is left of the first time.
    if not y:
        again = table(rows=45, seed=1)[CASES[case][1]]
        assert natively("fit", ours, again) is ours
        assert_same_state(vars(ours), vars(theirs.fit(again)))
    assert_same_state(clone(ours).get_params(), clone(theirs).get_params())


@pytest.mark.parametrize("case", CASES)
def test_not_fitted(case):
    ours, theirs, data, _ = pair(case, fitted=False)
    actual = observe(lambda: natively("transform", ours, data))
    expected = observe(lambda: plainly("transform", theirs, data))
    assert_same_outcome(actual, expected)
    assert_same_state(vars(ours), vars(theirs))


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("case", CASES)
def test_other_data(case, mistake):
    for method in METHODS:
        ours, theirs, data, y = pair(case, fitted=method == "transform")
        given = changed(data, mistake)
        if given is None:  # nobody could make it of documents
            return
        rest = [] if method == "transform" else [each[: np.shape(given)[0]] for each in y]
        before = pickle.dumps(given)
        actual = observe(lambda: natively(method, ours, given, *rest))  # noqa: B023
        expected = observe(lambda: plainly(method, theirs, given, *rest))  # noqa: B023
        if method == "fit":
            assert (actual.value is ours) == (expected.value is theirs)
            actual, expected = (o._replace(value=None) for o in (actual, expected))
        assert_same_outcome(actual, expected)
        assert_same_state(vars(ours), vars(theirs))
        assert pickle.dumps(given) == before


@pytest.mark.parametrize("case", CASES)
def test_pandas_output(case):
    ours, theirs, data, y = pair(case, fitted=False)
    for estimator in (ours, theirs):
        if hasattr(estimator, "set_output"):
            estimator.set_output(transform="pandas")
    assert_same_outcome(
        observe(lambda: natively("fit_transform", ours, data, *y)),
        observe(lambda: plainly("fit_transform", theirs, data, *y)),
    )
    assert_same_state(vars(ours), vars(theirs))
