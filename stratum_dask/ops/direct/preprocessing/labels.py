"""LabelEncoder: each distinct string is looked up once."""

from __future__ import annotations

from typing import Any

import pandas as pd

from stratum_dask.ops.direct.dictionary import Dictionary, dictionary_of
from stratum_dask.ops.direct.preprocessing.standing_in import standing_in
from stratum_dask.ops.steps import Unsupported


def fit(encoder: Any, y: Any, /) -> Any:
    """Fit a LabelEncoder and return it."""
    found = dictionary_of(y)
    with standing_in(encoder):
        return encoder.fit(_distinct(found))


def fit_transform(encoder: Any, y: Any, /) -> Any:
    """Fit a LabelEncoder and return the number of each row's class."""
    found = dictionary_of(y)
    with standing_in(encoder):
        return found.spread(encoder.fit_transform(_distinct(found)))


def transform(encoder: Any, y: Any, /) -> Any:
    """Return the number of each row's class."""
    found = dictionary_of(y)
    try:
        return found.spread(encoder.transform(_distinct(found)))
    except Exception as error:  # of several unknown labels, the first row's is told
        raise Unsupported(f"{type(error).__name__} while transforming") from None


def _distinct(found: Dictionary) -> pd.Series:
    return pd.Series(found.array)
