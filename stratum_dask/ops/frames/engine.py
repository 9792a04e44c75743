"""Runs a fused chain of frame operations: natively where rules allow it, else in pandas."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pandas as pd

from stratum_dask.ops import counters, direct
from stratum_dask.ops.counters import Fallback, dtypes_of
from stratum_dask.ops.direct.text import PIECES
from stratum_dask.ops.frames import blocks, environment
from stratum_dask.ops.frames.plan import Plan, Refused, make_plan
from stratum_dask.ops.frames.schema import Schema
from stratum_dask.ops.frames.table import RULES
from stratum_dask.ops.steps import Ref, Step, Unsupported, resolve

#: Schemas for which one chain keeps its plans.
_MAX_PLANS = 32


class FusedFrame:
    """A chain of frame operations as one callable.

    The values are bound late: every call looks at the dtypes and indexes of its actual inputs,
    runs what has a native form as kernel programs, and leaves the rest to the functions of the
    steps, one by one. Inputs are never changed.

    Parameters
    ----------
    steps : tuple of Step
        The calls, whose last value is the result.
    n_inputs : int
        The number of inputs.
    threads : int or None
        Threads of the kernels, which never change a bit; None for up to one per core
        of the machine that runs them.

    Examples
    --------
    >>> import operator
    >>> import pandas as pd
    >>> steps = (Step("operator.mul", operator.mul, (Ref(0), 2), {}, "double"),)
    >>> FusedFrame(steps, 1)(pd.Series([1.0, 2.0])).tolist()
    [2.0, 4.0]
    """

    def __init__(self, steps: tuple[Step, ...], n_inputs: int, threads: int | None = 1) -> None:
        if not steps:
            raise ValueError("a fused chain needs at least one step")
        self.steps = steps
        self.n_inputs = n_inputs
        self.threads = threads
        self._last_use = _last_uses(steps, n_inputs)
        self._columns_read = _columns_read(steps, n_inputs)
        self._plans: dict[tuple[Any, ...], Plan] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return FusedFrame, (self.steps, self.n_inputs, self.threads)

    def __repr__(self) -> str:
        names = ", ".join(step.op or "?" for step in self.steps)
        return f"FusedFrame({names})"

    def __call__(self, *inputs: Any) -> Any:
        """Return the value of the last step."""
        if len(inputs) != self.n_inputs:
            raise TypeError(f"the chain takes {self.n_inputs} inputs, got {len(inputs)}")
        values: list[Any] = [*inputs, *[None] * len(self.steps)]
        hits: list[str] = []
        fallbacks: list[Fallback] = []
        try:
            position = 0
            while position < len(self.steps):
                position = self._advance(position, values, hits, fallbacks)
                self._drop_dead(position, values)
        finally:
            counters.record(hits, fallbacks)
        return values[-1]

    def _advance(
        self, start: int, values: list[Any], hits: list[str], fallbacks: list[Fallback]
    ) -> int:
        """Run some steps from `start` on; return the next one."""
        step = self.steps[start]
        if step.op not in RULES or _is_of_strings(step, values):
            return self._one_by_one(start, start + 1, values, "no rule", hits, fallbacks)
        plan = self._plan(start, values)
        if plan.stop > start:
            try:
                plan.run(values, self.threads)
            except Refused as refusal:
                return self._one_by_one(start, plan.stop, values, str(refusal), hits, fallbacks)
            hits += plan.ops
        if plan.reason is None:
            return plan.stop
        return self._one_by_one(plan.stop, plan.stop + 1, values, plan.reason, hits, fallbacks)

    def _plan(self, start: int, values: list[Any]) -> Plan:
        live = [
            number
            for number, last in enumerate(self._last_use[: self.n_inputs + start])
            if last >= start
        ]
        schema = Schema(values, live)
        state = environment.current(schema.lengths, schema.readonly)
        key = (start, state, schema.key)
        plan = self._plans.get(key)
        if plan is None or not plan.suits(values):
            stop = len(self.steps)
            with np.errstate(all="ignore"):  # looking at literals must not warn or raise
                plan = make_plan(
                    self.steps,
                    start,
                    stop,
                    self.n_inputs,
                    schema.symbols(),
                    self._last_use,
                    state,
                    values,
                )
            with self._lock:
                if len(self._plans) >= _MAX_PLANS:
                    self._plans.clear()
                self._plans[key] = plan
        return plan

    def _one_by_one(
        self,
        start: int,
        stop: int,
        values: list[Any],
        reason: str,
        hits: list[str],
        fallbacks: list[Fallback],
    ) -> int:
        """Run steps that no program covers: by a kernel of their own, else in the library."""
        for position in range(start, stop):
            step = self.steps[position]
            args = resolve(step.args, values)
            kwargs = resolve(dict(step.kwargs), values) if step.kwargs else {}
            refused = None
            try:
                try:
                    value = direct.call(step.op, args, kwargs, self._columns_read[position])
                    hits.append(step.op or "?")
                except Unsupported as why:
                    refused = str(why)
                if refused is not None:
                    told = _told(reason, refused)
                    fallbacks.append(Fallback(step.op or "?", dtypes_of(args), told))
                    value = step.func(*args, **kwargs)
            except Exception as error:
                error.add_note(f"in step {step.label!r}")
                raise
            values[self.n_inputs + position] = value
        return stop

    def _drop_dead(self, position: int, values: list[Any]) -> None:
        for number, last in enumerate(self._last_use[: self.n_inputs + position]):
            if last < position:
                values[number] = None


def _told(by_program: str, by_table: str) -> str:
    """Return which of two reasons to tell why a call is left to the library.

    A column or arguments that programs don't know are the other table's affair, if it has the call.
    """
    no_rule = by_program in ("arguments", "axis") and by_table == "no rule"
    return by_program if no_rule or by_program not in _VAGUE else by_table


_VAGUE = ("no rule", "dtype", "arguments", "axis")


def _is_of_strings(step: Step, values: list[Any]) -> bool:
    """Tell by what a call is made on that no program can compute it.

    Looking at all values to plan one takes longer than many a call on 20,000 strings.
    """
    first = step.args[0] if step.args else None
    if type(first) is not Ref:
        return False
    value = values[first.index]
    kind = type(value)
    if kind is pd.DataFrame:
        key = step.args[-1]
        return step.op == "operator.getitem" and type(key) is str and blocks.has_text(value, key)
    if kind is pd.Series and not blocks.is_text(blocks.series_values(value)):
        return False
    return direct.has_form(step.op, (value,))


def _last_uses(steps: tuple[Step, ...], n_inputs: int) -> list[int]:
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


def _columns_read(steps: tuple[Step, ...], n_inputs: int) -> list[frozenset[str] | None]:
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
