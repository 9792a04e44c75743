"""What the steps of a chain read of each other's values."""

from __future__ import annotations

from typing import Any

import pandas as pd

from stratum_dask.ops import direct
from stratum_dask.ops.direct.text import PIECES
from stratum_dask.ops.frames.table import RULES
from stratum_dask.ops.steps import Ref, Step


def last_uses(steps: tuple[Step, ...], n_inputs: int) -> list[int]:
    """Return the last step that reads each value; the result is read after all steps."""
    last = [-1] * (n_inputs + len(steps))
    for position, step in enumerate(steps):
        read: list[int] = []
        _collect(step.args, read)
        if step.kwargs:
            _collect(dict(step.kwargs), read)
        for number in read:
            if not 0 <= number < n_inputs + position:
                raise ValueError(f"step {step.label!r} reads a value that comes after it")
            last[number] = position
    last[-1] = len(steps)
    return last


def handed_on(steps: tuple[Step, ...], n_inputs: int) -> set[int]:
    """Return the steps that select a column which only the library reads."""
    selected = {
        n_inputs + position: position
        for position, step in enumerate(steps[:-1])
        if step.op == "operator.getitem" and len(step.args) == 2 and type(step.args[1]) is str
    }
    for step in steps:
        if step.op in RULES or direct.has_form(step.op, pd.Series):
            found: list[int] = []
            _collect((step.args, dict(step.kwargs)), found)
            for number in found:
                selected.pop(number, None)
    return set(selected.values())


def columns_read(steps: tuple[Step, ...], n_inputs: int) -> list[frozenset[str] | None]:
    """Return for each step which columns of its value later steps select, None if they do more."""
    read: list[set[str] | None] = [set() for _ in steps]
    pieces = _split_for_pieces(steps, n_inputs)
    for step in steps:
        template: Any = (step.args, dict(step.kwargs))
        selects = step.op == "operator.getitem" or (
            step.op == "getattr" and not hasattr(pd.DataFrame, str(step.args[1]))
        )
        if selects and len(step.args) == 2 and type(step.args[0]) is Ref:
            key, number = step.args[1], step.args[0].index - n_inputs
            labels = key if type(key) is list else [key]
            if all(type(label) is str for label in labels):
                columns = read[number] if number >= 0 else None
                if columns is not None:
                    columns.update(labels)
                template = ()
        found: list[int] = []
        _collect(template, found)
        for number in found:
            if number >= n_inputs:
                read[number - n_inputs] = None
    return [
        PIECES
        if position in pieces
        else None
        if columns is None or position == len(steps) - 1
        else frozenset(columns)
        for position, columns in enumerate(read)
    ]


def _split_for_pieces(steps: tuple[Step, ...], n_inputs: int) -> set[int]:
    """Return the steps that make lists of which later steps only take single items."""
    users: dict[int, list[tuple[int, Step]]] = {}
    for position, step in enumerate(steps):
        found: list[int] = []
        _collect((step.args, dict(step.kwargs)), found)
        for number in found:
            users.setdefault(number, []).append((position, step))

    def only_items(number: int) -> bool:
        return number != n_inputs + len(steps) - 1 and all(
            step.op in ("operator.getitem", ".get")
            and step.args[:1] == (Ref(number),)
            and len(step.args) == 2
            and type(step.args[1]) is int
            and not step.kwargs
            for _, step in users.get(number, [])
        )

    return {
        position
        for position, step in enumerate(steps[:-1])
        if step.op in (".split", ".rsplit")
        and all(
            user.op == "getattr"
            and user.args == (Ref(n_inputs + position), "str")
            and only_items(n_inputs + place)
            for place, user in users.get(n_inputs + position, [])
        )
    }


def _collect(template: Any, found: list[int]) -> None:
    """Append the numbers of all `Ref` inside a template, as `resolve` finds them."""
    kind = type(template)
    if kind is Ref:
        found.append(template.index)
    elif kind is tuple or kind is list or kind is set:
        for item in template:
            _collect(item, found)
    elif kind is dict:
        _collect([*template, *template.values()], found)
    elif kind is slice:
        _collect([template.start, template.stop, template.step], found)
