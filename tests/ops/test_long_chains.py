"""Random chains of up to twelve calls: programs, strings, dates, groups, rows, joins, columns."""

from __future__ import annotations

import contextlib
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, seed, settings
from hypothesis import strategies as st

from stratum_dask.ops import counters
from stratum_dask.ops.direct import DIRECT_OPS, dictionary
from stratum_dask.ops.frames import SUPPORTED
from stratum_dask.ops.steps import Ref, Step, Unsupported, resolve
from tests.ops.generate import INTEGERS, SPECIAL, Pool
from tests.ops.operands import STATES, check_under
from tests.ops.oracle import copies, is_readable, observe
from tests.ops.themes import THEMES, Lead

pytestmark = pytest.mark.usefixtures("few_rows_too")

WORDS = np.array(["a", "B", " b ", "a-b", "longer than eight", "é", "12", "7.5", "", None])
MOMENTS = np.array(["2024-02-29 10:30:00", "2023-12-31 23:59:59", "2024-01-01 00:00:00", None])
DAYS = np.array(["2024-02-29", "2023-12-31", "1969-07-20", "NaT"], dtype="M8[s]")
FLOATS = (
    np.array([1.0, -2.0, 0.25, 3.5, 7.0, 1e6]),
    np.array([0.0, 1.0, 2.0, 3.0, np.nan]),
    np.array(SPECIAL),
)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """A table as one reads it: numbers, strings, moments, categories, with missing values.

    What is in the cells follows from a seed: to draw each would take longer than all else.
    """
    rows = draw(st.sampled_from([6, 9, 20, 40, 1, 0]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    missing = draw(st.booleans())

    def some(items: np.ndarray) -> np.ndarray:
        few = rng.choice(items[: len(items) - (not missing)], size=rng.integers(1, 6))
        return rng.choice(few, size=rows)

    def integers(dtype: str) -> np.ndarray:
        info = np.iinfo(dtype)
        wide = rng.integers(info.min, info.max, rows, dtype=dtype, endpoint=True)
        return np.where(rng.random(rows) < 0.9, rng.integers(0, 5, rows).astype(dtype), wide)

    floats = FLOATS[draw(st.integers(0, 2))]
    with np.errstate(over="ignore"):
        other = rng.choice(floats, rows).astype(draw(st.sampled_from(["float64", "float32"])))
    frame = pd.DataFrame(
        {
            "f": rng.choice(floats, rows),
            "i": integers("int64"),
            "j": integers(draw(st.sampled_from(INTEGERS))),
            "g": other,
            "t": rng.random(rows) < 0.5,
            "u": rng.random(rows) < 0.8,
            "s": pd.array(some(WORDS), dtype="str"),
            "w": pd.array(some(WORDS), dtype="str"),
            "d": pd.array(some(MOMENTS), dtype="str"),
            "e": some(DAYS).astype(draw(st.sampled_from(["M8[s]", "M8[us]", "M8[ns]"]))),
            "c": pd.Categorical(some(WORDS), ordered=bool(rng.random() < 0.3)),
        }
    )
    index = draw(st.sampled_from(["range", "range", "named", "text", "repeated"]))
    if index == "named":
        frame.index = pd.Index(range(rows, 0, -1), name="row")
    elif index == "text":
        frame.index = pd.Index([f"row{i}" for i in range(rows)], dtype="str")
    elif index == "repeated":
        frame.index = pd.Index(np.arange(rows) // 2)
    return frame.copy() if draw(st.booleans()) else frame


@st.composite
def chains(draw: st.DrawFn, first: str, most: int = 12) -> tuple[list[Step], list[Any]]:
    """A chain and its inputs, begun by a call; it may end with one that raises."""
    inputs: list[Any] = [draw(tables()) for _ in range(draw(st.sampled_from([1, 1, 1, 2])))]
    pool = Pool(copies(inputs))
    steps: list[Step] = []
    themes = [theme for theme, ops in THEMES.items() if first in ops]
    for _ in range(draw(st.integers(1, most))):
        theme = draw(st.sampled_from(list(THEMES) if steps else themes))
        lead = Lead(draw, pool)
        theme(lead, draw(st.sampled_from(THEMES[theme])) if steps else first)
        ended = _extend(pool, steps, lead, raising=draw(st.integers(0, 7)) == 0)
        if ended:
            return steps, inputs
        value = pool.values[-1]
        frames = pool.refs(pd.DataFrame) if isinstance(value, pd.Series) and steps else []
        owners = [ref for ref in frames if len(pool.values[ref.index]) == len(value)]
        if owners and draw(st.booleans()):  # features go into the frame
            name = draw(st.sampled_from(["f", "new", "s", "j"]))
            lead = Lead(draw, pool)
            owner = draw(st.sampled_from(owners))
            lead.add("stratum.with_column", owner, name, Ref(len(pool.values) - 1))
            _extend(pool, steps, lead)
        if len(steps) >= most:
            break
    assume(steps)
    if draw(st.booleans()):  # what is between is seen, too
        seen = pool.refs(pd.Series, pd.DataFrame, np.ndarray, np.float64, np.int64)
        chosen = draw(st.lists(st.sampled_from(seen), unique=True, min_size=1, max_size=4))
        steps.append(Step(None, _all, tuple(chosen), {}, "all"))
    return steps, inputs


def _extend(pool: Pool, steps: list[Step], lead: Lead, *, raising: bool = False) -> bool:
    """Append calls to a chain, and their values to the pool; tell whether the last one raises.

    Without `raising`, and if pandas makes what is huge or unreadable, all of them are left out.
    """
    values = list(pool.values)
    for position, call in enumerate(lead.steps):
        args, kwargs = resolve(call.args, values), resolve(dict(call.kwargs), values)
        outcome = observe(lambda: call.func(*args, **kwargs))  # noqa: B023
        if outcome.error is not None:
            if raising:
                steps += lead.steps[: position + 1]
            return raising
        value = outcome.value
        if isinstance(value, (pd.Series, pd.DataFrame)) and (
            len(value) > 500 or value.size > 5_000 or not is_readable(value)
        ):
            return False
        values.append(value)
    steps += lead.steps
    pool.values = values
    return False


def number_strings(frame: pd.DataFrame) -> None:
    """Have the dictionaries of a table's strings at hand, as after groups or joins by them."""
    for name in ("s", "w", "d"):
        with contextlib.suppress(Unsupported):
            dictionary.dictionary_of(frame[name])


def _all(*values: Any) -> tuple[Any, ...]:
    return values


@pytest.mark.parametrize("op", sorted({*SUPPORTED, *DIRECT_OPS}))
def test_chains_equal_pandas(op):
    """At least 2,000 chains in all; each operation with a native form runs natively in some."""
    ran: Counter[str] = Counter()

    @_seeded(op)
    @settings(
        suppress_health_check=list(HealthCheck),
        deadline=None,
        max_examples=11 * settings.default.max_examples // 60,
    )
    @given(chains(op), STATES, st.booleans())
    def run(chain, state, numbered):
        steps, inputs = chain
        if numbered:  # what is cheap in pandas waits for another call to number its strings
            for frame in inputs:
                number_strings(frame)
        counters.reset()
        check_under(state, steps, inputs)
        ran.update(counters.snapshot().hits)

    run()
    assert ran[op]


def _seeded(op: str) -> Callable[[Any], Any]:
    """Draw other examples for each operation, but the same in each run if the profile says so."""
    return seed(zlib.crc32(op.encode())) if settings.default.derandomize else lambda test: test
