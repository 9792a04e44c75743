"""Random candidates that edit what they are given: each gets what it would have got alone."""

from __future__ import annotations

import dask
import numpy as np
import pandas as pd
import pytest
from dask import delayed
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

import stratum_dask as sd


def make_frame():
    return pd.DataFrame(
        {"x": [3.0, 1.0, None], "n": [1, 2, 3], "s": ["a", "b", None], "cells": [[1], [2], [3]]}
    )


def assign(frame):
    frame["x"] = frame["x"] * 2
    return frame


def locate(frame):
    frame.loc[0, "x"] = 99.0
    return frame


def new_name(frame):
    return f"new{sum(name.startswith('new') for name in frame.columns)}"


def insert(frame):
    frame.insert(0, new_name(frame), 1)
    return frame


def rename(frame):
    frame.columns = [f"{name}_" if name == "s" else name for name in frame.columns]
    return frame


def fill_in_place(frame):
    frame.fillna({"x": 0.0}, inplace=True)
    return frame


def edit_cells(frame):
    for cell in frame["cells"]:
        cell.append(len(cell))
    return frame


def edit_first_cell(frame):
    frame["cells"].iloc[0].append(7)
    return frame


def append_one(cell):
    cell.append(1)
    return cell


def map_cells(frame):
    frame["cells"].map(append_one)
    return frame


def insert_by_class(frame):
    pd.DataFrame.insert(frame, 0, new_name(frame), 2)
    return frame


def scale_in_place(frame):
    numbers = frame[["n"]].astype(float)
    StandardScaler(copy=False).fit_transform(numbers)
    return frame.assign(scaled=numbers["n"])


def shallow(frame):
    return frame.copy(deep=False)


def copy_and_assign(frame):
    frame = frame.copy()
    frame["sum"] = frame["x"] + frame["n"]
    return frame


def select(frame):
    return frame[[name for name in frame.columns if name != "s"]]


def make_array():
    return np.arange(12.0).reshape(4, 3)


def add(array):
    array += 1
    return array


def set_row(array):
    array[0] = 7
    return array


def part(array):
    return array[: max(len(array) - 1, 1)]


def transposed(array):
    return array.T


def flattened(array):
    return array.reshape(-1)


def sort(array):
    array.sort()
    return array


def triple(array):
    return np.multiply(array, 3, out=array)


def fill(array):
    np.copyto(array, 2.5, where=array > 3)
    return array


def clip_into_itself(array):
    array.clip(0, 5, array)
    return array


def replace_missing(array):
    np.nan_to_num(array, copy=False, nan=1.0)
    return array


def sort_by_class(array):
    np.ndarray.sort(array)
    return array


def edit_one_of_two(array, same):
    array *= 2
    return same


def make_twins():
    row, whole = [0], np.arange(6.0)
    return {"rows": [row, row], "whole": whole, "part": whole[1:4]}


def edit_twin(twins):
    twins["rows"][0].append(len(twins["rows"][1]))
    return twins


def edit_part(twins):
    twins["part"] += 1
    return twins


def edit_all(twins):
    twins["whole"][:3] *= 2
    return twins


def swap(twins):
    return {**twins, "rows": twins["rows"][::-1]}


def make_list():
    return [1, [2, 3], {"k": [4]}]


def append(items):
    items.append(len(items))
    return items


def append_inside(items):
    items[1].append(9)
    return items


def set_inside(items):
    items[2]["k"].append(1)
    items[2][len(items)] = 0
    return items


def shallow_list(items):
    return list(items)


def reverse_twice(items):
    items.reverse()
    items.reverse()
    return items


STEPS = {
    make_frame: (
        assign, locate, insert, rename, fill_in_place, edit_cells, edit_first_cell, shallow,
        copy_and_assign, select, map_cells, insert_by_class, scale_in_place,
    ),
    make_array: (
        add, set_row, part, transposed, flattened, sort, triple, fill, clip_into_itself,
        replace_missing, sort_by_class, edit_one_of_two,
    ),
    make_twins: (edit_twin, edit_part, edit_all, swap),
    make_list: (append, append_inside, set_inside, shallow_list, reverse_twice),
}  # fmt: skip


@st.composite
def batches(draw):
    """Candidates as (maker, whether its value is a literal, steps); many share a prefix."""
    batch = []
    for _ in range(draw(st.integers(2, 5))):
        if batch and draw(st.booleans()):
            maker, literal, steps = draw(st.sampled_from(batch))
            steps = steps[: draw(st.integers(0, len(steps)))]
        else:
            maker, literal, steps = draw(st.sampled_from(list(STEPS))), draw(st.booleans()), ()
        more = draw(st.lists(st.sampled_from(STEPS[maker]), min_size=1, max_size=4))
        batch.append((maker, literal, (*steps, *more)))
    return batch


def build(batch):
    """Return the candidates as Delayed objects, and the literals that they share."""
    literals = {maker: maker() for maker in STEPS}
    candidates = []
    for maker, literal, steps in batch:
        value = delayed(literals[maker]) if literal else delayed(maker)()
        for step in steps:
            value = delayed(step)(value, value) if step is edit_one_of_two else delayed(step)(value)
        candidates.append(value)
    return candidates, literals


def shown(value):
    if isinstance(value, pd.DataFrame):
        return repr((value.to_dict("list"), value.dtypes.tolist()))
    return repr(value)


@pytest.mark.parametrize("scheduler", ["sync", "threads"])
@given(batch=batches())
def test_random_candidates_get_what_they_would_alone(scheduler, batch):
    alone = [shown(build([one])[0][0].compute(scheduler="sync")) for one in batch]
    candidates, literals = build(batch)
    results = dask.compute(*sd.optimize(candidates), scheduler=scheduler)
    assert list(map(shown, results)) == alone
    assert {make: shown(value) for make, value in literals.items()} == {
        make: shown(make()) for make in STEPS
    }
