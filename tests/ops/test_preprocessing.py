"""Estimators fitted and applied natively can't be told apart from scikit-learn's own work."""

from __future__ import annotations

import pickle
import warnings

import dask
import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import BaseCrossValidator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

import stratum_dask as sd
from stratum_dask.ops import counters, direct
from stratum_dask.ops.direct.preprocessing import entries
from stratum_dask.ops.fitting import fit
from stratum_dask.ops.steps import Unsupported
from tests.ops.oracle import assert_same, observe


@pytest.fixture(autouse=True, scope="module")
def _small_tables_too():
    worth, entries.WORTH = entries.WORTH, 0
    yield
    entries.WORTH = worth


NUMBERS = [0.0, -0.0, 1.0, -1.0, 2.5, 1e-300, 1e200, 5e-324]
WORDS = ["", "a", "b", "B", "zz", "é", "long enough for two words", "aaaaaaaa"]


def assert_same_matrix(actual, expected):
    if not sparse.issparse(expected):
        assert_same(actual, expected)
        if isinstance(expected, np.ndarray):
            assert actual.flags.f_contiguous == expected.flags.f_contiguous
            assert actual.flags.writeable
        return
    assert type(actual) is type(expected)
    assert actual.shape == expected.shape
    for part in ("data", "indices", "indptr"):
        assert_same(getattr(actual, part), getattr(expected, part))
    assert actual.has_sorted_indices == expected.has_sorted_indices
    assert actual.has_canonical_format == expected.has_canonical_format


def assert_same_state(actual, expected, path=""):
    """All that an estimator holds, with exact types."""
    assert type(actual) is type(expected), path
    if isinstance(expected, BaseEstimator):
        assert_same_state(vars(actual), vars(expected), f"{path}.{type(expected).__name__}")
    elif isinstance(expected, BaseCrossValidator):
        assert_same_state(vars(actual), vars(expected), path)
    elif isinstance(expected, dict):
        assert list(actual) == list(expected), path
        for key in expected.keys() - {"_stop_words_id"}:  # the place of a list in memory
            assert_same_state(actual[key], expected[key], f"{path}.{key}")
    elif isinstance(expected, list | tuple):
        assert len(actual) == len(expected), path
        for i, (one, other) in enumerate(zip(actual, expected, strict=True)):
            assert_same_state(one, other, f"{path}[{i}]")
    elif isinstance(expected, np.ndarray | np.generic | float):
        assert np.shape(actual) == np.shape(expected), path
        assert_same(np.asarray(actual), np.asarray(expected))
    elif isinstance(expected, make_column_selector):
        assert_same_state(vars(actual), vars(expected), path)
    else:
        assert actual == expected, path


def native(method, estimator, *args):
    """Call a method as a task does; tell whether it ran natively."""
    counters.reset()
    op = "." + method
    value = direct.Native(op, lambda e, *a: getattr(e, method)(*a))(estimator, *args)
    return value, op in counters.snapshot().hits


def check(estimator, train, test):
    """Compare fit_transform, fit and transform with scikit-learn; return which ran natively."""
    ran = {}
    ours, theirs = clone(estimator), clone(estimator)
    before = train.copy(), test.copy()

    def mine(method, *args):
        ran[method] = False
        value, ran[method] = native(method, ours, *args)
        return value

    def both(method, frame):
        actual = observe(lambda: mine(method, frame))
        expected = observe(lambda: getattr(theirs, method)(frame))
        if expected.error is not None:
            assert type(actual.error) is type(expected.error)
            if "unknown categories" not in str(expected.error):  # listed in the order of a set
                assert str(actual.error) == str(expected.error)
        elif actual.error is not None:
            raise actual.error
        elif method == "fit":
            assert actual.value is ours
        else:
            assert_same_matrix(actual.value, expected.value)
        assert actual.warned == expected.warned
        return expected.error is None

    if both("fit_transform", train):
        assert_same_state(ours, theirs)
        both("transform", test)
        alone = pickle.loads(pickle.dumps(ours))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert_same_matrix(alone.transform(train), theirs.transform(train))
        ours, theirs = clone(estimator), clone(estimator)
        assert both("fit", train)
        assert_same_state(ours, theirs)
    for frame, copy in zip((train, test), before, strict=True):
        pd.testing.assert_frame_equal(frame, copy, check_exact=True)
    return ran


# -- random data and estimators ------------------------------------------------------------------


def table(seed, rows, missing, few):
    """Return a frame of three columns of numbers and two of strings."""
    rng = np.random.default_rng(seed)

    def holes():
        return rng.random(rows) < missing * rng.integers(0, 2)

    def numbers():
        kind = rng.integers(0, 5)
        if kind == 0:
            return rng.integers(-100, 100, rows)
        if kind == 4:
            return rng.random(rows) < 0.3
        if kind == 1:
            return rng.integers(-100, 100, rows).astype("int8")
        values = rng.normal(5, 1e3, rows) if kind == 2 else rng.choice(NUMBERS[:few], rows)
        return np.where(holes(), np.nan, values)

    def strings():
        return pd.array(np.where(holes(), None, rng.choice(WORDS[:few], rows)), dtype="str")

    return pd.DataFrame(
        {
            **{name: numbers() for name in "xyz"},
            "i": rng.integers(0, few, rows),
            "j": rng.integers(-few, 1, rows).astype("int8"),
            "b": rng.random(rows) < missing,
            **{name: strings() for name in "st"},
        }
    )


@st.composite
def frames(draw):
    rows, few = st.integers(1, 300), st.integers(1, len(WORDS))
    missing = draw(st.sampled_from([0, 0.2, 0.7, 1]))
    seed = draw(st.integers(0, 2**32))
    train = table(seed, draw(rows), missing, draw(few))
    test = table(seed if draw(st.booleans()) else seed + 1, draw(rows), missing, draw(few))
    if draw(st.booleans()):  # several chunks of strings, of which the first begins later
        train = pd.concat([train.iloc[1:], train.iloc[:1]])
    return train, test


NUMERIC_STEPS = st.one_of(
    st.builds(SimpleImputer, strategy=st.sampled_from(["mean", "median", "constant"])),
    st.builds(StandardScaler, with_mean=st.booleans(), with_std=st.booleans()),
    st.builds(MinMaxScaler, feature_range=st.sampled_from([(0, 1), (-1.5, 2)])),
    st.builds(RobustScaler, with_centering=st.booleans(), with_scaling=st.booleans()),
)
FILL = st.one_of(
    st.builds(SimpleImputer, strategy=st.just("most_frequent")),
    st.builds(
        SimpleImputer,
        strategy=st.just("constant"),
        fill_value=st.sampled_from([None, "b", "gone"]),
    ),
)
ENCODE = st.one_of(
    st.builds(
        OneHotEncoder,
        handle_unknown=st.sampled_from(["ignore", "error", "infrequent_if_exist", "warn"]),
        drop=st.sampled_from([None, None, "first", "if_binary"]),
        sparse_output=st.booleans(),
    ),
    st.builds(
        OrdinalEncoder,
        handle_unknown=st.just("use_encoded_value"),
        unknown_value=st.sampled_from([-1, 100, np.nan]),
        encoded_missing_value=st.sampled_from([-2, np.nan]),
    ),
    st.builds(OrdinalEncoder),
)
NUMERIC = st.one_of(
    NUMERIC_STEPS, st.lists(NUMERIC_STEPS, min_size=1, max_size=3).map(lambda s: make_pipeline(*s))
)
ENCODED = st.one_of(ENCODE, st.builds(make_pipeline, FILL, ENCODE))
PARTS = st.lists(
    st.one_of(
        st.tuples(NUMERIC, st.lists(st.sampled_from("xyz"), min_size=1, unique=True)),
        st.tuples(ENCODED, st.lists(st.sampled_from("st"), min_size=1, unique=True)),
        st.tuples(ENCODE, st.lists(st.sampled_from("bijst"), min_size=1, unique=True)),
        st.tuples(NUMERIC, st.just(make_column_selector(dtype_include="number"))),
        st.tuples(NUMERIC, st.just(make_column_selector(dtype_include=["number", "bool"]))),
        st.tuples(st.just("drop"), st.just(["x"])),
    ),
    min_size=1,
    max_size=4,
)
TABLE = st.builds(
    lambda parts, threshold: ColumnTransformer(
        [(f"p{i}", part, columns) for i, (part, columns) in enumerate(parts)],
        sparse_threshold=threshold,
    ),
    PARTS,
    st.sampled_from([0.0, 0.3, 0.6, 1.0]),
)
SLOW = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


def tell(ran):
    event(f"natively: {', '.join(method for method, was in ran.items() if was) or 'nothing'}")


@SLOW
@given(frames(), NUMERIC)
def test_numbers(data, estimator):
    tell(check(estimator, *(frame[["x", "y", "z"]] for frame in data)))


@SLOW
@given(frames(), ENCODED)
def test_strings(data, estimator):
    tell(check(estimator, *(frame[["s", "t"]] for frame in data)))


@SLOW
@given(frames(), ENCODE, st.lists(st.sampled_from("ijstx"), min_size=1, unique=True))
def test_strings_and_integers(data, estimator, columns):
    tell(check(estimator, *(frame[columns] for frame in data)))


@SLOW
@given(frames(), TABLE)
def test_tables(data, estimator):
    tell(check(estimator, *data))


# -- what must run natively ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def flights():
    rng = np.random.default_rng(0)
    n = 5_000
    delay = rng.normal(10, 30, n).round()
    delay[rng.random(n) < 0.1] = np.nan
    words = np.array(["UA", "AA", "B6", "a carrier with a long name", None], dtype=object)
    return pd.DataFrame(
        {
            "delay": delay,
            "distance": rng.integers(80, 5_000, n),
            "hour": rng.integers(0, 24, n).astype("int8"),
            "air_time": rng.normal(150, 90, n),
            "late": delay > 15,
            "carrier": pd.array(words[rng.integers(0, 5, n)], dtype="str"),
            "tail": pd.array([f"N{i}" for i in rng.integers(0, 900, n)], dtype="str"),
        }
    )


def chain(**options):
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    strings = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    )
    return ColumnTransformer(
        [("n", numbers, ["delay", "distance", "air_time"]), ("s", strings, ["carrier", "tail"])],
        **options,
    )


NATIVE = {
    "chain": (chain(), None),
    "dense chain": (chain(sparse_threshold=0), None),
    "standard": (StandardScaler(), ["delay", "distance"]),
    "minmax": (MinMaxScaler(), ["delay", "distance"]),
    "robust": (RobustScaler(), ["delay", "distance"]),
    "median": (SimpleImputer(strategy="median"), ["delay", "distance"]),
    "mean": (SimpleImputer(), ["delay", "distance"]),
    "constant": (SimpleImputer(strategy="constant", fill_value=-1.0), ["delay", "distance"]),
    "onehot": (OneHotEncoder(), ["carrier", "tail"]),
    "dense onehot": (OneHotEncoder(sparse_output=False, drop="first"), ["carrier"]),
    "ordinal": (OrdinalEncoder(), ["carrier", "tail"]),
    "integers": (OneHotEncoder(drop="first"), ["distance", "hour"]),
    "integers and strings": (OrdinalEncoder(), ["hour", "carrier"]),
    "one column": (StandardScaler(), ["delay"]),
    "bools": (StandardScaler(), ["late", "delay", "distance"]),
    "bools alone": (MinMaxScaler(), ["late"]),
    "bools and gaps": (SimpleImputer(strategy="median"), ["late", "delay", "distance"]),
}


@pytest.mark.parametrize("name", NATIVE)
def test_runs_natively(name, flights):
    estimator, columns = NATIVE[name]
    frame = flights if columns is None else flights[columns]
    assert check(estimator, frame, frame.iloc[100:900]) == {
        "fit_transform": True,
        "transform": True,
        "fit": True,
    }


@pytest.mark.parametrize("model", [Ridge(), LogisticRegression()])
def test_pipelines_end_in_models(model, flights):
    y = (flights["distance"] > 2_000).astype(int)
    ours, theirs = (make_pipeline(chain(), clone(model)) for _ in range(2))
    test, truth = flights.iloc[1_000:1_500], y.iloc[1_000:1_500]
    assert native("fit", ours, flights, y) == (ours, True)
    theirs.fit(flights, y)
    assert_same_state(ours, theirs)
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(theirs, method):
            actual, ran = native(method, ours, test)
            assert ran
            assert_same_matrix(actual, getattr(theirs, method)(test))
    assert native("score", ours, test, truth) == (theirs.score(test, truth), True)


def test_fits_clones(flights):
    estimator = chain()
    counters.reset()
    fitted = direct.Native("stratum.fit", fit)(estimator, flights)
    assert counters.snapshot().hits == {"stratum.fit": 1}
    assert_same_state(estimator, chain())
    assert_same_state(fitted, chain().fit(flights))


def test_pipelines_end_in_other_transformers(flights):
    numbers = flights[["distance", "delay"]]
    ours, theirs = (
        make_pipeline(SimpleImputer(), PCA(1, svd_solver="covariance_eigh")) for _ in range(2)
    )
    actual, ran = native("fit_transform", ours, numbers)
    assert ran
    assert_same_matrix(actual, theirs.fit_transform(numbers))
    assert_same_state(ours, theirs)
    actual, ran = native("transform", ours, numbers)
    assert ran
    assert_same_matrix(actual, theirs.transform(numbers))


def test_a_models_error_is_its_own(flights):
    pipeline = make_pipeline(chain(), LogisticRegression())
    with pytest.raises(ValueError, match="at least 2 classes"):
        native("fit", pipeline, flights, np.zeros(len(flights)))


LEFT = {
    "set_output": (StandardScaler().set_output(transform="pandas"), "set_output"),
    "parameters": (SimpleImputer(add_indicator=True), "parameters"),
    "infrequent": (OneHotEncoder(min_frequency=3), "infrequent categories"),
    "dtype": (OneHotEncoder(dtype=np.float32), "dtype"),
    "strings in numbers": (StandardScaler(), "ValueError while fitting"),
}


@pytest.mark.parametrize("name", LEFT)
def test_leaves_to_scikit_learn(name, flights):
    estimator, reason = LEFT[name]
    frame = flights[["carrier"]] if name in ("infrequent", "dtype", "strings in numbers") else None
    frame = flights[["delay"]] if frame is None else frame
    with pytest.raises(Unsupported, match=reason):
        direct.call(".fit_transform", (clone(estimator), frame), {})
    check(estimator, frame, frame)


def test_leaves_other_inputs_to_scikit_learn(flights):
    numbers = flights[["delay", "distance"]]
    rows_together = pd.DataFrame(np.arange(20.0).reshape(10, 2), columns=["a", "b"], copy=False)
    infinite = numbers.assign(delay=np.inf)
    for frame in (rows_together, infinite, numbers.assign(delay=np.nan), numbers.iloc[:0]):
        with pytest.raises(Unsupported):
            direct.call(".fit_transform", (StandardScaler(), frame), {})
        check(StandardScaler(), frame, frame)
    with pytest.raises(Unsupported, match="ndarray"):
        direct.call(".fit_transform", (StandardScaler(), numbers.to_numpy()), {})
    fitted = StandardScaler().fit(numbers)
    with pytest.raises(Unsupported, match="other columns"):
        direct.call(".transform", (fitted, numbers[["distance", "delay"]]), {})
    with sklearn.config_context(transform_output="pandas"), pytest.raises(Unsupported):
        direct.call(".transform", (fitted, numbers), {})


def test_leaves_few_rows_to_scikit_learn(flights, monkeypatch):
    monkeypatch.setattr(entries, "WORTH", 2_000)
    with pytest.raises(Unsupported, match="few rows"):
        direct.call(".fit", (StandardScaler(), flights[["delay"]].iloc[:2_000]), {})
    assert native("fit", StandardScaler(), flights[["delay"]])[1]


def test_unknown_categories_are_scikit_learns_error(flights):
    encoder = OneHotEncoder().fit(flights[["carrier"]].dropna())
    with pytest.raises(ValueError, match=r"Found unknown categories \['XX'\] in column 0"):
        native("transform", encoder, pd.DataFrame({"carrier": ["UA", "XX"]}))


def test_columns_are_found_by_name(flights):
    ours, theirs = chain(), chain().fit(flights)
    native("fit", ours, flights)
    moved = flights[flights.columns[::-1]].assign(extra=1)
    actual, ran = native("transform", ours, moved)
    assert ran
    assert_same_matrix(actual, theirs.transform(moved))
    with pytest.raises(ValueError, match="columns are missing"):
        native("transform", ours, flights.drop(columns="delay"))


def test_sparse_arrays_where_they_are_configured(flights):
    if "sparse_interface" not in sklearn.get_config():
        pytest.skip("this scikit-learn knows only sparse matrices")
    with sklearn.config_context(sparse_interface="sparray"):
        check(OneHotEncoder(), flights[["carrier"]], flights[["carrier"]])
        check(chain(), flights, flights)


def test_batches_fit_copies_natively(flights):
    """Estimators that candidates share are protected, and still fitted natively."""
    columns = [["delay", "distance"], ["air_time"]]
    expected = [StandardScaler().fit_transform(flights[names]).sum(axis=0) for names in columns]
    scaler = dask.delayed(StandardScaler())
    batch = []
    for names in columns:
        numbers = dask.delayed(flights)[names]
        batch.append(scaler.fit(numbers).transform(numbers).sum(axis=0))
    counters.reset()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        actual = dask.compute(*sd.optimize(batch))
    for one, other in zip(actual, expected, strict=True):
        assert_same(one, other)
    assert counters.snapshot().hits.get(".fit") == 2
    assert counters.snapshot().hits.get(".transform") == 2
    explanation = sd.explain(batch)
    assert "select_native" in str(explanation)


def test_select_native_leaves_others_alone(flights):
    before = [dask.delayed(flights).describe()]
    (after,) = sd.optimize(before)
    functions = [getattr(task, "func", None) for task in dict(after.dask).values()]
    assert not any(isinstance(func, direct.Native) for func in functions)


def test_what_has_no_native_form_is_no_fallback(flights):
    counters.reset()
    numbers = flights[["distance"]]
    assert direct.Native(".fit", lambda e, *a: e.fit(*a))(Ridge(), numbers, numbers)
    assert counters.snapshot() == counters.Counters({}, {})
