"""A picture of an optimized batch as SVG: tasks in columns, from the files to the scores.

Each box is a task; its colour says what it is, its label what it does, and the number behind it
how many of the user's tasks it stands for.
"""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import NamedTuple

from stratum_dask.graph import Graph, Key, call_of, key_split
from stratum_dask.ops.frames import FusedFrame
from stratum_dask.ops.packed import Packed

_KINDS = {
    "fused": ("#d1495b", "holds a fused frame kernel"),
    "packed": ("#00798c", "packed chain of tasks"),
    "merged": ("#e09f3e", "shared by several candidates"),
    "single": ("#8d96a3", "task of one candidate"),
    "result": ("#3d405b", "a candidate's score"),
}
_HEIGHT, _GAP, _SPACE, _MARGIN, _HEAD = 16, 5, 56, 24, 52
_CHARACTER = 5.6
_MOST_LETTERS = 44


class _Box(NamedTuple):
    label: str
    kind: str
    stands_for: int

    @property
    def text(self) -> str:
        return self.label if self.stands_for < 2 else f"{self.stands_for:,} x {self.label}"

    @property
    def width(self) -> float:
        return len(self.text) * _CHARACTER + 12


def draw(graph: Graph) -> str:
    """Draw an optimized graph.

    Parameters
    ----------
    graph : Graph
        As the pipeline returns it.

    Returns
    -------
    str
        SVG.

    Examples
    --------
    >>> import dask
    >>> from stratum_dask.demo.run import plan
    >>> draw(plan({"one": dask.delayed(len)("abc")})[1]).startswith("<svg")
    True
    """
    boxes = {key: _box(graph, key) for key in graph.tasks}
    for output in graph.outputs:
        boxes.update((key, _Box(str(output.candidate), "result", 0)) for key in output.keys)
    columns = _columns(graph)
    place, width, height = _places(columns, boxes)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" font-family="Helvetica, Arial, sans-serif" '
        'font-size="10"><rect width="100%" height="100%" fill="#ffffff"/>',
        *_legend(boxes),
    ]
    for key, node in graph.tasks.items():
        x2, y2 = place[key]
        for dependency in node.dependencies & place.keys():
            x1 = place[dependency][0] + boxes[dependency].width
            y1 = place[dependency][1]
            bend = (x2 - x1) / 2
            parts.append(
                f'<path d="M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} '
                f'{x2:.1f} {y2:.1f}" fill="none" stroke="#22303c" stroke-opacity="0.22"/>'
            )
    for key, (x, y) in place.items():
        box = boxes[key]
        parts.append(
            f'<g><title>{escape(str(key))}</title><rect x="{x:.1f}" y="{y - _HEIGHT / 2:.1f}" '
            f'width="{box.width:.1f}" height="{_HEIGHT}" rx="4" fill="{_KINDS[box.kind][0]}"/>'
            f'<text x="{x + 6:.1f}" y="{y + 3.5:.1f}" fill="#ffffff">{escape(box.text)}</text></g>'
        )
    return "\n".join([*parts, "</svg>\n"])


def _box(graph: Graph, key: Key) -> _Box:
    call = call_of(graph.tasks[key])
    shared = len(graph.merged.get(key, ()))
    func = call.func if call is not None else None
    if isinstance(func, FusedFrame):
        return _Box(f"{len(func.steps)} frame operations", "fused", 0)
    if isinstance(func, Packed):
        names, kind = [], "packed"
        for step in func.steps:
            if isinstance(step.func, FusedFrame):
                names.append(f"{len(step.func.steps)} frame operations")
                kind = "fused"
            else:
                names.append(key_split(step.label))
        return _Box(_shorten(names), kind, 0)
    return _Box(key_split(key), "merged" if shared > 1 else "single", shared)


def _shorten(names: list[str]) -> str:
    """Join names by arrows; leave out those in the middle if they are too many."""
    label = " → ".join(names)
    while len(label) > _MOST_LETTERS and len(names) > 2:
        middle = len(names) // 2
        names = names[:middle] + names[middle + 1 :]
        label = " → ".join([*names[:middle], "…", *names[middle:]])
    return label


def _columns(graph: Graph) -> list[list[Key]]:
    """Put each task right of all that it needs, near the middle of it; results come last."""
    depth: dict[Key, int] = {}
    for key in graph.topology.order:
        needs = [depth[d] for d in graph.tasks[key].dependencies if d in depth]
        depth[key] = 1 + max(needs, default=-1)
    last = max(depth.values(), default=-1)
    columns: list[list[Key]] = [[] for _ in range(last + 1)]
    for key, number in depth.items():
        if key in graph.wanted and not graph.topology.consumers[graph.topology.ids[key]]:
            number = last
        columns[number].append(key)
    position: dict[Key, float] = {}
    for column in columns:
        column.sort(key=lambda key: _middle(graph, key, position))  # fewer lines cross
        for i, key in enumerate(column):
            position[key] = (i + 0.5) / len(column)
    return columns


def _middle(graph: Graph, key: Key, position: dict[Key, float]) -> float:
    found = [position[d] for d in graph.tasks[key].dependencies if d in position]
    return sum(found) / len(found) if found else 0.5


def _places(
    columns: list[list[Key]], boxes: dict[Key, _Box]
) -> tuple[dict[Key, tuple[float, float]], float, float]:
    """Return the middle of each box's left side, and the size of the picture."""
    tallest = max(map(len, columns), default=0) * (_HEIGHT + _GAP)
    place: dict[Key, tuple[float, float]] = {}
    left = float(_MARGIN)
    for column in columns:
        spread = tallest / len(column)
        for i, key in enumerate(column):
            place[key] = (left, _HEAD + _MARGIN + (i + 0.5) * spread)
        left += max(boxes[key].width for key in column) + _SPACE
    return place, left - _SPACE + _MARGIN, tallest + _HEAD + 2 * _MARGIN


def _legend(boxes: dict[Key, _Box]) -> list[str]:
    counts = Counter(box.kind for box in boxes.values())
    parts, left = [], float(_MARGIN)
    for kind, (color, meaning) in _KINDS.items():
        text = f"{meaning} ({counts[kind]})"
        parts.append(
            f'<rect x="{left:.0f}" y="{_MARGIN}" width="14" height="14" rx="4" fill="{color}"/>'
            f'<text x="{left + 20:.0f}" y="{_MARGIN + 11}" font-size="12">{text}</text>'
        )
        left += len(text) * 6.6 + 48
    return parts
