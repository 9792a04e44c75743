"""A picture of a schedule: one row per thread, one bar per task."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape

from stratum_dask._native import Schedule
from stratum_dask.graph import Workers

_WIDTH, _LEFT, _ROW, _TOP = 960, 150, 18, 26
_COLORS = (
    "#4e79a7",
    "#f28e2b",
    "#76b7b2",
    "#59a14f",
    "#edc948",
    "#b07aa1",
    "#9c755f",
    "#ff9da7",
    "#bab0ac",
    "#86bcb6",
)
_CRITICAL = "#c0392b"
_MOST_BARS = 4_000
_MOST_ROWS = 64


def picture(
    names: Sequence[str],
    seconds: Sequence[float],
    schedule: Schedule,
    workers: Workers,
    critical: Collection[int],
) -> str:
    """Draw when which task runs on which thread.

    Parameters
    ----------
    names : sequence of str
        Tasks of one name get one colour.
    seconds : sequence of float
        How long each task runs.
    schedule : Schedule
    workers : Workers
    critical : collection of int
        Tasks of the longest chain, which get an outline.

    Returns
    -------
    str
        An SVG element. Neighbouring bars that would be thinner than a pixel are joined, and only
        the first 64 threads are drawn.
    """
    first = [0]
    for threads in workers.threads:
        first.append(first[-1] + threads)
    rows = min(first[-1], _MOST_ROWS)
    scale = (_WIDTH - _LEFT - 10) / (schedule.makespan or 1.0)
    color = {name: _COLORS[i % len(_COLORS)] for i, name in enumerate(dict.fromkeys(names))}
    bottom = _TOP + rows * _ROW
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {bottom + 8}' "
        f"width='100%' style='max-width:{_WIDTH}px;background:#fff' "
        "font-family='system-ui, sans-serif' font-size='11'>"
    ]
    for tick in _ticks(schedule.makespan):
        x = _LEFT + tick * scale
        parts.append(
            f"<path d='M{x:.1f} {_TOP - 6}V{bottom}' stroke='#e5e5e5'/>"
            f"<text x='{x:.1f}' y='12' fill='#777' text-anchor='middle'>{tick:g} s</text>"
        )
    for worker, name in enumerate(workers.names):
        if first[worker] < rows:
            y = _TOP + first[worker] * _ROW
            parts.append(
                f"<path d='M0 {y}H{_WIDTH}' stroke='#eee'/>"
                f"<text x='4' y='{y + 13}' fill='#333'>{escape(_short(name))}</text>"
            )
    for i, start, end in _bars(seconds, schedule, first, rows, 1 / scale):
        y = _TOP + (first[schedule.worker[i]] + schedule.thread[i]) * _ROW + 2
        outline = f" stroke='{_CRITICAL}' stroke-width='1.5'" if i in critical else ""
        parts.append(
            f"<rect x='{_LEFT + start * scale:.2f}' y='{y}' rx='2' height='{_ROW - 4}' "
            f"width='{max((end - start) * scale, 0.6):.2f}' fill='{color[names[i]]}'{outline}>"
            f"<title>{escape(names[i])}: {start:.3g} to {end:.3g} s</title></rect>"
        )
    return "".join([*parts, "</svg>"])


def _bars(
    seconds: Sequence[float], schedule: Schedule, first: list[int], rows: int, pixel: float
) -> list[tuple[int, float, float]]:
    """Return the bars to draw: a task (the first of those that are joined), start and end."""
    row = [first[w] + t for w, t in zip(schedule.worker, schedule.thread, strict=True)]
    shown = [i for i, number in enumerate(row) if number < rows and seconds[i] > 0]
    shown.sort(key=lambda i: (row[i], schedule.start[i]))
    joined = pixel * max(1.0, len(shown) / _MOST_BARS)
    bars: list[tuple[int, float, float]] = []
    for i in shown:
        start, end = schedule.start[i], schedule.start[i] + seconds[i]
        if bars:
            last, began, ended = bars[-1]
            thin = end - start < joined and ended - began < 4 * joined
            if row[last] == row[i] and thin and start - ended < joined:
                bars[-1] = last, began, end
                continue
        bars.append((i, start, end))
    return bars


def _ticks(makespan: float) -> list[float]:
    """Return about six round numbers from 0 to the makespan."""
    if makespan <= 0:
        return [0.0]
    step = 10.0 ** len(str(int(makespan)))
    while makespan / step < 3:
        step /= 10
    step *= next(factor for factor in (1, 2, 5, 10) if makespan / (step * factor) <= 8)
    return [round(step * i, 9) for i in range(int(makespan / step) + 1)]


def _short(name: str) -> str:
    """Leave the protocol of an address away, and what is too long."""
    bare = name.rpartition("://")[2]
    return bare if len(bare) <= 22 else f"{bare[:21]}…"
