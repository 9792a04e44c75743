"""What candidates share inside their chains is computed once: medians, dates, categories, codes."""

from __future__ import annotations

from typing import Any

import dask
import pandas as pd
import pytest

import stratum_dask as sd
from stratum_dask.ops import counters

FRAME = pd.DataFrame(
    {
        "x": [1.5, None, 2.5, 7.0] * 4_000,
        "s": ["a", "b", "a", None] * 4_000,
        "d": ["2024-02-29", "2023-12-31", "2024-01-01", "2024-02-29"] * 4_000,
    }
)


def _two_candidates(ingredient: str) -> tuple[Any, Any]:
    """Two chains that use one ingredient in different ways, written twice."""

    def start() -> Any:
        return dask.delayed(FRAME, pure=True, name="table")

    if ingredient == ".median":
        one, other = start()["x"], start()["x"]
        return one.fillna(one.median()) * 2, (other - other.median()) / 3
    if ingredient == "pandas.to_datetime":
        one, other = (dask.delayed(pd.to_datetime)(start()["d"]) for _ in range(2))
        return one.dt.month * 2, other.dt.year + 1
    one, other = (start()["s"].astype("category") for _ in range(2))
    return one.cat.codes + 1, other.cat.codes * 2


@pytest.mark.parametrize("ingredient", [".median", "pandas.to_datetime", ".astype"])
def test_an_ingredient_of_two_chains_is_computed_once(ingredient):
    candidates = _two_candidates(ingredient)
    expected = [candidate.compute(scheduler="sync") for candidate in candidates]
    counters.reset()
    results = dask.compute(*sd.optimize(list(candidates)), scheduler="sync")
    for result, value in zip(results, expected, strict=True):
        pd.testing.assert_series_equal(result, value)
    assert counters.snapshot().hits[ingredient] == 1


def test_groups_of_one_key_are_numbered_once(monkeypatch):
    """Whatever asks for the codes of a column finds those that another call has found."""
    from stratum_dask.ops.direct import dictionary

    encoded = []
    encode = dictionary._encode
    monkeypatch.setattr(dictionary, "_encode", lambda *args: encoded.append(1) or encode(*args))
    frame = dask.delayed(FRAME, pure=True, name="table")
    groups = [frame.groupby("s")["x"] for _ in range(2)]
    means, sizes = groups[0].transform("mean"), groups[1].transform("count")
    codes = frame["s"].astype("category").cat.codes
    dictionary.forget()
    dask.compute(*sd.optimize([means, sizes, codes]), scheduler="sync")
    frame = FRAME.copy(deep=False)
    shared = frame["s"].array._pa_array is FRAME["s"].array._pa_array  # not before pandas 3.1
    assert len(encoded) == (1 if shared else 2)
