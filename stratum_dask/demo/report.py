"""What the demo found, as a table and as JSON."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from stratum_dask.demo.run import Comparison
from stratum_dask.explanation import Explanation

_MOST_REASONS = 5


def as_table(found: Comparison, explanation: Explanation, rows: str) -> Table:
    """Return the comparison as one table.

    Parameters
    ----------
    found : Comparison
    explanation : Explanation
        Of the same batch.
    rows : str
        How many flights each candidate read.
    """
    table = Table(
        title=f"{explanation.candidates} candidates over {rows} flights: all scores identical",
        caption=f"peak memory {found.peak_bytes / 2**30:.1f} GiB; seconds include planning "
        f"({found.planning_seconds:.2f} s)",
    )
    table.add_column("")
    table.add_column("plain Dask", justify="right")
    table.add_column("optimized", justify="right")
    table.add_row("tasks", f"{found.plain_tasks:,}", f"{found.optimized_tasks:,}")
    table.add_row("seconds", f"{found.plain_seconds:.1f}", f"{found.optimized_seconds:.1f}")
    table.add_row("speed-up", "", f"[bold green]{found.speedup:.1f}x[/]", end_section=True)
    for what, groups in (
        ("tasks merged", list(explanation.merged.values())),
        ("frame operations fused", [len(ops) for ops in explanation.fused.values()]),
        ("tasks packed", [len(steps) for steps in explanation.packed.values()]),
    ):
        table.add_row(what, "", f"{sum(groups):,} into {len(groups):,}")
    table.add_row("kept apart", "", f"{len(explanation.why_not):,}")
    for reason, n, _ in explanation.reasons()[:_MOST_REASONS]:
        table.add_row(f"  {escape(reason)}", "", f"{n:,}")
    counted = found.native.to_frame()
    table.add_section()
    table.add_row("operations run natively", "", f"{sum(found.native.hits.values()):,}")
    table.add_row("operations left to pandas", "", f"{counted['times'].sum():,}")
    for row in counted[counted["times"] > 0].head(_MOST_REASONS).itertuples():
        what = f"{row.operation} of {row.dtype}: {row.reason}"
        table.add_row(f"  {escape(what)}", "", f"{row.times:,}")
    return table


def as_json(found: Comparison, explanation: Explanation) -> dict[str, Any]:
    """Return the comparison as plain values."""
    return {
        "candidates": explanation.candidates,
        "plain": {"tasks": found.plain_tasks, "seconds": found.plain_seconds},
        "optimized": {
            "tasks": found.optimized_tasks,
            "seconds": found.optimized_seconds,
            "planning_seconds": found.planning_seconds,
        },
        "speedup": found.speedup,
        "peak_bytes": found.peak_bytes,
        "merged": sum(explanation.merged.values()),
        "fused": sum(map(len, explanation.fused.values())),
        "packed": sum(map(len, explanation.packed.values())),
        "why_not": [{"reason": r, "tasks": n} for r, n, _ in explanation.reasons()],
        "native": found.native.hits,
        "fallbacks": [
            {**fallback._asdict(), "calls": n}
            for fallback, n in sorted(found.native.fallbacks.items())
        ],
        "scores": found.scores,
    }
