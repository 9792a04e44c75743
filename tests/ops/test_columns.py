"""Columns as wholes: selection, assignment, renaming, dropping, conversion, rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from stratum_dask.ops.frames import FusedFrame
from stratum_dask.ops.steps import Ref
from tests.ops.examples import inputs
from tests.ops.generate import DTYPES, TYPES, frames
from tests.ops.operands import (
    FOREIGN,
    STATES,
    call,
    check_under,
    each_op,
    foreign,
    operands,
    prefixed,
    some,
)
from tests.ops.oracle import check, step

#: Labels that frames have, that they don't, and that equal or hash like one that they have.
LABELS = st.sampled_from(["a", "b", "c", "d", "s", "new", "self", "b", 0, 1, True, 1.0, None])
COLUMNS = st.one_of(
    st.none(),
    st.just([0, 1, 2, 3]),
    st.just(["a", 1, "c", "d"]),
    st.just([True, False, "x", "y"]),
    st.just([("a", 1), ("a", 2), ("b", 1), ("b", 2)]),
    st.just([np.nan, None, "a", "b"]),
    st.just(["a", "a", "a", "a"]),
)


@st.composite
def labelled(draw: st.DrawFn) -> pd.DataFrame:
    """Frames, also with columns that aren't strings, named columns or attributes."""
    frame = draw(frames())
    names = draw(COLUMNS) if draw(st.integers(0, 3)) == 0 else None
    if names is not None and frame.shape[1] == 4:
        frame.columns = names
    kind = draw(st.integers(0, 9))
    if kind == 0:
        frame.columns = frame.columns.rename("label")
    elif kind == 1:
        frame.attrs["source"] = "test"
    elif kind == 2 and frame.columns.is_unique:
        frame = frame.set_flags(allows_duplicate_labels=False) if frame.index.is_unique else frame
    return frame


def label_lists(frame: pd.DataFrame) -> st.SearchStrategy[Any]:
    known = list(frame.columns)
    return st.one_of(
        st.lists(st.sampled_from(known), unique=True) if known else st.just([]),
        st.lists(LABELS, max_size=3),
    )


@each_op("operator.getitem", "getattr")
@some(1, frame=labelled(), data=st.data())
def test_one_column(op, frame, data):
    if op == "getattr":
        label = data.draw(st.sampled_from(["a", "b", "zz"]))
    else:
        label = data.draw(st.one_of(LABELS, st.sampled_from([*frame.columns, "a"])))
    steps, inputs = data.draw(call(op, [frame, label]))
    check(steps, inputs)


@some(1, frame=labelled(), data=st.data(), method=st.sampled_from([".shift", ".diff", ".cumsum"]))
def test_columns_that_only_the_library_reads(frame, data, method):
    label = data.draw(st.one_of(LABELS, st.sampled_from([*frame.columns, "a"])))
    steps = [step("operator.getitem", Ref(0), label), step(method, Ref(1))]
    if data.draw(st.booleans()):
        steps.append(step("stratum.with_column", Ref(0), "new", Ref(2)))
    check(steps, [frame])


def test_what_the_library_reads_is_never_planned():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    for steps in (
        [step("operator.getitem", Ref(0), "a"), step(".shift", Ref(1))],
        [step("getattr", Ref(0), "iloc"), step("operator.getitem", Ref(1), slice(0, 1))],
    ):
        fused = FusedFrame(tuple(steps), 1)
        fused(frame)
        assert not fused._plans
    fused = FusedFrame((step("operator.getitem", Ref(0), "a"), step(".abs", Ref(1))), 1)
    fused(frame)
    assert fused._plans


@each_op("operator.getitem")
@some(2, frame=labelled(), data=st.data())
def test_many_columns(op, frame, data):
    labels = data.draw(label_lists(frame))
    check(
        [
            step(op, Ref(0), data.draw(st.sampled_from([list, tuple, np.array, pd.Index]))(labels)),
        ]
        if all(type(x) is str for x in labels)
        else [step(op, Ref(0), labels)],
        [frame],
    )


@each_op("operator.getitem")
@some(1, values=operands(), data=st.data())
def test_rows(op, values, data):
    """Masks, slices and positions, which pandas answers."""
    key = data.draw(st.one_of(st.just(Ref(1)), st.just(slice(1, 3)), st.integers(-1, 2)))
    check([step(op, Ref(0), key)], values)


@some(0.5, st.permutations("fgijtu"), st.sets(st.sampled_from("fgijtu")))
def test_blocks_after_drop(order, dropped):
    """pandas takes a block apart of which it would have to copy what stays."""
    frame = inputs()[6]
    steps = [
        step("operator.getitem", Ref(0), list(order)),
        step("stratum.with_column", Ref(1), "new", 1.5),
        step(".drop", Ref(2), columns=sorted(dropped)),
    ]
    check(steps, [frame])
    check([*steps, step(".sum", Ref(3), axis=1)], [frame])


@each_op(".drop")
@some(2, frame=labelled(), data=st.data())
def test_drop(op, frame, data):
    labels = data.draw(st.one_of(LABELS, label_lists(frame)))
    arguments = data.draw(
        st.sampled_from(
            [
                ((), {"columns": labels}),
                ((labels,), {"axis": 1}),
                ((labels,), {"axis": "columns"}),
                ((), {"labels": labels, "axis": 1}),
                ((labels,), {}),
                ((), {"index": labels}),
                ((labels,), {"columns": labels}),
                ((), {"columns": labels, "axis": 1}),
                ((), {"columns": labels, "errors": "ignore"}),
                ((labels,), {"axis": True}),
                ((), {}),
            ]
        )
    )
    check([step(op, Ref(0), *arguments[0], **arguments[1])], [frame])


@each_op(".rename")
@some(
    2,
    frame=labelled(),
    mapping=st.dictionaries(LABELS, st.sampled_from(["x", "b", "", 3, ("a", "b"), None])),
    data=st.data(),
)
def test_rename(op, frame, mapping, data):
    keywords = data.draw(
        st.sampled_from(
            [
                {"columns": mapping},
                {"columns": mapping},
                {"columns": str},
                {"index": mapping},
                {"columns": mapping, "errors": "raise"},
                {"columns": mapping, "axis": 1},
                {"mapper": mapping, "axis": 1},
                {},
            ]
        )
    )
    check([step(op, Ref(0), **keywords)], [frame])
    check([step(op, Ref(0), mapping)], [frame])


@each_op("stratum.with_column")
@some(3, values=operands(), label=LABELS, data=st.data())
def test_with_column(op, values, label, data):
    frame, value = values
    if isinstance(frame, pd.Series):
        frame = frame.to_frame("a")
    steps, inputs = data.draw(call(op, [frame, label, value]))
    check(steps, inputs)


@each_op(".assign")
@some(3, values=operands(count=3), names=st.permutations(["a", "new", "self", "b"]))
def test_assign(op, values, names):
    frame = values[0] if isinstance(values[0], pd.DataFrame) else values[0].to_frame("a")
    columns = {names[0]: Ref(1), names[1]: Ref(2)}
    check([step(op, Ref(0), **columns)], [frame, *values[1:]])


@each_op(".assign")
def test_assign_functions_and_nothing(op):
    frame = pd.DataFrame({"a": [1.0, np.nan]})
    check([step(op, Ref(0))], [frame])
    check([step(op, Ref(0), b=len)], [frame])
    check([step(op, Ref(0), b=[1, 2])], [frame])
    check([step(op, Ref(0), 1)], [frame])
    check([step(op, Ref(0), b=1)], [frame["a"]])


@each_op(".copy")
@some(1, values=operands(count=1), arguments=st.sampled_from([(), (True,), (False,), (None,)]))
def test_copy(op, values, arguments):
    check([step(op, Ref(0), *arguments)], values)
    check([step(op, Ref(0), **dict(zip(["deep"], arguments, strict=False)))], values)


@each_op(".astype")
@some(4, values=operands(count=1), target=st.sampled_from(TYPES), named=st.booleans(), state=STATES)
def test_astype(op, values, target, named, state):
    steps = [step(op, Ref(0), dtype=target) if named else step(op, Ref(0), target)]
    check_under(state, steps, values)


@each_op(".astype")
@some(1, frame=labelled(), targets=st.dictionaries(LABELS, st.sampled_from(TYPES), max_size=3))
def test_astype_by_column(op, frame, targets):
    check([step(op, Ref(0), targets)], [frame])


@each_op(".astype")
@pytest.mark.parametrize("source", DTYPES)
def test_limits_of_conversions(op, source):
    limits: list[Any] = [0, 1]
    if source.startswith("float"):
        for bits in (7, 8, 15, 16, 24, 31, 32, 53, 63, 64):
            limits += [2.0**bits, 2.0**bits - 1, -(2.0**bits), -(2.0**bits) - 1, 2.0**bits - 0.5]
        limits += [-0.0, -0.5, 0.99, 1e-40, 3.5e38, 1e300, np.nan, np.inf, -np.inf]
    elif source != "bool":
        info = np.iinfo(source)
        limits += [info.min, info.max, info.max - 1, info.max // 2 + 1]
    with np.errstate(all="ignore"):
        column = pd.Series(np.array(limits).astype(source))
    for target in DTYPES:
        steps = [step(op, Ref(0), target)]
        check(steps, [column])
        for state in (None, {"all": "raise"}) if source.startswith("float") else ():
            for position in range(len(column)):
                check_under(state, steps, [column[position : position + 1]])


ROUNDINGS = st.sampled_from([0, 1, 2, 5, -1, -3, 22, 23, 25, -22, -23, 300, True, 1.0, np.int64(1)])


@each_op(".round", "numpy.round")
@some(2, values=operands(count=1), decimals=ROUNDINGS, named=st.booleans(), state=STATES)
def test_round(op, values, decimals, named, state):
    steps = [step(op, Ref(0), decimals=decimals) if named else step(op, Ref(0), decimals)]
    check_under(state, steps, values)
    check_under(state, [step(op, Ref(0))], values)
    check_under(state, [step(op, Ref(0), {"a": 1})], values)


@each_op(".copy", ".round", ".assign", *prefixed("", ["drop", "rename", "astype"]))
@pytest.mark.parametrize("kind", FOREIGN)
def test_other_dtypes_pass_through(op, kind):
    """Columns that no program computes with stay as they are beside those that one does."""
    frame = pd.DataFrame({"a": [1.25, 2.5, np.nan], "x": pd.Series(foreign(kind, 3))})
    arguments: dict[str, dict[str, Any]] = {
        ".assign": {"b": 1, "x": 2.0},
        ".drop": {"columns": ["a"]},
        ".rename": {"columns": {"x": "y"}},
        ".astype": {"dtype": {"a": "float32"}},
    }
    check([step(op, Ref(0), **arguments.get(op, {}))], [frame])
    check([step("operator.getitem", Ref(0), "x"), step(".copy", Ref(1))], [frame])
    steps = [step(".assign", Ref(0), a=0), step("operator.getitem", Ref(1), ["x", "a"])]
    check(steps, [frame])
