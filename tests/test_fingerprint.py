"""Equal tokens, equal values; and nothing else is equal."""

from __future__ import annotations

import binascii
import logging
import operator
import os
import re
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import NamedTuple

import dask
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from dask._task_spec import DataNode
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import (
    ElasticNetCV,
    Lasso,
    LassoCV,
    LinearRegression,
    LogisticRegressionCV,
    Ridge,
)
from sklearn.model_selection import GridSearchCV, KFold, train_test_split
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, NuSVC

import stratum_dask as sd
from stratum_dask.errors import InputChangedError
from stratum_dask.fingerprint import Fingerprinter
from stratum_dask.graph import NODE_TYPES, lower
from stratum_dask.literals import encode


def identities(*delayed):
    graph, _ = lower(list(delayed))
    found = Fingerprinter(NODE_TYPES).identify(graph, {})
    return found, [output.keys[0] for output in graph.outputs]


def token(delayed):
    found, (key,) = identities(delayed)
    return found.tokens[key]


def why_not(delayed):
    found, (key,) = identities(delayed)
    return found.why_not.get(key)


def same(one, two):
    found, (a, b) = identities(one, two)
    return found.tokens[a] == found.tokens[b]


def identity(x):
    return x


DIFFERENT = [
    True, False, 1, 0, 1.0, 0.0, -0.0, float("nan"), float("inf"), 1j, None, "", "1", b"1", b"",
    (), [], {}, set(), frozenset(), (1,), [1], {1}, {1: 2}, {2: 1}, ("a", "b"), ("ab",),
    ["a", ["b"]], [["a"], "b"], slice(1), slice(1, None, 2), range(3),
    np.int64(1), np.int32(1), np.float64(1),
    np.bool_(True), np.array([1]), np.array([1.0]), np.array([[1]]),
    np.array([1, None], dtype=object),
    np.ones((2, 3)), np.ones((3, 2)), np.asfortranarray(np.ones((3, 2))), {"a": 1, "b": 2},
    {"b": 2, "a": 1}, pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]}),
    pd.DataFrame({"a": [1.0]}),
    pd.DataFrame({"a": [1]}, index=[1]), pd.Series([1]), pd.Series([1], name="x"), pd.Series(["x"]),
    pd.Series(["x"], dtype="category"), pd.Series([pd.Timestamp("2020")]), pd.Timestamp("2020"),
    pd.Series([1, None], dtype="Int64"), pd.Series([1, 0], dtype="Int64"), pd.Index([1]),
    pd.RangeIndex(1), pd.Series([None, "x"]), pd.Series(["", "x"]), pd.NaT, pd.NA,
    Ridge(), Ridge(alpha=2), Ridge(alpha=1), Lasso(), StandardScaler(),
    StandardScaler().set_output(transform="pandas"), make_pipeline(StandardScaler(), Ridge()),
    make_pipeline(StandardScaler(), Ridge(alpha=2)), RandomForestRegressor(random_state=0),
    RandomForestRegressor(random_state=1), LinearRegression, StandardScaler, np.log1p, np.log,
    operator.add,
    partial(operator.add, 1), partial(operator.add, 2),
    pd.Series([1]).set_flags(allows_duplicate_labels=False),
    # Long enough for pandas to leave out the middle when it writes them.
    pd.CategoricalDtype(range(300)), pd.CategoricalDtype([*range(149), 150, 149, *range(151, 300)]),
    pd.CategoricalDtype(range(300), ordered=True), pd.CategoricalDtype(["1"]),
    *(kind(([1.0], ([0], [column])), shape=(1, 3)).asformat(form)
      for kind in (scipy.sparse.coo_matrix, scipy.sparse.coo_array)
      for column in (0, 2)
      for form in ("bsr", "coo", "csc", "csr", "dia", "lil")),
    *(Enum("Way", {"ONE": number}).ONE for number in (1, 2)),
    *(np.array((1, 2), dtype=[(name, "i4"), ("b", "i4")])[()] for name in "ax"),
]  # fmt: skip


def test_different_literals_have_different_tokens():
    tokens: dict = {}
    for value in DIFFERENT:
        if isinstance(value, Ridge) and value.alpha == 1 and repr(value) == "Ridge(alpha=1)":
            continue  # alpha=1 and the default 1.0 differ; checked below
        one = token(dask.delayed(identity)(value))
        assert one not in tokens, (value, tokens[one])
        tokens[one] = value
    assert not same(dask.delayed(identity)(Ridge(1)), dask.delayed(identity)(Ridge(1.0)))


@pytest.mark.parametrize("value", DIFFERENT, ids=lambda v: repr(v)[:30].replace("\n", " "))
def test_equal_literals_have_equal_tokens(value):
    import copy

    assert same(dask.delayed(identity)(value), dask.delayed(identity)(copy.deepcopy(value)))


literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def exact(value):
    """Return a text that differs whenever two plain literals can be told apart."""
    return repr(value)


@given(literals, literals)
def test_encodings_are_equal_only_for_equal_literals(one, two):
    assert (encode(one) == encode(two)) == (exact(one) == exact(two))
    assert encode([one, two]) != encode([[one], two])


def test_the_order_of_keywords_counts():
    """It is that of the columns which `assign` adds, and of what `**` catches."""
    frame = pd.DataFrame({"a": [1]})
    batch = [
        dask.delayed(frame).assign(x=1, y=2),
        dask.delayed(frame).assign(y=2, x=1),
        dask.delayed(lambda **given: list(given))(x=1, y=2),
        dask.delayed(lambda **given: list(given))(y=2, x=1),
    ]
    one, two, three, four = dask.compute(*sd.optimize(batch))
    assert [*one] == ["a", "x", "y"] and [*two] == ["a", "y", "x"]
    assert three == ["x", "y"] and four == ["y", "x"]


TEXTS = st.lists(st.none() | st.text(st.sampled_from("aäb\0"), max_size=3), max_size=6)


@given(TEXTS, TEXTS, st.integers(0, 6), st.sampled_from(["str", "string", "string[python]"]))
def test_texts_are_equal_whatever_chunks_they_lie_in(one, two, cut, dtype):
    a, b = (pd.array(texts, dtype=dtype) for texts in (one, two))
    parts = type(a)._concat_same_type([a[:cut], a[cut:]])
    assert encode(parts) == encode(a)
    around = pd.array(["x", *one, "y"], dtype=dtype)
    assert encode(around[1:-1]) == encode(a)
    assert (encode(a) == encode(b)) == (one == two)
    assert encode(a) != encode(pd.array(one, dtype="object"))


def test_strided_arrays():
    rows = np.array([[1, 2, 0], [3, 4, 0]], dtype=object)[:, :2]
    columns = np.array([[1, 3], [2, 4], [0, 0]], dtype=object, order="F")[:2]
    assert rows.ravel(order="K").tolist() == columns.ravel(order="K").tolist()
    assert encode(rows) != encode(columns)
    ones = np.ones((4, 4))[::2, ::2]
    assert encode(ones) == encode(np.ones((4, 4))[::2, ::2])
    # Of other strides are what is computed from it, and its last bits.
    assert encode(ones) != encode(ones.T)


def defined(source):
    scope = {"Enum": Enum, "NamedTuple": NamedTuple, "dataclass": dataclass, "__name__": __name__}
    exec(textwrap.dedent(source), scope)
    return scope["made"]


RECORDS = [
    """
    class Params(NamedTuple):
        alpha: int
        double = property(lambda self: self.alpha * {})
    made = Params(1)
    """,
    """
    class Kind(Enum):
        ONE = 1
        double = property(lambda self: self.value * {})
    made = Kind.ONE
    """,
    """
    class Kind(Enum):
        ONE = 1
        OTHER = {}
    made = Kind.ONE
    """,
    """
    @dataclass
    class Params:
        alpha: int = 1
        def __getitem__(self, name): return {}
    made = Params()
    """,
    """
    @dataclass(frozen=True)
    class Params:
        alpha: int = 1
        FACTOR = {}
    made = Params()
    """,
    """
    @dataclass(order=True)
    class Params:
        alpha: int = 1
    made = Params({})
    """,
]


@pytest.mark.parametrize("source", RECORDS)
def test_records_are_what_their_class_does_and_what_they_hold(source):
    two, again, three = (dask.delayed(identity)(defined(source.format(n))) for n in (2, 2, 3))
    assert why_not(two) is None
    assert same(two, again)
    assert not same(two, three)


@pytest.mark.parametrize("body", ["np.random.rand()", "setattr(self, 'alpha', 2)"])
def test_objects_that_do_more_than_hold_values(body):
    source = (
        "@dataclass\nclass Params:\n alpha: int = 1\n def value(self): return {}\nmade = Params()"
    )
    assert "Params, whose value" in why_not(dask.delayed(identity)(defined(source.format(body))))


def test_what_cannot_be_told_apart_is_kept_apart():
    matrices = [scipy.sparse.eye(1, 3, k=column).todok() for column in (0, 2)]
    assert "dok_matrix" in why_not(dask.delayed(identity)(matrices[0]))
    assert not same(*(dask.delayed(identity)(one) for one in matrices))


def test_same_function_in_two_files_is_the_same(tmp_path):
    source = "import numpy as np\nK = 3\n{}def f(x, y=2):\n    return np.log1p(x) + K + y\n"
    functions = []
    for number, padding in enumerate(("", "\n\n\n# elsewhere\n")):
        scope: dict = {}
        path = tmp_path / f"script{number}.py"
        exec(compile(source.format(padding), str(path), "exec"), scope)
        functions.append(dask.delayed(scope["f"])(1))
    assert same(*functions)


def make(constant):
    return lambda x: x + constant


def test_functions_differ_in_code_closures_defaults_and_globals():
    assert same(dask.delayed(make(1))(0), dask.delayed(make(1))(0))
    assert not same(dask.delayed(make(1))(0), dask.delayed(make(2))(0))
    assert not same(dask.delayed(lambda x: x + 1)(0), dask.delayed(lambda x: x + 2)(0))
    assert not same(dask.delayed(lambda x, y=1: x)(0), dask.delayed(lambda x, y=2: x)(0))
    assert not same(dask.delayed(lambda x: x)(1), dask.delayed(lambda x: x)(True))
    one, two = {"K": 1}, {"K": 2}
    for scope in (one, two):
        exec("def f(x): return x + K", scope)
    assert not same(dask.delayed(one["f"])(0), dask.delayed(two["f"])(0))
    # Through a function that is called.
    for scope in (one, two):
        exec("def g(x): return f(x)", scope)
    assert not same(dask.delayed(one["g"])(0), dask.delayed(two["g"])(0))


def factorial(n):
    return 1 if n < 2 else n * factorial(n - 1)


def with_scale(scale):
    def f(x):
        return x * f.scale

    f.scale = scale
    return f


def test_attributes_of_functions():
    assert same(*(dask.delayed(with_scale(2))(3) for _ in range(2)))
    assert not same(*(dask.delayed(with_scale(scale))(3) for scale in (2, 3)))
    scale = with_scale(2)
    before = token(dask.delayed(lambda x: scale(x))(3))
    scale.scale = 3
    assert token(dask.delayed(lambda x: scale(x))(3)) != before


def test_recursive_functions_and_methods():
    assert same(dask.delayed(factorial)(3), dask.delayed(factorial)(3))
    frame = dask.delayed(pd.DataFrame)({"a": [1]})
    assert same(frame.fillna(0), frame.fillna(0))
    assert not same(frame.fillna(0), frame.fillna(0.0))
    assert not same(frame.fillna(0), frame.clip(0))


def test_estimators_with_and_without_seed():
    x, y = np.arange(6.0).reshape(3, 2), np.arange(3.0)

    def fit(model):
        return dask.delayed(model).fit(x, y)

    assert same(fit(Ridge()), fit(Ridge()))
    assert same(
        fit(RandomForestRegressor(random_state=0)), fit(RandomForestRegressor(random_state=0))
    )
    assert not same(fit(RandomForestRegressor()), fit(RandomForestRegressor()))
    assert "random_state" in why_not(fit(RandomForestRegressor()))
    state = np.random.RandomState(0)
    assert not same(fit(Lasso(random_state=state)), fit(Lasso(random_state=state)))
    fitted = Ridge().fit(x, y)
    assert not same(dask.delayed(fitted).predict(x), dask.delayed(Ridge().fit(x, -y)).predict(x))


@pytest.mark.parametrize(
    ("model", "draws"),
    [
        (LassoCV(cv=3), False),
        (LassoCV(cv=3, selection="random"), True),
        (LassoCV(cv=KFold(3, shuffle=True)), True),
        (ElasticNetCV(cv=3), False),
        (LogisticRegressionCV(cv=3), False),
        (LogisticRegressionCV(cv=3, solver="saga"), True),
        (SVC(), False),
        (NuSVC(nu=0.3), False),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_models_that_draw_nothing_by_these_parameters(model, draws):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4))
    y = (x[:, 0] + rng.normal(size=60) > 0).astype(float)
    reason = why_not(dask.delayed(model).fit(x, y))
    assert (reason is not None) == draws
    if not draws:
        found = []
        for seed in (1, 2):
            np.random.seed(seed)
            found.append(clone(model).fit(x, y).predict(x))
        np.testing.assert_array_equal(*found)


def test_in_place_methods_are_impure():
    frame = dask.delayed(pd.DataFrame)({"a": [1]})
    assert "inplace" in why_not(frame.fillna(0, inplace=True))
    assert why_not(frame.sample(1)) is not None
    assert why_not(frame.sample(1, random_state=0)) is None
    assert "not known to be pure" in why_not(frame.to_csv("x"))


# -- files -------------------------------------------------------------------------------------


def read(path):
    return pd.read_csv(path)


@pytest.mark.parametrize("reader", [pd.read_csv, read], ids=["pandas", "user"])
def test_files_are_their_content(tmp_path, reader):
    one, copy, other = (str(tmp_path / name) for name in ("one.csv", "copy.csv", "other.csv"))
    pd.DataFrame({"a": [1]}).to_csv(one)
    shutil.copy(one, copy)
    pd.DataFrame({"a": [2]}).to_csv(other)
    task = dask.delayed(reader)
    assert same(task(one), task(copy))
    assert not same(task(one), task(other))
    before = token(task(one))
    pd.DataFrame({"a": [3]}).to_csv(one)
    assert token(task(one)) != before
    assert "cannot be read" in why_not(task(str(tmp_path / "missing.csv")))
    assert "URL" in why_not(task("s3://bucket/file.csv"))
    assert "not known at plan time" in why_not(task(dask.delayed(str.lower)(one)))


def test_a_file_that_changes_after_planning_is_not_shared(tmp_path):
    path = str(tmp_path / "data.csv")
    pd.DataFrame({"a": [1]}).to_csv(path)
    after = sd.optimize([dask.delayed(read)(path)["a"].sum() for _ in range(2)])
    os.utime(path)  # touched, not changed
    assert dask.compute(*after) == (1, 1)
    pd.DataFrame({"a": [5]}).to_csv(path)
    with pytest.raises(InputChangedError, match=r"data\.csv"):
        dask.compute(*after)


# -- across processes --------------------------------------------------------------------------

SCRIPT = """
    import dask, numpy as np, pandas as pd
    from sklearn.linear_model import Ridge
    from stratum_dask.fingerprint import Fingerprinter
    from stratum_dask.graph import NODE_TYPES, lower
    KINDS = {"a", "b", "c"}
    def f(x, kinds=frozenset({"x", "y", "z"})):
        return [k for k in x if k in {"one", "two", "three"}] + sorted(KINDS)
    frame = pd.DataFrame({"a": [1.5], "b": ["x"]})
    batch = [dask.delayed(f)({"p", "q", "r"}), dask.delayed(np.log1p)(frame["a"]),
             dask.delayed(Ridge(alpha=2)).fit(frame[["a"]], frame["a"])]
    graph, _ = lower(batch)
    found = Fingerprinter(NODE_TYPES).identify(graph, {})
    print(*(found.tokens[o.keys[0]].hex() for o in graph.outputs), sorted(found.why_not.values()))
"""


def test_tokens_are_the_same_in_every_process(tmp_path):
    outputs = set()
    for seed in ("0", "1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(SCRIPT)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert "[]" in outputs.pop()


def test_a_list_that_holds_itself_is_kept_apart():
    endless: list = []
    endless.append(endless)
    graph, _ = lower({"data": DataNode("data", endless)})
    found = Fingerprinter(NODE_TYPES).identify(graph, {})
    assert found.why_not == {"data": "a literal is nested too deeply"}


def test_numeric_class_is_a_part_of_the_identity(monkeypatch):
    call = dask.delayed(np.log1p)(1.0)
    here = token(call)
    monkeypatch.setattr("stratum_dask.fingerprint.numeric_class", lambda: b"another machine.")
    assert token(call) != here


def helper(x):
    return x + 1


def uses_helper(x):
    return helper(x)


def test_remembered_functions_are_looked_at_again_when_something_changed(monkeypatch):
    call = dask.delayed(uses_helper)(1)
    first = token(call)
    assert token(call) == first
    monkeypatch.setitem(globals(), "helper", lambda x: x + 2)
    second = token(call)
    assert second != first
    monkeypatch.undo()
    assert token(call) == first
    monkeypatch.setattr(helper, "__code__", (lambda x: x + 3).__code__)
    assert token(call) not in (first, second)
    monkeypatch.undo()
    monkeypatch.setattr(helper, "__defaults__", (4,))
    assert token(call) not in (first, second)
    monkeypatch.undo()
    sd.impure(helper)
    assert "declared impure" in why_not(call)


NESTED = ({"by": 1},)


def test_what_constants_hold_may_change(monkeypatch):
    call = dask.delayed(lambda x: x + NESTED[0]["by"])(1)
    before = token(call)
    monkeypatch.setitem(NESTED[0], "by", 2)
    assert token(call) != before


def record(records, x):
    records.append(x)
    return len(records)


@pytest.mark.parametrize(
    "func",
    [
        partial(record, []),
        partial(record, x=1),
        partial(np.log1p, out=np.zeros(3)),
        partial(pd.DataFrame.fillna, value=0, inplace=True),
    ],
)
def test_what_partials_change(func):
    reason = why_not(dask.delayed(func)(1))
    assert (reason is None) == (func.keywords == {"x": 1})


def fitted_forest(x, params):
    return RandomForestRegressor(**params).fit(x, x[0])


@pytest.mark.parametrize(
    ("params", "pure"),
    [({}, False), ({"random_state": None}, False), ({"max_depth": 3, "random_state": 0}, True)],
)
def test_seeds_that_dicts_hold(params, pure):
    reason = why_not(dask.delayed(fitted_forest)([[1]], params))
    assert reason is None if pure else "params holds no int random_state" in reason


class Settings:
    depth = 3


def with_settings(x):
    return x * Settings.depth


def test_what_classes_hold_is_part_of_functions(monkeypatch):
    before = token(dask.delayed(with_settings)(1))
    monkeypatch.setattr(Settings, "depth", 4)
    assert token(dask.delayed(with_settings)(1)) != before


@pytest.mark.parametrize("name", ["lightgbm.LGBMRegressor", "xgboost.XGBRegressor"])
def test_boosters_in_functions(name):
    module, _, kind = name.partition(".")
    scope = {"model": getattr(pytest.importorskip(module), kind)}
    exec("def f(x, y): return model(n_estimators=3).fit(x, y).predict(x)", scope)
    assert why_not(dask.delayed(scope["f"])([[1]], [2])) is None


PATTERN = re.compile("a+")


def test_selectors_of_columns_are_what_they_ask_for():
    def fit(**asked):
        selector = make_column_selector(**asked)
        model = make_column_transformer((StandardScaler(), selector))
        return dask.delayed(model).fit(pd.DataFrame({"a": [1.0]}))

    assert why_not(fit(dtype_include="number")) is None
    assert same(fit(dtype_include="number"), fit(dtype_include="number"))
    different = [{"dtype_include": float}, {"dtype_exclude": "number"}, {"pattern": "a"}]
    tokens = {token(fit(**asked)) for asked in different}
    assert len(tokens) == 3 and token(fit(dtype_include="number")) not in tokens


def test_patterns_and_loggers():
    log = logging.getLogger("test")

    def count(text):
        log.info("counting")
        return len(PATTERN.findall(text))

    assert same(*(dask.delayed(count)("aba") for _ in range(2)))
    assert not same(*(dask.delayed(identity)(re.compile("a", flags)) for flags in (0, re.I)))


def shuffled(values):
    return np.random.permutation(values)


def apply(values, func=None):
    return func(values)


def fit(X, y, model):
    return clone(model).fit(X, y)


STEPS = [shuffled]
MODELS = {"forest": RandomForestRegressor(3), "ridge": Ridge()}
CLASSES = {"forest": RandomForestRegressor}


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda x: STEPS[0](x), "numpy.random.permutation"),
        (partial(apply, func=shuffled), "numpy.random.permutation"),
        (lambda x, func=shuffled: list(map(func, x)), "numpy.random.permutation"),
        (partial(apply, func=FunctionTransformer(np.random.permutation)), "permutation"),
        (lambda x: clone(MODELS["forest"]).fit(x), "draws randomness"),
        (lambda x, model=MODELS["forest"]: clone(model).fit(x), "draws randomness"),
        (lambda x: CLASSES["forest"]().fit(x), "draws randomness"),
        (partial(fit, model=MODELS["forest"]), "draws randomness"),
        (partial(apply, func=RandomForestRegressor), "draws randomness"),
        (partial(train_test_split, test_size=0.5), "without an int random_state"),
        (partial(apply, func=train_test_split), "takes a seed"),
        (partial(apply, func=pd.read_csv), "reads a path"),
    ],
)
def test_what_a_function_holds_and_may_call_counts(call, reason):
    """In containers, defaults, partials and estimators: nobody says when it is called."""
    assert reason in why_not(dask.delayed(call)(1))


@pytest.mark.parametrize("value", [shuffled, MODELS["forest"], RandomForestRegressor, Ridge])
def test_impure_arguments(value):
    assert why_not(dask.delayed(apply)([1], value)) is not None


def test_pure_things_that_are_held_are_fine():
    table = {"log": np.log1p, "mine": identity, "ridge": Ridge()}
    for call in (lambda x: table["mine"](x), partial(apply, func=identity)):
        assert why_not(dask.delayed(call)(1)) is None
    assert why_not(dask.delayed(partial(train_test_split, random_state=0))([1])) is None


def test_estimators_that_tasks_make():
    def fitted(**params):
        return dask.delayed(RandomForestRegressor)(**params).fit([[1]], [2])

    assert same(fitted(random_state=0), fitted(random_state=0))
    assert not same(fitted(), fitted())
    assert not same(fitted(random_state=None), fitted(random_state=None))
    assert same(*(dask.delayed(Ridge)(alpha=2).fit([[1]], [2]) for _ in range(2)))


class Guess(BaseEstimator):
    def fit(self, X, y=None):
        self.guess_ = np.random.rand()
        return self


def make_guess():
    return Guess()


def make_forest():
    return RandomForestRegressor(3)


def fit_it(model, x):
    return model.fit(x, x[0]).score(x, x[0])


MAKERS = [
    lambda: dask.delayed(make_pipeline)(StandardScaler(), RandomForestRegressor(3)),
    lambda: dask.delayed(make_pipeline)(StandardScaler(), dask.delayed(make_guess)()),
    lambda: dask.delayed(make_pipeline)(StandardScaler(), dask.delayed(RandomForestRegressor)()),
    lambda: dask.delayed(make_forest)(),
    lambda: dask.delayed(Guess)(),
    lambda: dask.delayed(Guess()),
    lambda: dask.delayed({"model": RandomForestRegressor(3)})["model"],
    lambda: dask.delayed(dict)(model=RandomForestRegressor(3))["model"],
    lambda: dask.delayed(Ridge()).set_params(solver="sag"),
    lambda: dask.delayed(RandomForestRegressor(random_state=0)).set_params(random_state=None),
    lambda: dask.delayed(
        GridSearchCV(Pipeline([("model", Ridge())]), {"model": [RandomForestRegressor()]})
    ),
    lambda: dask.delayed(GridSearchCV(Ridge(), {"solver": ["cholesky", "sag"]})),
    lambda: dask.delayed(GridSearchCV(RandomForestRegressor(random_state=0),
                                      {"random_state": [1, None]})),
]  # fmt: skip


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("fit", [lambda m: m.fit([[1]]), lambda m: dask.delayed(fit_it)(m, [[1]])])
def test_each_fit_draws_anew(make, fit):
    """The value of such a task draws randomness each time that it is fitted."""
    model = make()
    assert not same(fit(model), fit(model))


def test_what_is_made_of_what_was_drawn_once_is_shared():
    def candidate(parts):
        return dask.delayed(fit_it)(Ridge(), dask.delayed(np.asarray)(parts[0]))

    parts = dask.delayed(train_test_split)([1, 2, 3])
    assert same(candidate(parts), candidate(parts))
    assert not same(candidate(parts), candidate(dask.delayed(train_test_split)([1, 2, 3])))
    seeded = dask.delayed(Ridge()).set_params(alpha=2.0)
    assert same(seeded.fit([[1]]), seeded.fit([[1]]))
    grid = GridSearchCV(Ridge(random_state=0), {"solver": ["sag"], "random_state": [1, 2]})
    assert same(*(dask.delayed(grid).fit([[1]]) for _ in range(2)))


def test_iterators_that_tasks_make(tmp_path):
    """Two candidates could not both go through one."""
    path = tmp_path / "data.csv"
    path.write_text("a\n1\n2\n3\n")

    def batch():
        chunks = dask.delayed(pd.read_csv)(str(path), chunksize=2)
        folds = dask.delayed(KFold)(2).split([1, 2])
        return [
            dask.delayed(lambda n, it: (n, len(list(it))))(n, it)
            for n, it in enumerate((chunks, folds))
        ]

    results = dask.compute(*sd.optimize([*batch(), *batch()]))
    assert results == ((0, 2), (1, 2)) * 2


def test_the_clock_is_looked_at_by_everyone():
    for text in ("now", "today"):
        assert "clock" in why_not(dask.delayed(pd.to_datetime)(text))
    assert why_not(dask.delayed(pd.to_datetime)("2024-02-29")) is None


class Scale:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return x * self.factor


class Shift:
    def __init__(self, by):
        self.by = by

    def __call__(self, x):
        return x + self.by


def test_declared_objects_are_what_they_hold():
    double, again, triple, one, two = Scale(2), Scale(2), Scale(3), Shift(2), Shift(object())
    for each in (double, again, triple, one, two, binascii.hexlify, binascii.b2a_hex, Scale, Shift):
        sd.pure(each)
    call = [dask.delayed(each)(3) for each in (double, again, triple, one, Scale, Shift)]
    assert same(call[0], call[1])
    tokens = [token(each) for each in call[1:]]
    assert len({*tokens}) == len(tokens)
    assert not same(*(dask.delayed(f)(b"a") for f in (binascii.hexlify, binascii.b2a_base64)))
    assert same(*(dask.delayed(binascii.hexlify)(b"a") for _ in range(2)))
    assert "cannot be identified" in why_not(dask.delayed(two)(3))


def test_content_counts_through_partials_of_readers(tmp_path):
    path = tmp_path / "data.csv"

    def read():
        return dask.delayed(partial(pd.read_csv, sep=";"))(str(path))

    path.write_text("a;b\n1;2\n")
    before = token(read())
    path.write_text("a;b\n1;3\n")
    assert token(read()) != before


def scaler_of(base, **attributes):
    """Return an object of a class called Own, which a user derived from another."""
    return type("Own", (base,), {"__module__": __name__, **attributes})()


def test_classes_are_what_they_are_derived_from():
    one, two = scaler_of(KNeighborsClassifier), scaler_of(KNeighborsRegressor)
    assert vars(one) == vars(two)
    fits = [dask.delayed(sd.pure(lambda model: model.n_neighbors))(each) for each in (one, two)]
    assert not same(*fits)
    assert same(*(dask.delayed(bool)(scaler_of(KNeighborsClassifier)) for _ in range(2)))


class Centre(StandardScaler):
    def fit(self, X, y=None, sample_weight=None):
        return super().fit(X, y, sample_weight)

    def fresh(self):
        return Centre()


class Plain:
    def fresh(self):
        return Other(), Plain()

    def __call__(self, x):
        return x


class Other:
    def fresh(self):
        return Plain()


@pytest.mark.parametrize("kind", [Centre, Plain, Other])
def test_declared_classes_may_name_themselves(kind, monkeypatch):
    for each in (Centre, Plain, Other):
        sd.pure(each)
    assert why_not(dask.delayed(kind)()) is None
    assert same(dask.delayed(kind)(), dask.delayed(kind)())
    assert why_not(dask.delayed(identity)(Centre())) is None
    assert not same(dask.delayed(Plain)(), dask.delayed(Other)())
