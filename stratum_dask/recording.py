"""Watching the pipeline while it works, for an :class:`Explanation` of what it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from stratum_dask.explanation import Explanation, PassRecord, Work
from stratum_dask.families.folds import cut_fold
from stratum_dask.families.tasks import (
    apply_member,
    counted_as,
    cut_member,
    fit_binned,
    learn_binned,
)
from stratum_dask.forecast import Outline
from stratum_dask.graph import Graph, Key, call_of, candidates_of, key_split
from stratum_dask.ops.counters import Counters
from stratum_dask.ops.direct import Native
from stratum_dask.ops.frames import FusedFrame
from stratum_dask.ops.packed import Packed
from stratum_dask.ops.reading import ReadOnce
from stratum_dask.ops.sharing import Protected, own
from stratum_dask.ops.stored import Keep


@dataclass
class Recorder:
    """Observes the pipeline and turns what it saw into an :class:`Explanation`."""

    passes: list[PassRecord] = field(default_factory=list)
    shared: Graph | None = None

    def __call__(self, stage: str, name: str, before: Graph, after: Graph, seconds: float) -> None:
        """Record one pass."""
        self.passes.append(PassRecord(stage, name, len(before), len(after), seconds))
        if stage == "share":
            self.shared = after

    def explain(self, before: Graph, after: Graph, work: Work, calls: Counters) -> Explanation:
        """Return what happened between the graph as read and the graph as optimized.

        `calls` are the counts to tell of.
        """
        native: Counter[str] = Counter()
        fused: dict[Key, tuple[str, ...]] = {}
        packed: dict[Key, tuple[str, ...]] = {}
        for key, node in after.tasks.items():
            call = call_of(node)
            if call is None:
                continue
            func = _bare(call.func)
            native.update(_operations(func, call.args))
            if isinstance(func, FusedFrame):
                fused[key] = _ops(func)
            elif isinstance(func, Packed):
                packed[key] = tuple(key_split(step.label) for step in func.steps)
                for step in func.steps:
                    inner = _bare(step.func)
                    if isinstance(inner, FusedFrame):
                        fused[step.label] = _ops(inner)
        shared = self.shared or after
        return Explanation(
            candidates=len(candidates_of(before.outputs)),
            tasks_before=len(before),
            tasks_after=len(after),
            unique_tasks=sum(
                call is not None and call.func is not own
                for call in map(call_of, shared.tasks.values())
            ),
            passes=tuple(self.passes),
            merged={key: len(names) for key, names in after.merged.items()},
            fused=fused,
            packed=packed,
            why_not={str(key): reason for key, reason in after.why_not.items()},
            families={key: len(names) for key, names in after.families.items()},
            work=work,
            native=dict(native),
            calls=calls,
            saved=dict(after.saved),
            outline=Outline.of(after),
            workers=after.workers(),
        )


def _bare(func: Any) -> Any:
    """Return what a task calls, whether or not its value is stored."""
    return func.func if isinstance(func, Keep) else func


def _operations(func: Any, args: tuple[Any, ...]) -> Iterable[str]:
    """Return the operations that a task may run natively."""
    if isinstance(func, Packed):
        return [op for step in func.steps for op in _operations(step.func, step.args)]
    if isinstance(func, FusedFrame):
        return [step.op for step in func.steps if step.op]
    if isinstance(func, Protected | Keep | ReadOnce):
        return _operations(func.func, args)
    if isinstance(func, Native):
        return [func.op]
    if func is cut_member or func is cut_fold:
        return [counted_as(args[0])]
    if func is fit_binned or func is learn_binned:
        return [counted_as(args[0], "rows")]
    if func is apply_member:
        return [counted_as(args[0], args[3])]
    return []


def _ops(fused: FusedFrame) -> tuple[str, ...]:
    return tuple(step.op or getattr(step.func, "__name__", "call") for step in fused.steps)
