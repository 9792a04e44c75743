"""scikit-learn's preprocessing natively and by itself, on the flight data.

Chain G imputes and standardises eight columns of numbers, imputes and one-hot encodes columns of
strings, and puts all into one matrix. Both run in turns in one process, on one thread, and every
repeat's matrices and fitted estimators are compared bit by bit.
"""

from __future__ import annotations

import pickle
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from dask.utils import methodcaller
from rich.progress import track
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    LabelEncoder,
    OneHotEncoder,
    PolynomialFeatures,
    StandardScaler,
    TargetEncoder,
)

from benchmarks.harness import Row, copy_seconds, flights_of, timed
from benchmarks.kernels import COLUMNS
from stratum_dask.ops import counters
from stratum_dask.ops.direct import Native, dictionary

ROWS = (1_000, 20_000, 336_776)
TARGETS = {"fit_transform": 15.0, "transform": 15.0, "transform, dense": 7.0}
FEW = ["carrier", "origin", "dest"]
MANY = [*FEW, "tailnum"]


def chain_g(strings: list[str], strategy: str, dense: bool = False) -> ColumnTransformer:
    """Return the transformer of chain G, not fitted."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    encode = make_pipeline(SimpleImputer(strategy=strategy), OneHotEncoder(handle_unknown="ignore"))
    return ColumnTransformer(
        [("numbers", numbers, list(COLUMNS)), ("strings", encode, strings)],
        sparse_threshold=0.0 if dense else 0.3,
    )


def same_matrix(one: Any, other: Any) -> bool:
    """Whether two matrices are equal in kind, dtypes, layout and bits."""
    if type(one) is not type(other) or one.shape != other.shape:
        return False
    if sparse.issparse(one):
        parts = [
            (getattr(one, name), getattr(other, name)) for name in ("indptr", "indices", "data")
        ]
    else:
        parts = [(one, other)]
    return all(
        a.dtype == b.dtype and a.strides == b.strides and np.array_equal(_bits(a), _bits(b))
        for a, b in parts
    )


def _bits(array: np.ndarray) -> np.ndarray:
    return array.T.view("u1") if array.flags.f_contiguous else array.view("u1")


def measure(
    case: str, data: Any, theirs: Callable[[], Any], ours: Callable[[], Any], repeats: int
) -> Row:
    """Time both on `data` in turns; each returns a matrix and the fitted estimator."""
    rows = len(data)
    seconds: dict[str, list[float]] = {"theirs": [], "ours": []}
    exact = True
    counters.reset()
    for _ in range(repeats):
        taken, expected = timed(theirs)
        seconds["theirs"].append(taken)
        dictionary.forget()  # as a task that is the first to look at the columns
        taken, actual = timed(ours)
        seconds["ours"].append(taken)
        exact &= same_matrix(actual[0], expected[0])
        exact &= pickle.dumps(actual[1]) == pickle.dumps(expected[1])
    medians = {name: statistics.median(values) * 1e3 for name, values in seconds.items()}
    return {
        "case": case,
        "rows": rows,
        "scikit_learn_ms": medians["theirs"],
        "native_ms": medians["ours"],
        "speedup": medians["theirs"] / medians["ours"],
        "times_a_copy": medians["ours"] / 1e3 / copy_seconds(data, actual[0]),
        "target": TARGETS.get(case.partition(":")[0], "") if rows == ROWS[-1] else "",
        "bits": "equal" if exact else "DIFFER",
        "native": not counters.snapshot().fallbacks,
    }


def stand_ins(frame: pd.DataFrame) -> dict[str, tuple[Any, Any, tuple[Any, ...]]]:
    """Return estimators of which one method is replaced, with what they are fitted on."""
    text = frame["carrier"] + " " + frame["origin"] + " to " + frame["dest"]
    y = frame["arr_delay"].fillna(0).to_numpy()
    encoder = TargetEncoder(target_type="continuous", cv=KFold())
    return {
        "words": (TfidfVectorizer(), text, ()),
        "hashed words": (HashingVectorizer(), text, ()),
        "labels": (LabelEncoder(), frame["dest"], ()),
        "targets": (encoder, frame[FEW], (y,)),
        "products": (PolynomialFeatures(), frame[list(COLUMNS)].fillna(0), ()),
        # Seeded: above 200,000 rows it draws a sample of them.
        "bins": (
            KBinsDiscretizer(quantile_method="linear", random_state=0),
            frame[["distance", "hour"]],
            (),
        ),
    }


def run(full: bool = False) -> list[Row]:
    """Measure fitting and applying chain G, and estimators of other kinds, at all sizes."""
    table = flights_of(5_000_000 if full else ROWS[-1])
    sizes = (*ROWS, *((5_000_000,) if full else ()))
    cases = [
        (rows, label, strings, strategy)
        for rows in sizes
        for label, strings, strategy in (
            ("3 columns of strings", FEW, "most_frequent"),
            ("with 4,000 tail numbers", MANY, "constant"),
        )
    ]
    results = []
    fit, apply = (
        Native(f".{method}", methodcaller(method)) for method in ("fit_transform", "transform")
    )
    for rows, label, strings, strategy in track(cases, "preprocessing", transient=True):
        frame = table.iloc[:rows].copy()
        # Of five million rows scikit-learn takes two minutes.
        repeats = 1 if rows > ROWS[-1] else (15 if full else 7) if rows == ROWS[-1] else 25

        def fitting(call: Callable[..., Any], dense: bool = False) -> Callable[[], Any]:
            def once() -> Any:
                chain = chain_g(strings, strategy, dense)  # noqa: B023
                return call(chain, frame), chain  # noqa: B023

            return once

        theirs = fitting(methodcaller("fit_transform"))
        results.append(measure(f"fit_transform: {label}", frame, theirs, fitting(fit), repeats))
        for name, dense in (("transform", False), ("transform, dense", True)):
            if dense and (strings is MANY or rows > ROWS[-1]):
                continue  # 11 GB with all tail numbers; 5 GB for each of both engines
            chain = chain_g(strings, strategy, dense).fit(frame)
            results.append(
                measure(
                    f"{name}: {label}",
                    frame,
                    lambda chain=chain: (chain.transform(frame), None),  # noqa: B023
                    lambda chain=chain: (apply(chain, frame), None),  # noqa: B023
                    repeats,
                )
            )
    for rows in sizes[1:]:
        for name, (estimator, data, y) in stand_ins(table.iloc[:rows].copy()).items():

            def both(call: Callable[..., Any]) -> Callable[[], Any]:
                def once() -> Any:
                    fresh = clone(estimator)  # noqa: B023
                    return call(fresh, data, *y), fresh  # noqa: B023

                return once

            theirs, repeats = both(methodcaller("fit_transform")), 1 if rows > ROWS[-1] else 5
            results.append(measure(f"fit_transform: {name}", data, theirs, both(fit), repeats))
    return results
