"""A plan: a kernel program for a stretch of steps, and how its results become pandas objects."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from dask.system import CPU_COUNT

from stratum_dask import _native
from stratum_dask.ops.frames import blocks
from stratum_dask.ops.frames.builder import Builder
from stratum_dask.ops.frames.environment import Environment, reports
from stratum_dask.ops.frames.symbols import (
    DTYPES,
    Column,
    Dates,
    Frame,
    Labels,
    Mode,
    OtherLength,
    Row,
    Scalar,
    Unsupported,
)
from stratum_dask.ops.frames.table import RULES
from stratum_dask.ops.memory import empty
from stratum_dask.ops.steps import Step, resolve

#: Fewer are done before another thread has woken up.
_ROWS_FOR_A_THREAD = 32_768


class Refused(Exception):
    """A run met data for which pandas would have done something else; carries the reason."""


class Run:
    """The arrays of one run of a plan."""

    __slots__ = ("arrays", "scalars", "values")

    def __init__(self, values: Sequence[Any], arrays: list[np.ndarray]) -> None:
        self.values = values
        self.arrays = arrays
        self.scalars: list[Any] = []


Build = Callable[[Run], Any]


class Plan:
    """What to do for the steps from `start` up to `stop`.

    Attributes
    ----------
    stop : int
        The first step that the plan doesn't cover.
    reason : str or None
        Why it doesn't, if pandas has to run that step.
    ops : list of str
        The names of the covered steps.
    """

    def __init__(
        self,
        stop: int,
        reason: str | None,
        ops: list[str],
        builder: Builder,
        outputs: Mapping[int, Any],
    ) -> None:
        self.stop = stop
        self.reason = reason
        self.ops = ops
        self._buffers: list[tuple[np.dtype[Any], int]] = []
        self._rows: list[tuple[int, int, int]] = []  # node, buffer, row
        self._scalars: dict[int, int] = {}
        self._measured: int | None = None  # a value with as many rows as the new columns
        self._builder = builder
        self._outputs = [(number, self._recipe(symbol)) for number, symbol in outputs.items()]
        self._compile(builder)

    # -- building ---------------------------------------------------------------------------

    def _recipe(self, symbol: Any) -> Build:
        if isinstance(symbol, Column):
            return self._column_recipe(symbol)
        if isinstance(symbol, Dates):
            series = self._column_recipe(symbol.column)
            return lambda run: series(run).dt
        if isinstance(symbol, Frame):
            return self._frame_recipe(symbol)
        if isinstance(symbol, Row):
            return self._row_recipe(symbol)
        assert isinstance(symbol, Scalar)
        slot = self._scalar(symbol.node)
        return lambda run: run.scalars[slot]

    def _column_recipe(self, column: Column) -> Build:
        index, name, source = column.index, column.name, column.source
        if column.node is None and source is not None and index is not None:
            return lambda run: blocks.share_series(run.values, source, _index(run, index), name)
        buffer = self._allocate(column.dtype, [column], index)
        if index is None:
            return lambda run: run.arrays[buffer][0]
        return lambda run: blocks.make_series(run.arrays[buffer][0], _index(run, index), name)

    def _frame_recipe(self, frame: Frame) -> Build:
        selections = frame.selections
        if selections:
            return lambda run: _select(run.values[frame.base], selections)
        parts = [self._block_recipe(frame, list(block)) for block in frame.blocks]
        labels, index = frame.labels.index, frame.index
        return lambda run: blocks.make_frame(
            [part(run) for part in parts], labels.view(), _index(run, index)
        )

    def _block_recipe(self, frame: Frame, positions: list[int]) -> Build:
        base, columns = frame.base, [frame.columns[position] for position in positions]
        origins = [column for column in columns if isinstance(column, int)]
        if len(origins) == len(columns) and frame.layout.together(origins):
            return lambda run: blocks.share_columns(run.values[base], origins, positions)
        first = columns[0]
        if isinstance(first, Column) and first.node is None and first.source is not None:
            source = first.source
            return lambda run: blocks.borrow(run.values, source, positions[0])
        loaded = [frame.column(position) for position in positions]
        buffer = self._allocate(loaded[0].dtype, loaded, frame.index)
        return lambda run: blocks.new_block(run.arrays[buffer], positions)

    def _row_recipe(self, row: Row) -> Build:
        slots = [self._scalar(scalar.node) for scalar in row.scalars]
        labels: Labels = row.labels
        dtype, name = DTYPES[row.dtype], row.name

        def build(run: Run) -> pd.Series:
            values = np.array([run.scalars[slot] for slot in slots], dtype=dtype)
            return blocks.make_series(values, labels.index.view(), name)

        return build

    def _allocate(self, dtype: str | None, columns: Iterable[Any], index: int | None) -> int:
        """Reserve a buffer with one row per column and return its number."""
        assert dtype is not None
        if index is not None:
            self._measured = index
        number = len(self._buffers)
        nodes = [self._builder.load(column) for column in columns]
        self._buffers.append((DTYPES[dtype], len(nodes)))
        for row, node in enumerate(nodes):
            self._rows.append((node, number, row))
        return number

    def _scalar(self, node: int) -> int:
        return self._scalars.setdefault(node, len(self._scalars))

    def _compile(self, b: Builder) -> None:
        self._finite = [self._scalar(node) for node in dict.fromkeys(b.finite)]
        self._false = [self._scalar(node) for node in dict.fromkeys(b.false)]
        computed = b.computed_for([*self._scalars, *(node for node, _, _ in self._rows)])
        for node in dict.fromkeys(b.visible):  # their effects count even if nobody reads them
            if not b.is_column[node]:
                self._scalar(node)
            elif node not in computed:
                self._rows.append((node, len(self._buffers), 0))
                self._buffers.append((DTYPES[b.dtype(node)], 1))
        self._fills: list[tuple[int, int, int, Any]] = []  # buffer, row, scalar or -1, value
        self._targets: list[tuple[int, int]] = []
        columns = []
        for node, buffer, row in self._rows:
            if b.is_column[node]:
                columns.append(node)
                self._targets.append((buffer, row))
            elif b.nodes[node][0] == "const":
                self._fills.append((buffer, row, -1, b.nodes[node][2]))
            else:
                self._fills.append((buffer, row, self._scalar(node), None))
        wanted = [*columns, *self._scalars]
        self._program = _native.Program(b.nodes, wanted) if wanted else None
        self._sources = b.sources if wanted else []
        self._loud = b.loud
        self._dtypes = [DTYPES[b.dtype(node)].type for node in self._scalars]

    # -- running ----------------------------------------------------------------------------

    def suits(self, values: Sequence[Any]) -> bool:
        """Whether dates are missing where the plan was made for that, and rows are its own."""
        return all(
            blocks.has_missing_dates(values, source) == missing
            for source, missing in self._builder.missing.items()
        ) and all(
            blocks.same_row(values[source.value], row) for source, row in self._builder.rows.items()
        )

    def run(self, values: list[Any], threads: int | None) -> None:
        """Compute the covered steps and store what later steps need in `values`.

        Raises
        ------
        Refused
            When pandas would have done something else with these data; `values` is unchanged.
        """
        inputs = [blocks.column_values(values[s.value], s.position) for s in self._sources]
        if inputs:
            length = len(inputs[0])
        else:
            length = 0 if self._measured is None else len(values[self._measured])
        if threads is None:
            threads = min(CPU_COUNT, max(1, length // _ROWS_FOR_A_THREAD))
        run = Run(values, [empty((rows, length), dtype) for dtype, rows in self._buffers])
        if self._program is not None:
            outputs = [run.arrays[buffer][row] for buffer, row in self._targets]
            scalars, flags = self._program.run(inputs, outputs, threads)
            if flags:
                self._check_flags(flags)
            run.scalars = [kind(value) for kind, value in zip(self._dtypes, scalars, strict=True)]
            self._check_guards(run.scalars)
        for buffer, row, slot, value in self._fills:
            run.arrays[buffer][row] = run.scalars[slot] if slot >= 0 else value
        results = [(number, build(run)) for number, build in self._outputs]
        for number, result in results:
            values[number] = result

    def _check_flags(self, flags: list[tuple[int, int]]) -> None:
        for node, bits in flags:
            if bits & ~15:
                raise Refused("values outside the native range")
            if node in self._loud and reports(bits):
                raise Refused("floating point error that NumPy reports")

    def _check_guards(self, scalars: list[Any]) -> None:
        if not all(math.isfinite(scalars[slot]) for slot in self._finite):
            raise Refused("reduction that is not finite")
        if any(scalars[slot] for slot in self._false):
            raise Refused("key without a value")


def _select(frame: pd.DataFrame, selections: tuple[tuple[str, list[Any]], ...]) -> pd.DataFrame:
    for method, labels in selections:
        frame = frame[labels] if method == "getitem" else frame.drop(columns=labels)
    return frame


def _index(run: Run, number: int) -> pd.Index:
    return run.values[number].index.view()


def make_plan(
    steps: Sequence[Step],
    start: int,
    stop: int,
    n_inputs: int,
    known: Mapping[int, Any],
    last_use: Sequence[int],
    environment: Environment,
    values: Sequence[Any],
) -> Plan:
    """Plan as many steps from `start` on as have rules for their operands.

    Parameters
    ----------
    steps : sequence of Step
        All steps of the task.
    start, stop : int
        The first step, and the one that the plan must not reach.
    n_inputs : int
        The number of the first step's value.
    known : mapping
        Symbols of the values that exist.
    last_use : sequence of int
        The last step that reads each value.
    environment : Environment
        The state that decides how pandas computes.
    values : sequence
        The values that exist, by number.
    """
    builder = Builder(environment, values)
    symbols: list[Any] = [known.get(number) for number in range(n_inputs + start)]
    ops: list[str] = []
    reason: str | None = None
    for position in range(start, stop):
        step = steps[position]
        mark = builder.mark()
        try:
            symbols.append(_lower(builder, step, symbols))
        except Unsupported as error:
            reason = str(error)
        except OtherLength:  # the next plan goes on from here, unless the step itself mixes them
            reason = "different lengths" if position == start else None
        else:
            assert step.op is not None
            ops.append(step.op)
            continue
        builder.reset(mark)
        stop = position
        break
    outputs = {
        number: symbols[number]
        for number in range(n_inputs + start, n_inputs + stop)
        if last_use[number] >= stop
    }
    for number, symbol in outputs.items():
        if isinstance(symbol, Mode):  # a Series of unknown length, which pandas has to make
            before = number - n_inputs
            plan = make_plan(steps, start, before, n_inputs, known, last_use, environment, values)
            plan.reason = "mode as a Series"
            return plan
    return Plan(stop, reason, ops, builder, outputs)


def _lower(builder: Builder, step: Step, symbols: list[Any]) -> Any:
    rule = RULES.get(step.op or "")
    if rule is None:
        raise Unsupported("no rule")
    args, kwargs = resolve(step.args, symbols), resolve(dict(step.kwargs), symbols)
    return rule(builder, args, kwargs)
