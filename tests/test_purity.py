"""What the bytecode of users' functions says of them."""

from __future__ import annotations

import collections  # noqa: F401
import itertools  # noqa: F401
import json  # noqa: F401
import logging
import re  # noqa: F401
import textwrap
import time

import numpy as np  # noqa: F401
import pandas as pd  # noqa: F401
import pytest
import scipy.special
import scipy.stats  # noqa: F401
from sklearn.ensemble import RandomForestRegressor  # noqa: F401
from sklearn.linear_model import Ridge  # noqa: F401
from sklearn.model_selection import KFold, train_test_split  # noqa: F401

import stratum_dask as sd
from stratum_dask.bytecode import Path, effects

log = logging.getLogger(__name__)
PATH = "data.csv"
SEED = 7
seen: list = []
counter = 0


def plain(x):
    return x


def body(source: str):
    """Return the function `f` that a source text defines, with this module's names."""
    scope = dict(globals())
    exec(source, scope)
    return scope["f"]


PURE = [
    "f = lambda df: df.fillna(df.median())",
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
    "def f(x): return time.time()": "time.time",
    "def f(x):\n import time\n return time.time()": "time.time",
    "def f(x):\n yield x": "generator",
    "def f(x): return (a for a in x)": "generator",
    "def f(df): df.to_csv('x')": "to_csv",
    "def f(p): return open(p).read()": "builtins.open",
    "def f(p): return pd.read_csv(p + '.gz')": "not known at plan time",
    "def f(p):\n p = p.lower()\n return pd.read_csv(p)": "not known at plan time",
    "def f(x): return undefined(x)": "not defined",
    "def f(x): return x.frobnicate()": "frobnicate",
    "def f(x): return eval(x)": "eval",
    "def f(x):\n class A: pass\n return A()": "class",
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
    assert effects(body("def f(): return pd.read_csv('x.csv')")).paths == [Path(value="x.csv")]
    source = "def f(x, seed): return RandomForestRegressor(random_state=seed)"
    assert effects(body(source)).seeds == ["seed"]


def test_declarations():
    @sd.pure
    def clock():
        return time.time()

    @sd.impure
    def quiet():
        return 1

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
