"""What the bytecode of users' functions says of them."""

from __future__ import annotations

import collections  # noqa: F401
import itertools  # noqa: F401
import json  # noqa: F401
import logging
import operator  # noqa: F401
import pathlib
import re  # noqa: F401
import textwrap
import time

import numpy as np
import pandas as pd  # noqa: F401
import pytest
import scipy.special
import scipy.stats  # noqa: F401
from sklearn.base import clone  # noqa: F401
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge  # noqa: F401
from sklearn.metrics import silhouette_score  # noqa: F401
from sklearn.model_selection import KFold, train_test_split  # noqa: F401

import stratum_dask as sd
from stratum_dask.bytecode import Path, effects

log = logging.getLogger(__name__)
PATH = "data.csv"
SEED = 7
SEEDED = RandomForestRegressor(random_state=0)
seen: list = []
counter = 0


FILE = pathlib.PurePath(PATH)


class Config:
    SEED = 3
    COLUMNS = ["a"]  # noqa: RUF012

    @staticmethod
    def draw():
        return np.random.random()


def plain(x):
    return x


def body(source: str):
    """Return the function `f` that a source text defines, with this module's names."""
    scope = dict(globals())
    exec(source, scope)
    return scope["f"]


PURE = [
    "f = lambda df: df.fillna(df.median())",
    "f = lambda df: df.add_suffix('_x').add_prefix('x_').convert_dtypes()",
    "def f(df):\n df = df.copy(); df['a'] = np.log1p(df['b']); print(df); return df",
    "def f(x, y, a):\n m = Ridge(alpha=a); m.fit(x, y); return m.score(x, y)",
    "def f(x, y): return RandomForestRegressor(n_estimators=3, random_state=0).fit(x, y)",
    "def f(x, y): return RandomForestRegressor(random_state=SEED).fit(x, y)",
    "def f(x): return train_test_split(x, test_size=0.2, random_state=1)",
    "def f(x): return [tr for tr, te in KFold(5).split(x)]",
    "def f(x): return list(KFold(5, shuffle=True, random_state=3).split(x))",
    "def f(x): return sum(a for a in x)",
    "def f(n): return 1 if n < 2 else n * f(n - 1)",
    "def f(df): return df.apply(lambda row: row + 1)",
    "def f(x):\n import numpy as np\n return np.exp(x)",
    "def f(x):\n from numpy import exp as e\n return e(x)",
    "def f(n): return np.random.default_rng(0).permutation(n)",
    "def f(x):\n log.info('seen %s', x); return x",
    "def f(x): return type(x)(3), type(x).__name__, x.__class__ is int",
    "def f(x):\n if x < 0: raise ValueError('negative')\n return x",
    "def f(x): return dict(zip(x, map(str, x)))",
    "def f(x):\n pairs = itertools.combinations(x, 2)\n return [a + b for a, b in pairs]",
    "def g(x): return map(str, x)\ndef f(x): return ','.join(g(x))",
    "def f(x): return [getattr(x, 'mean')(), x.std()]",
    "def f(x): return getattr(x, 'shape', None)",
    "def f(x, p): return RandomForestRegressor(random_state=0, **p).fit(x)",
    "def f(x, p): return RandomForestRegressor(n_jobs=1, random_state=0, **p).fit(x)",
    "def f(x, p): return RandomForestRegressor(**p, random_state=0).fit(x)",
    "def f(x):\n from sklearn.ensemble import RandomForestRegressor as R\n R(random_state=0)",
    "def f(x):\n import sklearn.ensemble as e\n return e.RandomForestRegressor(random_state=0)",
    "def f(x):\n R = RandomForestRegressor\n return [R(random_state=0), R(random_state=1)]",
    "def f(x):\n def g(d):\n  d['x'] = 0\n  return d\n return g(x).sample(3, random_state=0)",
    "def f(x): return [RandomForestRegressor(n, random_state=SEED) for n in x]",
    "def f(x): return pd.Timestamp('2024-02-29') - pd.to_datetime(x)",
    "def f(x): return clone(SEEDED).fit(x)",
    "def f(x): return np.random.default_rng(SEED).permutation(x)",
    "def f(x, seed): return np.random.RandomState(seed).lognormal(size=x)",
    "def f(x): return x.query('a > 1').eval('b = a * 2')",
    "def f(x): return x.pipe(plain).pipe(lambda d: d.assign(z=1))",
    "def f(x, c): return Ridge(alpha=c.alpha).fit(x[Config.COLUMNS]).predict(x)",
    "def f(x): return RandomForestRegressor(random_state=Config.SEED)",
    "def f(x): return x.astype({'a': object})",
    "def f(x):\n with np.errstate(divide='ignore'): return np.log(x)",
    "def f(x): return pd.read_csv(FILE)",
    "def f(x, p): return RandomForestRegressor(n_jobs=1, **p).fit(x)",
    "def f(m, a): return clone(m).set_params(alpha=a, random_state=3).fit(m)",
    "def f(m):\n m.random_state = 3\n return m.fit(m)",
    "def f(x, y): return silhouette_score(x, y)",
    "def f(x, y): return silhouette_score(x, y, sample_size=5, random_state=0)",
    "def f(x):\n import numpy as n\n return [n.log1p(y) for y in x]",
]

IMPURE = {
    "def f(self):\n type(self).fits += 1": "may change the global or closure value type(...)",
    "def f(self):\n kind = type(self); del kind.fits": "may change the global or closure value",
    "def f(self):\n self.__class__.fits = 1": "may change the global or closure value type(...)",
    "def f(x):\n plain.calls = x": "may change the global or closure value plain",
    "def f(x):\n Ridge.alpha = x": "may change the global or closure value Ridge",
    "def f(x):\n n = 0\n def g():\n  nonlocal n; n += 1\n g(); seen.append(x)": "may change the",
    "def f(x): seen.append(x)": "may change the global or closure value seen",
    "def f(x):\n global counter\n counter = x": "changes the global counter",
    "def f(x, y): return RandomForestRegressor(n_estimators=3).fit(x, y)": "without an int seed",
    "def f(x): return train_test_split(x)": "without an int seed",
    "def f(x): return train_test_split(x, random_state=None)": "without an int seed",
    "def f(df): return df.sample(3)": "without an int seed",
    "def f(x): return list(KFold(5, shuffle=True).split(x))": "without an int seed",
    "def f(x): return np.random.rand(x)": "numpy.random.rand",
    "def f(x): return np.random.default_rng().permutation(x)": "without an int seed",
    "def f(rng, x): return rng.permutation(x)": "permutation",
    "def f(x): return np.random.default_rng([1, 2]).permutation(x)": "without an int seed",
    "def f(x, seed):\n seed = None\n return np.random.default_rng(seed).random(x)": "int seed",
    "def f(x, y): return x.query(y)": "not known at plan time",
    "def f(x): return x.query('a > @SEED')": "not known at plan time",
    "def f(x): return x.eval('a.sample(3)')": "not known at plan time",
    "def f(x): return x.pipe(time.sleep)": "time.sleep",
    "def f(x): return x.pipe(x.to_pickle)": "to_pickle",
    "def f(x): return Config.draw()": "uses Config",
    "def f(x): Config.COLUMNS.append(x)": "may change the global or closure value Config.COLUMNS",
    "def f(x): return time.time()": "time.time",
    "def f(x):\n import time\n return time.time()": "time.time",
    "def f(x):\n yield x": "generator",
    "def f(x): return (a for a in x)": "iterator",
    "def f(x):\n g = (a for a in x)\n return g": "iterator",
    "def f(x):\n z = map(str, x)\n return z": "iterator",
    "def f(x): return x, zip(x, x)": "iterator",
    "def f(x): return {'folds': enumerate(x)}": "iterator",
    "def f(x):\n out = []\n out.append(zip(x, x))\n return out": "iterator",
    "def f(x):\n out = {}\n out['a'] = reversed(x)\n return out": "iterator",
    "def f(x, y): return zip(x, x) if y else []": "iterator",
    "def f(x): return KFold(5).split(x)": "iterator",
    "def f(x): return pd.read_csv('data.csv', chunksize=3)": "iterator",
    "def g(x): return map(str, x)\ndef f(x): return g(x)": "iterator",
    "def f(x): return (lambda y: map(str, y))(x)": "iterator",
    "def f(x):\n Ridge(random_state=0)\n return x.sample(3)": "without an int seed",
    "def f(x): return train_test_split(x, random_state=None, test_size=x // 4)": "an int seed",
    "def f(x, seed):\n seed = None\n return x.sample(3, random_state=seed)": "without an int seed",
    "def f(x, seed):\n if x: seed = None\n x.sample(3, random_state=seed)": "without an int seed",
    "def f(x):\n R = RandomForestRegressor\n R(random_state=0), R()": "without an int seed",
    "def f(x, p): return RandomForestRegressor(**p, **x.get(0)).fit(x)": "without an int seed",
    "def f(x, p): return Ridge(solver='sag', **p).fit(x)": "without an int seed",
    "def f(x):\n p = {'random_state': 0}\n p['random_state'] = None\n Ridge(**p)": "an int seed",
    "def f(x): return (lambda seed: x.sample(3, random_state=seed))(None)": "without an int seed",
    "def f(x):\n save = x.to_pickle\n save('x')": "to_pickle",
    "def f(x): return list(map(x.to_pickle, ['x']))": "to_pickle",
    "def f(x): return getattr(x, 'to_pickle')('x')": "to_pickle",
    "def f(x, how): return getattr(x, how)()": "whose name is not known",
    "def f(x): return pd.Timestamp('now') - x": "clock",
    "def f(x): return (pd.to_datetime('today') - x).dt.days": "clock",
    "def f(p): return pd.read_csv(p.strip())": "not known at plan time",
    "def f(p): return pd.read_csv('data.csv'.replace('data', p))": "not known at plan time",
    "def f(df): df.to_csv('x')": "to_csv",
    "def f(p): return open(p).read()": "builtins.open",
    "def f(p): return pd.read_csv(p + '.gz')": "not known at plan time",
    "def f(p):\n p = p.lower()\n return pd.read_csv(p)": "not known at plan time",
    "def f(x): return undefined(x)": "not defined",
    "def f(x): return x.frobnicate()": "frobnicate",
    "def f(x): return eval(x)": "eval",
    "def f(x):\n class A: pass\n return A()": "class",
    "def f(x): return operator.methodcaller('to_csv', 'x')(x)": "methodcaller",
    "def f(m, p): return m.set_params(**p).fit(m)": "without an int seed",
    "def f(m): return clone(m).set_params(random_state=None)": "without an int seed",
    "def f(m): return m.set_params(ridge__solver='sag')": "without an int seed",
    "def f(m):\n m.random_state = None\n return m.fit(m)": "without an int seed",
    "def f(x, y): return silhouette_score(x, y, sample_size=5)": "without an int seed",
    "def f(x, y, p): return silhouette_score(x, y, **p)": "without an int seed",
    "def f(p):\n import os\n return [os.remove(q) for q in p]": "os.remove",
    "def f(p):\n import os\n os.remove(p)\n return lambda: os": "os.remove",
    "def f(p):\n import shutil as s\n return (lambda a: s.copy(a, a + 'x'))(p)": "shutil.copy",
    "def f(x):\n import numpy as n\n g = n.random.default_rng(0)\n"
    " return [n.random.choice(x) for _ in x]": "numpy.random.choice",
    "def f(x):\n import numpy as n\n return [x, n.random.choice(x)]": "numpy.random.choice",
    "def f(p, q): return (lambda p: pd.read_csv(p))(q)": "not known at plan time",
    "def f(x):\n import not_there_at_all\n return x": "not loaded",
}


@pytest.mark.parametrize("source", PURE)
def test_pure(source):
    assert effects(body(source)).reason is None


@pytest.mark.parametrize(("source", "reason"), IMPURE.items())
def test_impure_and_why(source, reason):
    found = effects(body(source))
    assert found.reason is not None
    assert reason in found.reason


def test_reason_goes_through_functions_that_are_called():
    scope = dict(globals())
    exec("def g(x): return time.time()\ndef f(x): return g(x)", scope)
    assert (
        effects(scope["f"]).reason == "calls g, which uses time.time, which is not known to be pure"
    )


def test_closures():
    total = 0

    def change():
        nonlocal total
        total += 1

    assert "closure variable total" in effects(change).reason
    assert effects(lambda x: x + total).reason is None


@pytest.mark.parametrize(
    ("source", "mutates"),
    [
        ("def f(df): return df.fillna(0)", False),
        ("def f(df):\n df['x'] = 1\n return df", True),
        ("def f(df):\n df.x = 1\n return df", True),
        ("def f(a):\n a += 1\n return a", True),
        ("def f(a):\n del a[0]\n return a", True),
        ("def f(a):\n a.sort()\n return a", True),
        ("def f(df): return df.fillna(0, inplace=True)", True),
        ("def f(a): return np.log1p(a, out=a)", True),
    ],
)
def test_mutation(source, mutates):
    assert effects(body(source)).mutates is mutates


def test_paths_and_seeds():
    assert effects(body("def f(p): return pd.read_csv(p, sep=';')")).paths == [
        Path(parameter="p", only_read=True)
    ]
    assert effects(body("def f(): return pd.read_csv(PATH)")).paths == [Path(value=PATH)]
    assert effects(body("def f(): return pd.read_csv(FILE)")).paths == [Path(value=PATH)]
    assert effects(body("def f(): return pd.read_csv('x.csv')")).paths == [Path(value="x.csv")]
    assert effects(body("def f(p, x):\n p, x = x, 1\n return pd.read_csv(p)")).reason
    assert effects(body("def f(p, x):\n x = p = x + p\n return pd.read_csv(p)")).reason
    source = "def f(x, seed): return RandomForestRegressor(random_state=seed)"
    assert effects(body(source)).seeds == ["seed"]
    source = "def f(x, p, q): return RandomForestRegressor(max_depth=3, **p).fit(x)"
    assert effects(body(source)).settings == [("p", RandomForestRegressor)]
    source = "def f(m, seed): return m.set_params(model__random_state=seed)"
    assert effects(body(source)).seeds == ["seed"]


@pytest.mark.parametrize(
    ("source", "fits"),
    [
        ("def f(m, x): return m.fit(x).score(x)", {"m"}),
        ("def f(m, x): return clone(m).fit(x)", {"m"}),
        ("def f(m, x): return Ridge().fit(x)", set()),
        ("def f(m, x): return m.predict(x)", set()),
        ("def f(m, x): return [one.fit(x) for one in m]", {"*"}),
        ("def g(m, x): return m.fit(x)\ndef f(m, x): return g(m, x)", {"m", "x"}),
        ("def f(m, x):\n for one in m: one.fit(x)", {"m", "x"}),
    ],
)
def test_parameters_that_are_fitted(source, fits):
    found = effects(body(source)).fits
    assert found == fits or (fits == {"*"} and found)  # Python 3.12 inlines comprehensions


def test_declarations():
    @sd.pure
    def clock():
        return time.time()

    @sd.impure
    def quiet():
        return 1

    with pytest.raises(TypeError, match="declare what is called"):
        sd.pure(3)
    assert effects(clock).reason is None
    assert effects(quiet).reason == "declared impure"
    assert effects(body("def f(x): return len([x])")).pure


def test_code_of_libraries_is_not_read():
    assert effects(textwrap.dedent).reason == "textwrap.dedent is not known to be pure"
    assert effects(lambda text: textwrap.dedent(text)).reason.startswith("calls textwrap.dedent")


@pytest.mark.parametrize(
    "source",
    [
        "def f(x): return re.sub('a+', 'b', x)",
        "def f(x): return list(itertools.product(x, x))",
        "def f(x): return collections.Counter(x).get('a')",
        "def f(x): return scipy.stats.skew(x) + scipy.special.expit(x)",
        "def f(x): return json.loads(x)",
    ],
)
def test_other_libraries(source):
    assert effects(body(source)).reason is None
