"""PolynomialFeatures: each product is an earlier one times a column, row by row.

scikit-learn multiplies column by column of a matrix whose rows lie one after another, and so walks
over all of its memory for each column of the table.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
from sklearn import get_config
from sklearn.utils.validation import validate_data

from stratum_dask import _native
from stratum_dask.ops.direct.lengths import refuse_few
from stratum_dask.ops.direct.preprocessing.matrix import refuse_set_output
from stratum_dask.ops.frames.environment import reports
from stratum_dask.ops.memory import empty
from stratum_dask.ops.steps import Unsupported

#: What scikit-learn takes as it is; anything else becomes the first of them.
_FLOATS = (np.float64, np.float32, np.float16)
#: How many columns of the result are looked through at most.
_MOST = 10_000


def fit_transform(expander: Any, X: Any, y: Any = None, /) -> Any:
    """Fit PolynomialFeatures and return the products of the columns of `X`."""
    _check(expander, X)
    expander.fit(X, y)
    with suppress(Unsupported):
        return transform(expander, X)
    return expander.transform(X)


def transform(expander: Any, X: Any, /) -> Any:
    """Return the products of the columns of `X`, as scikit-learn orders them.

    Raises
    ------
    Unsupported
        If `X` is no table of finite numbers, or a product raises a floating-point exception that
        NumPy would report.
    """
    _check(expander, X)
    width = getattr(expander, "n_output_features_", None)
    if width is None or not 0 < width <= _MOST:
        raise Unsupported("not fitted, or too many products")
    places = {tuple(powers): place for place, powers in enumerate(expander.powers_.tolist())}
    ones = tuple([0] * expander.n_features_in_) in places
    own = int(ones) + expander.n_features_in_
    if sum(map(sum, list(places)[:own])) != expander.n_features_in_:
        raise Unsupported("without the columns themselves")
    of, times = np.empty(width - own, np.int32), np.empty(width - own, np.int32)
    for number, powers in enumerate(list(places)[own:]):
        column = next(i for i, power in enumerate(powers) if power)
        rest = (*powers[:column], powers[column] - 1, *powers[column + 1 :])
        of[number], times[number] = places[rest], column
    try:
        values = validate_data(expander, X, dtype=_FLOATS, reset=False)
    except Exception as error:
        raise Unsupported(f"{type(error).__name__} in scikit-learn") from None
    order = "C" if values.flags.c_contiguous else "F"
    table = values.ravel(order=order)
    out = empty((len(values), width), values.dtype)
    try:
        products = ones, of, times
        raised = _native.write_products(table, order, products, len(values), out.reshape(-1))
    except ValueError as error:
        raise Unsupported(str(error)) from error
    if reports(raised):
        raise Unsupported("floating point error that NumPy reports")
    return out


def _check(expander: Any, X: Any) -> None:
    if type(X) not in (np.ndarray, pd.DataFrame) or X.ndim != 2:
        raise Unsupported(f"products of {type(X).__name__}")
    refuse_few(len(X), "products")
    if expander.order != "C":
        raise Unsupported("columns one after another")
    if get_config()["array_api_dispatch"]:
        raise Unsupported("array_api_dispatch")
    refuse_set_output(expander)
