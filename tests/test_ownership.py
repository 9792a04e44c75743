"""Which parameters a function may change: too many at most, never too few."""

from __future__ import annotations

import functools
import logging
import sys
from functools import partial, reduce

import dask
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import stratum_dask as sd
from stratum_dask.bytecode import effects
from stratum_dask.edits import Edits
from stratum_dask.fingerprint import Fingerprinter
from stratum_dask.graph import NODE_TYPES, lower
from stratum_dask.writers import may_write

LIST: list = []
log = logging.getLogger(__name__)
ANY = None

CASES = [
    ("df['x'] = 0", {"df"}),
    ("df = df.copy(); df['x'] = 0", set()),
    ("if y: df = df.copy()\n df['x'] = 1", {"df"}),
    ("df = df.assign(a=1); df.insert(0, 'x', y)", set()),
    ("for c in y: df = df.drop(columns=c)\n df['x'] = 0", {"df"}),
    ("df = df.copy()\n for c in ['a', 'b']: df[c] = np.log1p(df[c])", set()),
    ("m = Ridge(alpha=2.0); m.fit(df, y); return m", set()),
    ("m = Ridge(alpha=2.0, copy_X=False).fit(df, y)", {"df", "y"}),
    ("y.fit(df)", {"y"}),
    ("return df.add_suffix('_x')", set()),
    ("out = {}\n for c in y: out[c] = df[c].fillna(0)\n return pd.DataFrame(out)", set()),
    ("x = df['a']; x[0] = 1", {"df"}),
    ("df = df.copy(); df['cells'].append(1)", {"df"}),
    ("box = {}; box['k'] = df; box['k'].append(1)", {"df"}),
    ("box = [df]; box[0].append(1)", {"df"}),
    ("pair = (df, y); first, second = pair; second.append(1)", {"df", "y"}),
    ("a = df.reshape(-1); a[0] = 1", {"df"}),
    ("a = np.asarray(df); a[0] = 1", {"df"}),
    ("a = np.array(df); a[0] = 1", set()),
    ("a = df[1:3]; a += 1", {"df"}),
    ("df += 1", {"df"}),
    ("df = df * 1; df += 1", set()),
    ("df.fillna(0, inplace=True)", {"df"}),
    ("df = df.copy(); df.fillna(0, inplace=True)", set()),
    ("np.log1p(y, out=df)", {"df", "y"}),
    ("df.fillna(0, **y)", {"df", "y"}),
    ("y(df)", {"df"}),
    ("total = 0\n for a, b in zip(df, y): total += a * b\n return total", set()),
    ("for x in df: x.append(2)", {"df"}),
    ("for i, x in enumerate(df): x[i] = 0", {"df"}),
    ("out = []\n for x in df: out.append(x * 2)\n return out", set()),
    ("return [df[c].mean() for c in df.columns]", set()),
    ("return df.assign(x=lambda d: d['a'] * 2)", set()),
    ("[x.append(1) for x in df]", ANY if sys.version_info < (3, 12) else {"df"}),
    ("edit = lambda d: d.append(1); edit(df)", ANY),
    ("while len(y) > 3: y = y[1:]\n return y", set()),
    ("df['k'].add(1)", {"df"}),
    ("s = set(); s.add(y); return len(s)", set()),
    ("df.partition(1)", {"df"}),
    ("np.log1p(df, df)", {"df"}),
    ("np.clip(df, 0, 1, df)", {"df"}),
    ("np.nan_to_num(df, False)[0] = 1", {"df"}),
    ("return np.nan_to_num(df, copy=False).sum()", {"df"}),
    ("return np.nan_to_num(df, nan=0).sum()", set()),
    ("return df.clip(0, 1, df).sum()", {"df"}),
    ("return df.clip(0, 1).sum()", set()),
    ("list.append(df, 1)", {"df"}),
    ("dict.update(df, y)", {"df", "y"}),
    ("pd.DataFrame.insert(df, 0, 'x', 1)", {"df"}),
    ("pd.DataFrame.fillna(df, 0, inplace=True)", {"df"}),
    ("return pd.DataFrame.fillna(df, 0)", set()),
    ("import numpy as n\n return [n.log1p(df[c]).sum() for c in df]", set()),
    ("a = df.astype(float, copy=False); a += 1", {"df"}),
    ("a = np.array(df, copy=None); a += 1", {"df"}),
    ("a = np.atleast_2d(df); a += 1", {"df"}),
    ("a, b = np.split(df, 2); a += 1", {"df"}),
    ("list(map(edit, df))", {"df"}),
    ("df['k'].map(edit)", {"df"}),
    ("df['k'].map(list.clear)", {"df"}),
    ("df['k'].map(len)", set()),
    ("return sorted(y, key=edit)", {"y"}),
    ("k = {'copy_X': False}; Ridge(**k).fit(df, y)", {"df", "y"}),
    ("k = {'sample_weight': y}; return Ridge().fit(df, y, **k)", set()),
    ("df.fit(df, **{'out': y})", {"df"}),
    ("with np.errstate(all='ignore'): d = np.log(df)\n d[0] = 1", set()),
    ("try: df = df.copy()\n except KeyError: df['x'] = 2", {"df"}),
    ("df.x = 1", {"df"}),
    ("del df['x']", {"df"}),
    ("df[1:2] = y", {"df"}),
    ("log.info('seen %s', df)", set()),
    ("from sklearn.model_selection import KFold as K\n oof = np.zeros(len(y))\n"
     " for a, b in K(3).split(df): oof[b] = Ridge().fit(df[a], y[a]).predict(df[b])", set()),
]  # fmt: skip


def edit(value):
    value.append(1)
    return len(value)


def function(source):
    scope = {
        "edit": edit,
        "np": np,
        "pd": pd,
        "Ridge": Ridge,
        "KFold": KFold,
        "LIST": LIST,
        "log": log,
    }
    exec(f"def f(df, y):\n {source}", scope)
    return scope["f"]


@pytest.mark.parametrize(("source", "changes"), CASES)
def test_changed_parameters(source, changes):
    found = effects(function(source)).changes
    assert found == (changes if changes is None else frozenset(changes))


@pytest.mark.parametrize(
    "source", ["LIST.append(df)", "x = LIST; x.append(df)", "for x in [LIST]: x.append(df)"]
)
def test_changed_globals(source):
    assert "may change the global or closure value LIST" in effects(function(source)).reason


def test_calls_of_functions_that_change_nothing():
    def inner(df):
        df = df.copy()
        df["x"] = 0
        return df

    def outer(df):
        return inner(df)

    assert effects(outer).changes == frozenset()


def positions(delayed):
    graph, (source,) = lower(delayed)
    function = Fingerprinter(NODE_TYPES).function
    return Edits(graph.tasks, function).positions(graph.tasks[source.keys[0]])


def edit_second(a, b):
    b["x"] = 0


def make_model(**params):
    return Ridge(**params)


def append_one(cell):
    cell.append(1)
    return len(cell)


def make_writer():
    return make_model(copy_X=False)


def to_floats(x):
    return x.astype("float64", copy=False)


def test_positions():
    x = dask.delayed(np.ones)((3, 2))
    y = dask.delayed(np.ones)(3)
    assert positions(dask.delayed(np.log1p)(x)) == ()
    assert positions(dask.delayed(edit_second)(1, x)) == (1,)
    assert positions(dask.delayed(edit_second)(1, b=x)) is None
    assert positions(dask.delayed(Ridge()).fit(x, y)) == (0,)
    assert positions(dask.delayed(Ridge(copy_X=False)).fit(x, y)) is None
    assert positions(dask.delayed(np.log1p)(x, x)) is None
    assert positions(dask.delayed(np.clip)(x, 0, 1)) == ()
    assert positions(dask.delayed(np.clip)(x, 0, 1, x)) is None
    assert positions(x.clip(0, 1)) == ()
    assert positions(x.clip(0, 1, x)) is None
    assert positions(dask.delayed(np.nan_to_num)(x, copy=False)) is None
    assert positions(dask.delayed(make_model)(alpha=2.0).fit(x, y)) == (0,)
    assert positions(dask.delayed(make_model)(copy_X=False).fit(x, y)) is None
    assert positions(dask.delayed(make_writer)().fit(x, y)) is None
    assert positions(dask.delayed(make_model)().fit(dask.delayed(to_floats)(x), y)) == (0,)
    assert positions(dask.delayed(StandardScaler()).fit(x).transform(x)) == ()
    assert positions(dask.delayed(StandardScaler(copy=False)).fit(x).transform(x)) is None


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x["cells"].map(append_one),
        lambda x: x.agg({"cells": append_one}),
        lambda x: x.assign(n=lambda d: d["cells"].map(append_one)),
        lambda x: dask.delayed(sorted)(x, key=append_one),
        lambda x: dask.delayed(reduce)(append_one, x),
        lambda x: dask.delayed(partial(sorted, key=append_one))(x),
        lambda x: x["cells"].map(dask.delayed(append_one)),
        lambda x: dask.delayed(map)(list.clear, x),
    ],
)
def test_callables_that_are_handed_on_may_edit(call):
    assert positions(call(dask.delayed(make)())) is None


def make():
    return np.arange(20.0).reshape(10, 2)


def fit_with(x, params):
    return Ridge(**params).fit(x, x[:, 0].copy()).coef_.tolist()


def fit_clone(x, model):
    return clone(model).fit(x, x[:, 0].copy()).coef_.tolist()


def go_through(x, func):
    return list(map(func, x))


@pytest.mark.parametrize(
    ("function", "edits", "reads"),
    [
        (fit_with, {"copy_X": False}, {"alpha": 2.0}),
        (fit_clone, Ridge(copy_X=False), Ridge(alpha=2.0)),
        (go_through, append_one, len),
    ],
)
def test_arguments_that_let_a_function_edit(function, edits, reads):
    x = dask.delayed(make)()
    assert positions(dask.delayed(function)(x, edits)) is None
    assert positions(dask.delayed(function)(x, reads)) == ()


def test_what_is_fitted_on_and_then_predicted_is_shared():
    def candidate(alpha):
        x = dask.delayed(make)()
        model = dask.delayed(Ridge)(alpha=alpha).fit(x, x[:, 0])
        return model.predict(x).sum()

    batch = [candidate(alpha) for alpha in (1.0, 2.0, 1.0)]
    explanation = sd.explain(batch)
    assert explanation.unique_tasks == 10
    assert dask.compute(*sd.optimize(batch)) == dask.compute(*batch)


def test_estimators_that_write_into_their_input_do_it_for_their_candidate_only():
    def candidate(copy):
        x = dask.delayed(make)()
        scaler = dask.delayed(StandardScaler(copy=copy)).fit(x)
        return dask.delayed(np.add)(scaler.transform(x).sum(), x.sum())

    batch = [candidate(copy) for copy in (True, False, True, False)]
    alone = [one.compute(scheduler="sync") for one in batch]
    assert list(dask.compute(*sd.optimize(batch), scheduler="sync")) == alone


KEPT = {"frame": pd.DataFrame({"x": [1]}), "items": [1]}
COLUMNS = ["x", "y"]
NUMBERS = {"x": 1}


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("lambda: KEPT['items']", True),
        ("lambda: {'items': KEPT['items']}", True),
        ("lambda: {'columns': COLUMNS}", True),
        ("lambda df: KEPT.setdefault('df', df)", True),
        ("lambda items=[]: items", True),
        ("lambda: cached()", True),
        ("lambda: kept()", True),
        ("lambda df: df[COLUMNS]", False),
        ("lambda df: df.drop(columns=COLUMNS)", False),
        ("lambda df: df.assign(**{name: df[name] * NUMBERS[name] for name in COLUMNS})", False),
        ("lambda df: df['x'].map(NUMBERS)", False),
        ("lambda df, items=[]: df.head(3) if items else df", False),
        ("lambda path: pd.read_csv(path)", False),
    ],
)
def test_functions_that_return_what_others_can_reach(source, kept):
    cached = functools.lru_cache(list)
    scope = {**globals(), "cached": cached, "kept": lambda: KEPT}
    assert effects(eval(source, scope)).returns_others == kept


def test_what_is_returned_by_others_may_be_changed():
    scope = {"kept": lambda: KEPT}
    assert "may change the global" in effects(eval("lambda: kept().update(a=1)", scope)).reason


@pytest.mark.parametrize("module", ["sklearn.linear_model", "lightgbm", "xgboost"])
def test_estimators_of_libraries_leave_their_data_alone(module):
    """Else pipelines that end with one would not be taken apart, whatever wraps its methods."""
    library = pytest.importorskip(module)
    for name in ("Ridge", "LGBMRegressor", "LGBMClassifier", "XGBRegressor", "XGBClassifier"):
        if hasattr(library, name):
            model = getattr(library, name)()
            assert not may_write(model)
            assert not may_write(make_pipeline(StandardScaler(), model))
