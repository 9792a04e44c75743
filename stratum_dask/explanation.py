"""What the optimizer did with a batch, for people to read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any, NamedTuple

import pandas as pd
from dask.system import CPU_COUNT

from stratum_dask.forecast import Forecast, Outline
from stratum_dask.graph import Graph, Key, Workers, key_split
from stratum_dask.ops.counters import Counters
from stratum_dask.runtime.costs import estimate, open_book
from stratum_dask.units import time_of

_MOST = 20


class PassRecord(NamedTuple):
    """One run of one pass."""

    stage: str
    name: str
    before: int
    after: int
    seconds: float


class Work(NamedTuple):
    """How long the tasks of a batch take.

    Attributes
    ----------
    written : float
        Seconds of all tasks as the user wrote them.
    unique : float
        Seconds of those that are left to run.
    cores : int
        Among which they can be divided.
    known : float
        Of the seconds left to run, the share of tasks of a kind that was measured before; the
        others are guessed.
    """

    written: float
    unique: float
    cores: int
    known: float = 1.0

    @classmethod
    def estimated(cls, before: Graph, after: Graph) -> Work:
        """Estimate it from the cost book."""
        book = open_book()
        left = estimate(after, book).values()
        unique = sum(cost.seconds for cost in left)
        return cls(
            written=sum(cost.seconds for cost in estimate(before, book).values()),
            unique=unique,
            cores=CPU_COUNT,
            known=sum(cost.seconds for cost in left if cost.known) / unique if unique else 1.0,
        )

    @property
    def floor(self) -> float:
        """Seconds below which the batch cannot get: what is left, divided among the cores."""
        return self.unique / self.cores

    def __str__(self) -> str:
        return (
            f"{time_of(self.written)} -> {time_of(self.unique)}, on {self.cores} cores at least "
            f"{time_of(self.floor)} ({self.known:.0%} of it measured before)"
        )


@dataclass(frozen=True)
class Explanation:
    """Every decision of the optimizer over one batch.

    Attributes
    ----------
    candidates : int
        Candidates in the batch.
    tasks_before, tasks_after : int
        Tasks as the user wrote them, and as they will be run.
    unique_tasks : int
        Distinct computations after merging, before fusion and packing: the floor of the work.
    passes : tuple of PassRecord
        One per run of a pass, in order.
    merged : dict of key to int
        For each shared task, how many of the user's tasks it stands for.
    fused : dict of key to tuple of str
        For each fused frame task, its operations.
    packed : dict of key to tuple of str
        For each packed chain, the names of its steps.
    why_not : dict of str to str
        For each task that was kept apart, the reason.
    work : Work
        Seconds of all tasks before and after, and the floor.
    families : dict of key to int
        For each task that does what the fits of a family have in common, how many fits.
    native : dict of str to int
        How many calls of each operation may run natively.
    calls : Counters
        What those operations have done natively so far, and what they have not and why.
    saved : dict of key to float
        For each value that is read from the store, the seconds that computing it took.
    forecast : Forecast or None
        How the batch is expected to run, if that was asked for.
    outline : Outline or None
        What a forecast is made from.
    workers : Workers or None
        Of the cluster that it was planned for.
    """

    candidates: int
    tasks_before: int
    tasks_after: int
    unique_tasks: int
    passes: tuple[PassRecord, ...]
    merged: dict[Key, int]
    fused: dict[Key, tuple[str, ...]]
    packed: dict[Key, tuple[str, ...]]
    why_not: dict[str, str]
    work: Work
    families: dict[Key, int] = field(default_factory=dict)
    native: dict[str, int] = field(default_factory=dict)
    calls: Counters = field(default_factory=Counters)
    saved: dict[Key, float] = field(default_factory=dict)
    forecast: Forecast | None = None
    outline: Outline | None = field(default=None, repr=False, compare=False)
    workers: Workers | None = None

    def scheduled(self, workers: int | None = None) -> Explanation:
        """Return the same with a forecast of how the batch runs.

        Parameters
        ----------
        workers : int, optional
            On how many workers, with one thread and a machine each. The default are those of the
            cluster that it was planned for, or else this process with a thread per core.

        Raises
        ------
        ConfigError
            If `workers` is not positive.
        """
        where = self.workers or Workers.here() if workers is None else Workers.alike(workers)
        if self.outline is None:
            return self
        return replace(self, forecast=self.outline.estimated().place(where))

    def reasons(self) -> list[tuple[str, int, str]]:
        """Return each reason for keeping tasks apart, how often it applies, and an example."""
        counts = Counter(self.why_not.values())
        examples = {reason: key for key, reason in reversed(self.why_not.items())}
        return [(reason, n, examples[reason]) for reason, n in counts.most_common()]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per pass: stage, pass, tasks before and after, seconds."""
        return pd.DataFrame(
            [
                {
                    "stage": p.stage,
                    "pass": p.name,
                    "before": p.before,
                    "after": p.after,
                    "seconds": p.seconds,
                }
                for p in self.passes
            ],
            columns=["stage", "pass", "before", "after", "seconds"],
        )

    def operations(self) -> pd.DataFrame:
        """Return what may run natively, what has, and what has not and why.

        Returns
        -------
        DataFrame
            Columns `operation`, `planned` (calls in the optimized graph), and those of
            :meth:`Counters.to_frame`.
        """
        frame = self.calls.to_frame()
        rest = self.native.keys() - set(frame["operation"])
        idle = pd.DataFrame({"operation": sorted(rest), "dtype": "", "reason": ""})
        frame = pd.concat([frame, idle.assign(times=0, hits=0)], ignore_index=True)
        frame.insert(1, "planned", [self.native.get(op, 0) for op in frame["operation"]])
        return frame

    def _summary(self) -> list[tuple[str, str]]:
        stood_for = sum(self.merged.values())
        return [
            ("candidates", f"{self.candidates:,}"),
            ("tasks", f"{self.tasks_before:,} -> {self.tasks_after:,}"),
            ("distinct computations", f"{self.unique_tasks:,}"),
            ("work", str(self.work)),
            ("merged", f"{stood_for:,} tasks into {len(self.merged):,}"),
            ("shared inside", f"{sum(self.families.values()):,} fits into {len(self.families):,}"),
            (
                "fused",
                f"{sum(map(len, self.fused.values())):,} frame operations into {len(self.fused):,}",
            ),
            (
                "packed",
                f"{sum(map(len, self.packed.values())):,} tasks into {len(self.packed):,}",
            ),
            (
                "read, not computed",
                f"{len(self.saved):,} values, which took {sum(self.saved.values()):,.1f} s",
            ),
            ("kept apart", f"{len(self.why_not):,} tasks"),
        ]

    def __str__(self) -> str:
        lines = [f"{name + ':':<24}{value}" for name, value in self._summary()]
        if self.forecast is not None:
            lines += ["", "expected schedule", str(self.forecast)]
        lines += ["", "passes"]
        for p in self.passes:
            change = f"{p.before:,} -> {p.after:,}" if p.before != p.after else f"{p.after:,}"
            lines.append(f"  {p.stage + '/' + p.name:<28}{change:>22}{p.seconds * 1e3:>10.1f} ms")
        largest = sorted(self.merged.items(), key=lambda item: -item[1])[:10]
        if largest:
            lines += ["", "largest merged groups"]
            lines += [f"  {n:>7,} x {key_split(key)}" for key, n in largest]
        shared = Counter((key_split(key), n) for key, n in self.families.items()).most_common(10)
        if shared:
            lines += ["", "fits that share their work"]
            lines += [f"  {n:>7,} x {name} for {fits:,} fits" for (name, fits), n in shared]
        chains = Counter(self.fused.values()).most_common(10)
        if chains:
            lines += ["", "fused chains"]
            lines += [f"  {n:>7,} x {_short(chain)}" for chain, n in chains]
        if self.native:
            lines += ["", "may run natively: calls planned, and those counted so far"]
            lines += [f"  {row.planned:>7,} x {_counted(row)}" for row in self._shown()]
        if self.why_not:
            lines += ["", "kept apart, and why"]
            lines += [
                f"  {n:>7,} x {reason} (for example {example})"
                for reason, n, example in self.reasons()[:_MOST]
            ]
        return "\n".join(lines)

    __repr__ = __str__

    def _shown(self) -> list[Any]:
        return list(self.operations().head(_MOST).itertuples())

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in self._summary()
        )
        reasons = "".join(
            f"<tr><td>{n:,}</td><td>{escape(reason)}</td><td>{escape(example)}</td></tr>"
            for reason, n, example in self.reasons()[:_MOST]
        )
        why = (
            "<details><summary>kept apart, and why</summary><table><tr><th>tasks</th>"
            f"<th>reason</th><th>example</th></tr>{reasons}</table></details>"
            if reasons
            else ""
        )
        expected = "" if self.forecast is None else self.forecast._repr_html_()
        return (
            f"<table>{rows}</table>{expected}<details><summary>passes</summary>"
            f"{self.to_frame().to_html(index=False, float_format='%.4f')}</details>"
            "<details><summary>may run natively</summary>"
            f"{self.operations().to_html(index=False)}</details>{why}"
        )


def _counted(row: Any) -> str:
    fell = f", {row.times:,} not ({row.dtype}): {row.reason}" if row.times else ""
    return f"{row.operation:<24}{row.hits:>8,} natively{fell}"


def _short(ops: tuple[str, ...], most: int = 8) -> str:
    names = [name.removeprefix("operator.").removeprefix("numpy.").lstrip(".") for name in ops]
    shown = names if len(names) <= most else [*names[:most], f"... {len(names) - most} more"]
    return " ".join(shown)
