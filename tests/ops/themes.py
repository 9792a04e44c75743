"""Calls on tables by theme: strings, dates, groups, rows, joins, columns as a whole.

Each theme draws one call that is of interest, and before it the steps that lead to its first
argument, on the values of a :class:`~tests.ops.generate.Pool`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from pandas.api.typing import SeriesGroupBy

from stratum_dask.ops.direct.dates import FIELDS
from stratum_dask.ops.direct.table import DIRECT
from stratum_dask.ops.frames import SUPPORTED
from stratum_dask.ops.steps import Ref, Step
from tests.ops import examples, test_bins, test_groups, test_joins, test_ranks, test_text
from tests.ops.generate import Pool, calls
from tests.ops.oracle import step


class Lead:
    """Steps that lead to something, numbered from the pool's end.

    Parameters
    ----------
    draw : callable
        Hypothesis' own.
    pool : Pool
        The values of the chain so far.
    """

    def __init__(self, draw: st.DrawFn, pool: Pool) -> None:
        self.draw, self.pool = draw, pool
        self.steps: list[Step] = []

    def add(self, op: str, *args: Any, **kwargs: Any) -> Ref:
        self.steps.append(step(op, *args, **kwargs))
        return Ref(len(self.pool.values) + len(self.steps) - 1)

    def one(self, *items: Any) -> Any:
        return self.draw(st.sampled_from(items))

    def flag(self) -> bool:
        return self.draw(st.booleans())

    def frame(self) -> Ref:
        return self.one(*self.pool.refs(pd.DataFrame))

    def column(self, suits: Callable[[pd.Series], bool] = lambda _: True) -> Ref:
        """Lead to a column that suits, mostly: one of the pool, or one of a frame."""
        pool = self.pool
        if self.draw(st.integers(0, 15)) == 0:
            suits = _any
        found = [ref for ref in pool.refs(pd.Series) if suits(pool.values[ref.index])]
        frames = {}
        for ref in pool.refs(pd.DataFrame):
            value = pool.values[ref.index]
            if value.columns.is_unique and value.columns.nlevels == 1:
                names = [name for name in value.columns if suits(value[name])]
                if names:
                    frames[ref.index] = names
        if found and (not frames or self.flag()):
            return self.one(*found)
        if not frames:
            return self.add("operator.getitem", self.frame(), "s")
        number = self.one(*frames)
        return self.add("operator.getitem", Ref(number), self.one(*frames[number]))


def _any(_: pd.Series) -> bool:
    return True


def is_text(series: pd.Series) -> bool:
    return isinstance(series.dtype, pd.StringDtype)


def is_number(series: pd.Series) -> bool:
    return isinstance(series.dtype, np.dtype) and series.dtype.kind in "iuf"


def is_date(series: pd.Series) -> bool:
    return series.dtype.kind == "M" and not isinstance(series.dtype, pd.CategoricalDtype)


def is_mask(series: pd.Series) -> bool:
    return series.dtype == bool


def looks_like_date(series: pd.Series) -> bool:
    return is_text(series) and str(next(iter(series.dropna()), ""))[:2] == "20"


def free(lead: Lead, op: str) -> None:
    """Any call of a program, on whatever there is."""
    if lead.pool.refs(pd.Series):
        lead.steps.append(lead.draw(calls(lead.pool)))
    else:
        programs(lead, "operator.getitem")


def programs(lead: Lead, op: str) -> None:
    """A well-formed call of what programs fuse."""
    example = lead.one(*examples.chains(op))
    frame, found = lead.frame(), {}

    def operand(number: int) -> Ref:
        """Lead to what stands for an example's input: a column, an array or the frame."""
        if number == examples.DAYS.index:
            return lead.column(is_date)
        if number == examples.ARRAY.index:
            return lead.add(".to_numpy", operand(examples.F.index))
        if number == examples.FRAME.index:
            return lead.add("operator.getitem", frame, [*"fgijtu"]) if lead.flag() else frame
        return lead.add("operator.getitem", frame, "fgijtu"[number])

    def substituted(template: Any) -> Any:
        if type(template) is not Ref:
            return template
        if template.index not in found:
            found[template.index] = operand(template.index)
        return found[template.index]

    for number, call in enumerate(example, examples.LAST.index):
        kwargs = {key: substituted(value) for key, value in call.kwargs.items()}
        found[number] = lead.add(call.op, *map(substituted, call.args), **kwargs)


def strings(lead: Lead, op: str) -> None:
    """Methods of ``.str``."""
    accessor = lead.add("getattr", lead.column(is_text), "str")
    if op == ".cat":
        lead.add(op, accessor, lead.column(is_text), sep=lead.one(None, "-"))
        return
    args, kwargs = lead.one(*STRINGS[op])
    found = lead.add(op, accessor, *args, **kwargs)
    if op in (".split", ".rsplit") and not kwargs.get("expand"):
        accessor = lead.add("getattr", found, "str")
        lead.add(lead.one(".get", "operator.getitem"), accessor, lead.one(0, 1, -1))


def texts(lead: Lead, op: str) -> None:
    """Methods of columns of strings."""
    column = lead.column(is_text)
    kind = lead.draw(st.integers(0, 9))
    if op == "operator.add" and lead.flag():
        lead.add(op, *lead.one((column, lead.column(is_text)), ("_", column)))
    elif op == ".map" and lead.flag():
        lead.add(op, column, lead.add(".value_counts", lead.column(is_text)))
    elif op == ".astype" and kind < 5:
        lead.add(op, column, lead.one(float, int, "int8", "float32"))
    elif op == ".astype" and kind < 8:
        category = lead.add(op, column, "category")
        lead.add("getattr", lead.add("getattr", category, "cat"), "codes")
    else:
        args, kwargs = lead.one(*TEXTS[op])
        lead.add(op, column, *args, **kwargs)


def dates(lead: Lead, op: str) -> None:
    """Parsing, fields of dates, and arithmetic between them."""
    if op == "pandas.to_datetime":
        options: dict[str, Any] = lead.one(
            {}, {}, {"errors": "coerce"}, {"format": "%Y-%m-%d %H:%M:%S"}, {"utc": True},
            {"format": "%d.%m.%Y"}, {"dayfirst": True}, {"format": "mixed"},
        )  # fmt: skip
        parsed = lead.add(op, lead.column(looks_like_date), **options)
        if lead.flag():
            lead.add("operator.sub", parsed, lead.column(is_date))
        return
    accessor = lead.add("getattr", lead.column(is_date), "dt")
    if op == ".isocalendar":
        weeks = lead.add(op, accessor)
        if lead.flag():
            lead.add(lead.one("getattr", "operator.getitem"), weeks, lead.one("week", "year"))
    elif op == "getattr":
        lead.add(op, accessor, lead.one(*sorted(FIELDS), "date"))
    else:
        lead.add(op, accessor, *DATES[op](lead))


def groups(lead: Lead, op: str) -> None:
    """Groups by one or two keys: reductions, transformations, ranks."""
    by = lead.one("s", "s", "i", "j", ["s", "j"], "t", "c", ["s", "missing"])
    grouped = lead.add(".groupby", lead.frame(), by, **lead.draw(test_groups.GROUPBY))
    if op in (".agg", ".aggregate"):
        selection, functions, named = lead.one(
            ("f", (["mean", "std"],), {}),
            ("g", ("median",), {}),
            ("i", (), {"low": "min", "high": "max"}),
            (["f", "i"], ("sum",), {}),
            (None, ({"f": "sum", "s": ["nunique", "count"]},), {}),
            (None, (), {"low": ("f", "min"), "some": pd.NamedAgg("s", "first")}),
        )
        if selection is not None:
            grouped = lead.add("operator.getitem", grouped, selection)
        lead.add(op, grouped, *functions, **named)
        return
    selection = lead.one("f", "f", "i", "g", "s", "d", ["f", "g"], ["f"], None)
    if selection is not None:
        grouped = lead.add("operator.getitem", grouped, selection)
    if op == ".transform":
        lead.add(op, grouped, lead.one(*test_groups.REDUCTIONS, *test_groups.COUNTS))
        return
    if op == ".groupby":
        op = lead.one(".mean", ".size", ".cumcount")
    options = {}
    if op == ".rank":
        options = lead.draw(test_ranks.OPTIONS)
        options.pop("numeric_only", None)
    arguments = {".shift": (-1,), ".head": (2,), ".std": (0,), ".quantile": (0.25,)}
    found = lead.add(op, grouped, *(arguments.get(op, ()) if lead.flag() else ()), **options)
    if lead.draw(st.integers(0, 3)) == 0:
        lead.add(".reset_index", found)


def rows(lead: Lead, op: str) -> None:
    """Rows by mask and position, without missing values and duplicates."""
    pool, frame = lead.pool, lead.frame()
    if op in (".dropna", ".drop_duplicates", ".duplicated"):
        subset = lead.one(None, ["f"], ["s", "i"], "d", ["s"], ["missing"])
        options = {} if op == ".duplicated" or lead.flag() else {"ignore_index": True}
        lead.add(op, frame, subset=subset, **options)
        return
    value = frame if lead.flag() else lead.column()
    if op == ".take" or lead.draw(st.integers(0, 2)) == 0:
        known = value.index < len(pool.values)
        length = len(pool.values[value.index if known else frame.index])
        positions = lead.draw(st.lists(st.integers(0, max(length - 1, 0)), max_size=length + 2))
        accessor = value if op == ".take" else lead.add("getattr", value, "iloc")
        lead.add(op, accessor, np.array(positions, dtype="int64"))
        return
    if lead.flag():
        number = lead.add("operator.getitem", frame, lead.one("f", "i", "g"))
        mask = lead.add(lead.one("operator.gt", "operator.le"), number, 0)
    else:
        mask = lead.column(is_mask)
    if lead.flag():
        lead.add(op, value, mask)
    else:
        label = lead.one("s", "f", "i", "d")
        key = lead.one(mask, (mask, label), (mask, [label]))
        lead.add(op, lead.add("getattr", value, "loc"), key)


def joins(lead: Lead, op: str) -> None:
    """A frame joined with another, or with the means of its own groups."""
    left = lead.frame()
    if lead.flag():
        right = lead.frame()
    else:
        grouped = lead.add(".groupby", lead.frame(), lead.one("s", "j"))
        means = lead.add(lead.one(".mean", ".size"), lead.add("operator.getitem", grouped, ["f"]))
        right = lead.add(".reset_index", means)
    on: dict[str, Any] = lead.one({"on": "s"}, {"on": "j"}, {"on": ["s", "j"]}, {"on": "i"},
                                  {"left_on": "s", "right_on": "w"}, {})  # fmt: skip
    joined = lead.add(op, left, right, **on, **lead.draw(test_joins.OPTIONS))
    if lead.flag():
        lead.add("operator.getitem", joined, lead.one("f_x", "s", ["s", "f_y"], ["g"]))


def windows(lead: Lead, op: str) -> None:
    """Reductions of rolling windows."""
    table = lead.column(is_number)
    if lead.flag():
        table = lead.add("operator.getitem", lead.frame(), lead.one(["f"], ["i", "f"], ["g", "j"]))
    options = lead.one({}, {"min_periods": 1}, {"center": True}, {"closed": "both"}, {"step": 2})
    rolling = lead.add(op, table, lead.one(1, 2, 3, 7, 30), **options)
    lead.add(lead.one(".min", ".max", ".mean", ".sum", ".std"), rolling)


def concats(lead: Lead, op: str) -> None:
    """Rows of several tables in one, which may come apart again."""
    frame = lead.frame()
    options = lead.one({}, {"ignore_index": True}, {"join": "inner"}, {"keys": ["train", "test"]})
    if lead.flag():
        parts = [frame, lead.frame()]
    else:
        parts = [lead.add("operator.getitem", frame, lead.one([*"fi"], [*"fgij"])) for _ in "ab"]
    whole = lead.add(op, parts, **options)
    if lead.flag():
        lead.add("operator.getitem", lead.add("getattr", whole, "iloc"), slice(3, None))


def columns(lead: Lead, op: str) -> None:
    """Bins, ranks, and what is done with the strings of a whole frame."""
    if op == "pandas.cut":
        edges = sorted(lead.draw(test_bins.EDGES)) if lead.flag() else lead.draw(st.integers(0, 5))
        options = lead.draw(test_bins.OPTIONS)
        options.pop("retbins", None)
        lead.add(op, lead.column(is_number), edges, **options)
    elif op == "pandas.qcut":
        options = {"duplicates": lead.one("raise", "drop"), "labels": lead.one(None, False)}
        lead.add(op, lead.column(is_number), lead.draw(st.integers(1, 5)), **options)
    elif op == ".rank":
        lead.add(op, lead.column(is_number), **lead.draw(test_ranks.OPTIONS))
    elif op == "pandas.get_dummies":
        options = lead.one({}, {"columns": ["s"]}, {"dtype": float}, {"drop_first": True})
        lead.add(op, lead.frame(), **options)
    elif op == "pandas.to_numeric":
        lead.add(op, lead.column(is_text), errors=lead.one("coerce", "raise"))
    elif op == ".clip":
        numbers = lead.add("operator.getitem", lead.frame(), lead.one(["f", "i"], ["i"], [*"fij"]))
        low, high = (lead.add(".quantile", numbers, q) for q in (0.25, lead.one(0.9, 1)))
        lead.add(op, numbers, low, high, axis=1)
    elif op == "stratum.with_column":
        chosen = lead.add("numpy.where", lead.column(is_mask), "yes", lead.one("no", "perhaps"))
        lead.add(op, lead.frame(), lead.one("new", "s", "f"), chosen)
    elif op == ".astype" and lead.flag():
        suits = lead.one(is_date, lambda column: isinstance(column.dtype, pd.CategoricalDtype))
        lead.add(op, lead.column(suits), str)
    else:
        names = lead.one(["s"], ["s", "w"], ["f"])
        lead.add(op, lead.add("operator.getitem", lead.frame(), names), "category")


def _by_op(table: list[tuple[str, tuple[Any, ...], dict[str, Any]]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for op, args, kwargs in table:
        found.setdefault(op, []).append((args, kwargs))
    return found


STRINGS = _by_op([*test_text.CALLS, (".split", ("a",), {}), (".rsplit", (" ",), {}),
                  (".cat", (), {})])  # fmt: skip
TEXTS = _by_op(test_text.ON_SERIES)
DATES: dict[str, Callable[[Lead], tuple[Any, ...]]] = {
    ".strftime": lambda lead: (lead.one("%Y-%m", "%H", "%d.%m.%y"),),
    ".normalize": lambda lead: (),
    ".day_name": lambda lead: (),
}
GROUPED = {op for op, kind in DIRECT if kind is SeriesGroupBy} | {".groupby"}

THEMES: dict[Callable[[Lead, str], None], list[str]] = {
    free: ["any"],
    programs: sorted(SUPPORTED),
    strings: sorted(STRINGS),
    texts: sorted(TEXTS),
    dates: ["pandas.to_datetime", "pandas.to_datetime", ".isocalendar", "getattr", *DATES],
    groups: sorted(GROUPED),
    rows: ["operator.getitem", ".take", ".dropna", ".drop_duplicates", ".duplicated"],
    joins: [".merge", "pandas.merge"],
    columns: ["pandas.cut", "pandas.qcut", ".rank", "pandas.get_dummies", "pandas.to_numeric",
              ".astype", ".clip", "stratum.with_column"],
    windows: [".rolling"],
    concats: ["pandas.concat"],
}  # fmt: skip
"""All themes, and the canonical names that each knows to call."""
