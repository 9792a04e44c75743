"""Encoders of texts, labels, targets and bins: scikit-learn's own work, but for one method."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pandas as pd
import pytest
from dask.utils import methodcaller
from hypothesis import event, given
from hypothesis import strategies as st
from scipy.sparse import csc_array
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    LabelEncoder,
    OneHotEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    StandardScaler,
    TargetEncoder,
)

from stratum_dask.ops import counters, direct
from stratum_dask.ops.direct.preprocessing import documents, entries
from stratum_dask.ops.steps import Unsupported
from tests.ops.oracle import CROSS_FITTED, every_length, observe
from tests.ops.test_preprocessing import SLOW, assert_same_matrix, assert_same_state

WORDS = ["a", "the", "Fox", "fox", "dog", "ÉTÉ", "x1", "over-under", "one two", "!"]


@pytest.fixture(autouse=True, scope="module")
def _small_data_too():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entries, "WORTH", 0)
        patch.setattr(documents, "_FEWEST", 0)
        every_length(patch, 0)
        yield


def check(estimator, train, test, *target):
    """Compare all calls with scikit-learn's; return which ran natively."""
    ours, theirs = clone(estimator), clone(estimator)
    ran = set()
    for method, data in (
        ("fit_transform", (train, *target)),
        ("transform", (test,)),
        ("fit", (train, *target)),
        ("transform", (train,)),
    ):
        counters.reset()
        native = direct.Native("." + method, methodcaller(method))
        actual = observe(lambda: native(ours, *data))  # noqa: B023
        expected = observe(lambda: getattr(theirs, method)(*data))  # noqa: B023
        if expected.error is not None:
            assert type(actual.error) is type(expected.error)
            assert str(actual.error) == str(expected.error)
            return ran
        if actual.error is not None:
            raise actual.error
        assert set(actual.warned) == set(expected.warned)
        if method == "fit":
            assert actual.value is ours
        else:
            assert_same_matrix(actual.value, expected.value)
        assert_same_state(ours, theirs)
        if counters.snapshot().hits.get("." + method):
            ran.add(method)
    assert_same_state(pickle.loads(pickle.dumps(ours)), theirs)
    return ran


ALL = {"fit", "fit_transform", "transform"}

# -- texts ---------------------------------------------------------------------------------------


@st.composite
def texts(draw):
    text = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)
    some = draw(st.lists(text, min_size=1, max_size=8))
    rows = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    values = rng.choice(some, rows).astype(object)
    if draw(st.integers(0, 9)) == 0:
        values[rng.random(rows) < 0.1] = None
    return pd.Series(values, dtype="str", index=rng.permutation(rows))


COUNT = {
    "ngram_range": st.sampled_from([(1, 1), (1, 2)]),
    "stop_words": st.sampled_from([None, "english", ["fox"]]),
    "binary": st.booleans(),
    "analyzer": st.sampled_from(["word", "word", "char", "char_wb"]),
    "lowercase": st.booleans(),
    "strip_accents": st.sampled_from([None, "unicode"]),
}
LIMITS = {
    "min_df": st.sampled_from([1, 1, 2, 0.2]),
    "max_df": st.sampled_from([1.0, 1.0, 0.6, 5]),
    "max_features": st.sampled_from([None, 2]),
    "vocabulary": st.sampled_from([None, None, ["fox", "a"]]),
    "dtype": st.sampled_from([np.float64, np.float32]),
}
VECTORIZERS = st.one_of(
    st.builds(CountVectorizer, **COUNT, **LIMITS),
    st.builds(
        TfidfVectorizer,
        **COUNT,
        **LIMITS,
        norm=st.sampled_from(["l2", "l1", None]),
        use_idf=st.booleans(),
        sublinear_tf=st.booleans(),
    ),
    st.builds(
        HashingVectorizer,
        **COUNT,
        n_features=st.sampled_from([2**20, 8]),
        norm=st.sampled_from(["l2", None]),
        alternate_sign=st.booleans(),
    ),
)


@SLOW
@given(VECTORIZERS, texts(), texts())
def test_texts(vectorizer, train, test):
    event(f"natively: {sorted(check(vectorizer, train, test))}")


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    n = 900
    words = np.array(["the quick fox", "the lazy dog", "fox and dog", "!"])
    return pd.DataFrame(
        {
            "text": pd.array(words[rng.integers(0, 4, n)], dtype="str"),
            "s": pd.array(rng.choice(["a", "b", None, "zz"], n), dtype="str"),
            "t": pd.array(rng.choice(["x", "y", "z"], n), dtype="str"),
            "i": rng.integers(0, 5, n),
            "v": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "w": rng.normal(size=n),
        }
    )


@pytest.mark.parametrize("kind", [CountVectorizer, TfidfVectorizer, HashingVectorizer])
def test_texts_run_natively(kind, table):
    found = check(kind(), table["text"], table["text"][:100])
    assert found == (ALL - {"fit"} if kind is HashingVectorizer else ALL)


def test_texts_that_are_left_to_scikit_learn(table):
    text = table["text"]
    for vectorizer, data, reason in (
        (CountVectorizer(tokenizer=str.split, token_pattern=None), text, "functions of the user"),
        (CountVectorizer(input="file"), text, "files"),
        (CountVectorizer(), table["s"], "missing texts"),
        (CountVectorizer(), list(text), "operand is list"),
        (CountVectorizer(), text.astype(object), "dtype object"),
        (TfidfVectorizer(), pd.Series(map(str, range(900)), dtype="str"), "distinct strings"),
        (CountVectorizer(max_df=0.1, min_df=0.9), text, "ValueError while fitting"),
    ):
        with pytest.raises(Unsupported, match=reason):
            direct.call(".fit_transform", (clone(vectorizer), data), {})
        if vectorizer.input == "content":
            check(vectorizer, data, data)
    with pytest.raises(Unsupported, match="not fitted"):
        direct.call(".transform", (CountVectorizer(vocabulary=["fox"]), text), {})
    check(CountVectorizer(vocabulary=["fox"]), text, text)


def test_a_fitted_vectorizer_serves_several_threads(table):
    fitted = TfidfVectorizer().fit(table["text"])
    expected = fitted.transform(table["text"])
    before, found = dict(vars(fitted)), []

    def use():
        found.append(direct.call(".transform", (fitted, table["text"]), {}))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in found:
        assert_same_matrix(one, expected)
    assert len(found) == 8
    assert vars(fitted).keys() == before.keys()


# -- labels, targets and bins --------------------------------------------------------------------


@SLOW
@given(texts(), texts())
def test_labels(train, test):
    event(f"natively: {sorted(check(LabelEncoder(), train, test))}")


def test_labels_run_natively(table):
    assert check(LabelEncoder(), table["s"], table["s"][:10]) == ALL
    assert check(LabelEncoder(), table["t"], table["t"]) == ALL
    check(LabelEncoder(), table["i"], table["i"])


TARGETS = {
    "numbers": lambda rng, n: rng.normal(size=n),
    "two classes": lambda rng, n: rng.choice(["no", "yes"], n),
    "three classes": lambda rng, n: rng.integers(0, 3, n),
    "one class": lambda rng, n: np.zeros(n),
    "too short": lambda rng, n: rng.normal(size=n - 1),
}


@SLOW
@given(
    st.sampled_from([2, 3, KFold(2), KFold(3, shuffle=True, random_state=1)]),
    st.sampled_from(["auto", 0.0, 10.0]),
    st.sampled_from(sorted(TARGETS)),
    st.lists(st.sampled_from("stiv"), min_size=1, max_size=3, unique=True),
    st.integers(6, 60),
    st.integers(0, 99),
)
def test_targets(cv, smooth, target, columns, rows, seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "s": pd.array(rng.choice(["a", "b", None, "zz"], rows), dtype="str"),
            "t": pd.array(rng.choice(WORDS, rows), dtype="str"),
            "i": rng.integers(0, 4, rows),
            "v": rng.normal(size=rows).round(1),
        }
    )[columns]
    y = TARGETS[target](rng, rows)
    encoder = TargetEncoder(cv=cv, smooth=smooth)
    if isinstance(cv, int):  # folds that are drawn are drawn alike
        encoder = TargetEncoder(cv=cv, smooth=smooth, random_state=0)
    event(f"natively: {sorted(check(encoder, frame, frame[: rows // 2], y))}")


def test_targets_run_natively(table):
    y = table["w"].to_numpy()
    encoder = TargetEncoder(**CROSS_FITTED)
    assert check(encoder, table[["s", "t", "i"]], table[["s", "t", "i"]][:50], y) == ALL
    unknown = table[["t"]].replace("x", "unseen")
    assert check(encoder, table[["t"]], unknown, y) == ALL
    assert check(TargetEncoder(**CROSS_FITTED), table[["v"]], table[["v"]], y) == set()


@SLOW
@given(
    st.sampled_from(["onehot", "onehot-dense", "ordinal"]),
    st.sampled_from(["uniform", "quantile", "kmeans"]),
    st.integers(2, 5),
    st.sampled_from([None, np.float32]),
    st.sampled_from([None, 20]),
    st.integers(1, 60),
    st.integers(0, 99),
)
def test_bins(encode, strategy, bins, dtype, subsample, rows, seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"v": rng.normal(size=rows).round(1), "i": rng.integers(0, 3, rows)})
    binner = KBinsDiscretizer(
        bins,
        encode=encode,
        strategy=strategy,
        dtype=dtype,
        subsample=subsample,
        random_state=1,
        quantile_method="linear",
    )
    event(f"natively: {sorted(check(binner, frame, frame[: rows // 2 + 1]))}")


@pytest.mark.parametrize("encode", ["ordinal", "onehot", "onehot-dense"])
def test_bins_run_natively(table, encode):
    binner = KBinsDiscretizer(4, encode=encode, quantile_method="linear")
    frame = table[["w", "i"]]
    assert check(binner, frame, frame[:9]) == ALL - {"fit"}
    array = frame.to_numpy(dtype="float64")
    for data in (array, np.ascontiguousarray(array), np.asfortranarray(array), array[::2, ::-1]):
        assert check(binner, data, data[:9]) == ALL - {"fit"}


@pytest.mark.parametrize("encode", ["ordinal", "onehot"])
def test_numbers_that_have_no_bin(table, encode):
    binner = KBinsDiscretizer(3, encode=encode, quantile_method="linear")
    frame = table[["w", "i"]].astype("float64")
    for value in (np.nan, np.inf, -np.inf):
        check(binner, frame, frame.assign(w=frame["w"].where(frame.index != 3, value)))
    edges = clone(binner).fit(frame).bin_edges_[0]
    on_edges = np.array([edges[1], np.nextafter(edges[1], 9), edges[0] - 1, edges[-1] + 1, -0.0])
    test = pd.DataFrame({"w": on_edges, "i": 1.0})
    assert "transform" in check(binner, frame, test)


def test_a_sample_is_drawn_once(table):
    """Also where the bins are not written natively, and draw from NumPy's own state."""
    binner = KBinsDiscretizer(3, subsample=100, quantile_method="linear")
    for frame in (table[["w"]], table[["w"]].astype("float32")):
        np.random.seed(3)
        expected = clone(binner).fit_transform(frame), np.random.random()
        np.random.seed(3)
        actual = direct.call(".fit_transform", (clone(binner), frame), {})
        assert np.random.random() == expected[1]
        assert_same_matrix(actual, expected[0])


@SLOW
@given(
    st.integers(1, 60),
    st.sampled_from([10, 57, 1000]),
    st.sampled_from(["uniform", "normal"]),
    st.sampled_from([None, 10, 60]),
    st.sampled_from([0.0, 0.1, 1.0]),
    st.sampled_from(["frame", "C", "F", "strided", "float32", "sparse"]),
    st.integers(0, 99),
)
@pytest.mark.filterwarnings("ignore:All-NaN slice:RuntimeWarning", "ignore::UserWarning")
def test_quantiles(rows, quantiles, output, subsample, missing, kind, seed):
    rng = np.random.default_rng(seed)
    steps = rng.integers(-3, 4, rows) * rng.choice([-0.0, 1.0], rows)
    X = np.column_stack([rng.normal(size=rows), rng.exponential(size=rows).round(1), steps])
    X[rng.random(X.shape) < missing] = np.nan
    given = {
        "frame": pd.DataFrame,
        "C": np.ascontiguousarray,
        "F": np.asfortranarray,
        "strided": lambda X: np.repeat(X, 2, axis=0)[::2],
        "float32": np.float32,
        "sparse": lambda X: csc_array(np.nan_to_num(X)),
    }[kind](X)
    transformer = QuantileTransformer(
        n_quantiles=quantiles, output_distribution=output, subsample=subsample, random_state=1
    )
    event(f"natively: {sorted(check(transformer, given, given[: rows // 2 + 1]))}")
    if kind != "sparse" and (subsample is None or quantiles <= subsample):
        own = entries.quantiles.fit(clone(transformer), given).quantiles_
        theirs = clone(transformer).fit(given).quantiles_
        assert (own.tobytes("A"), own.strides) == (theirs.tobytes("A"), theirs.strides)
        assert type(own) is np.ndarray


def test_quantiles_are_of_a_sample_that_is_drawn_once(table):
    transformer = QuantileTransformer(n_quantiles=50, subsample=60)
    np.random.seed(3)
    expected = clone(transformer).fit_transform(table[["w"]]), np.random.random()
    np.random.seed(3)
    actual = direct.call(".fit_transform", (clone(transformer), table[["w"]]), {})
    assert np.random.random() == expected[1]
    assert_same_matrix(actual, expected[0])


# -- estimators made of others -------------------------------------------------------------------


def mixed(**options):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return ColumnTransformer(
        [
            ("numbers", numbers, ["v", "i"]),
            ("categories", OneHotEncoder(handle_unknown="ignore"), ["s"]),
            ("targets", TargetEncoder(**CROSS_FITTED), ["t", "s"]),
            ("text", TfidfVectorizer(), "text"),
            ("powers", PolynomialFeatures(2), ["w"]),
            ("log", FunctionTransformer(np.abs), ["w"]),
            ("none", "drop", ["t"]),
            ("same", "passthrough", ["i"]),
        ],
        **options,
    )


@pytest.mark.parametrize("options", [{}, {"sparse_threshold": 0}, {"remainder": "passthrough"}])
def test_parts_run_natively_by_themselves(table, options):
    y = table["w"].to_numpy()
    frame = table if "remainder" not in options else table.assign(rest=1)
    check(mixed(**options), frame, frame[:100], y)
    ours = mixed(**options)
    counters.reset()
    direct.Native(".fit_transform", methodcaller("fit_transform"))(ours, frame, y)
    ran = counters.snapshot()
    assert ran.hits == {".fit_transform": 5}
    assert [one.operation for one in ran.fallbacks] == [".fit_transform"]
    for _, part, _ in [*ours.transformers, *ours.transformers_]:
        assert type(part).__module__ in ("builtins",) or type(part).__module__.startswith("sklearn")


@pytest.mark.parametrize("model", [Ridge(), LogisticRegression()])
def test_pipelines_of_parts(table, model):
    y = (table["w"] > 0).astype(int).to_numpy()
    ours, theirs = (make_pipeline(mixed(), clone(model)) for _ in range(2))
    counters.reset()
    assert direct.Native(".fit", methodcaller("fit"))(ours, table, y) is ours
    assert counters.snapshot().hits[".fit_transform"] == 5
    theirs.fit(table, y)
    assert_same_state(ours, theirs)
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(theirs, method):
            counters.reset()
            found = direct.Native("." + method, methodcaller(method))(ours, table)
            assert counters.snapshot().hits[".transform"] == 5
            assert_same_matrix(found, getattr(theirs, method)(table))
    found = direct.Native(".score", methodcaller("score"))(ours, table, y)
    assert found == theirs.score(table, y)


class Failing(BaseEstimator):
    def fit(self, X, y=None):
        raise ZeroDivisionError("of the user")

    def transform(self, X):
        return X


def test_errors_of_parts_are_scikit_learns(table):
    for part, columns in (
        (Failing(), ["v"]),
        (PolynomialFeatures(), ["v"]),
        (PolynomialFeatures(), ["gone"]),
        (object(), ["v"]),
        (TfidfVectorizer(), "s"),
    ):
        both = ColumnTransformer([("a", OneHotEncoder(), ["t"]), ("b", part, columns)])
        ours, theirs = (clone(both, safe=False) for _ in range(2))
        native = direct.Native(".fit_transform", methodcaller("fit_transform"))
        actual = observe(lambda: native(ours, table))  # noqa: B023
        expected = observe(lambda: theirs.fit_transform(table))  # noqa: B023
        assert type(actual.error) is type(expected.error) is not type(None)
        if "object at" not in str(expected.error):
            assert str(actual.error) == str(expected.error)
        assert ours.transformers[1][1] is not None
        assert type(ours.transformers[0][1]) is OneHotEncoder
