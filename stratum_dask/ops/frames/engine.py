"""Runs a fused chain of frame operations: natively where rules allow it, else in pandas."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pandas as pd

from stratum_dask.ops import counters, direct
from stratum_dask.ops.counters import Fallback, dtypes_of
from stratum_dask.ops.frames import blocks, environment
from stratum_dask.ops.frames.plan import Plan, Refused, make_plan
from stratum_dask.ops.frames.reads import columns_read, handed_on, last_uses
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
        self._last_use = last_uses(steps, n_inputs)
        self._columns_read = columns_read(steps, n_inputs)
        self._handed_on = handed_on(steps, n_inputs)
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
        if step.op not in RULES or self._has_no_program(start, values):
            return self._one_by_one(start, start + 1, values, "no rule", hits, fallbacks)
        plan = self._plan(start, values)
        refused = None
        if plan.stop > start:
            try:
                plan.run(values, self.threads)
                hits += plan.ops
            except Refused as refusal:
                refused = str(refusal)
        # Not where the refusal is caught: what pandas raises shall not seem to follow from that.
        if refused is not None:
            return self._one_by_one(start, plan.stop, values, refused, hits, fallbacks)
        if plan.reason is None:
            return plan.stop
        return self._one_by_one(plan.stop, plan.stop + 1, values, plan.reason, hits, fallbacks)

    def _has_no_program(self, position: int, values: list[Any]) -> bool:
        """Tell by what a call is made on that no program can compute it, or that none reads it.

        Looking at all values to plan one takes longer than many a call on 20,000 rows.
        """
        step = self.steps[position]
        first = step.args[0] if step.args else None
        if type(first) is not Ref:
            return False
        value = values[first.index]
        kind = type(value)
        if kind is pd.DataFrame:
            key = step.args[-1]
            if step.op == "getattr":
                return direct.is_accessor(kind, key)
            return (
                step.op == "operator.getitem"
                and type(key) is str
                and (position in self._handed_on or blocks.has_text(value, key))
            )
        if kind is pd.Series and not blocks.is_text(blocks.series_values(value)):
            return False
        return direct.has_form(step.op, kind)

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
