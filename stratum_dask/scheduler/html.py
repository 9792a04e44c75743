"""The page as HTML. Names of candidates and of tasks are text of the users': all is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from stratum_dask.units import size_of

_STATUS = {
    "done": "#2e9e6b",
    "running": "#3b7dd8",
    "waiting": "#c9ced6",
    "failed": "#d64545",
    "cancelled": "#8d95a1",
}
_STORE = {"not read": "misses", "not written": "refused", "failed": "failures"}
_SHOWN = 14

STYLE = """
<style>
.st { font: 14px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif; color: #1f2630; }
.st .cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr));
  gap: 12px; margin: 14px 0; }
.st .card { background: #fff; border: 1px solid #e4e7ec; border-radius: 10px; padding: 12px 16px; }
.st .card b { display: block; font-size: 24px; font-weight: 650; letter-spacing: -0.02em; }
.st .card span, .st .dim { color: #667080; font-size: 12.5px; }
.st .bar { display: flex; height: 14px; border-radius: 7px; overflow: hidden; background: #eef0f3; }
.st .key { margin: 6px 16px 0 0; display: inline-block; font-size: 12.5px; color: #4a5463; }
.st .key i { display: inline-block; width: 9px; height: 9px; border-radius: 3px;
  margin-right: 6px; }
.st .grid { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; }
.st .panel { background: #fff; border: 1px solid #e4e7ec; border-radius: 10px; padding: 12px 16px;
  min-width: 0; }
.st h3 { margin: 0 0 8px; font-size: 14px; font-weight: 650; }
.st table { width: 100%; border-collapse: collapse; table-layout: fixed; }
.st td, .st th { padding: 3px 8px 3px 0; text-align: left; font-weight: 400; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap; border-top: 1px solid #f0f2f5; }
.st th { color: #667080; font-size: 12px; border-top: 0; }
.st .n { text-align: right; font-variant-numeric: tabular-nums; }
.st .off { background: #fdecec; border: 1px solid #f2b8b8; border-radius: 10px;
  padding: 10px 16px; }
@media (max-width: 900px) { .st .grid { grid-template-columns: 1fr; } }
</style>
"""


def overview(found: dict[str, Any]) -> str:
    """Return the upper part: cards, and a bar of candidates by status.

    Parameters
    ----------
    found : dict
        As of :func:`stratum_dask.scheduler.figures.figures`.
    """
    kept, kernels = found["retention"], found["kernels"]
    hits = sum(kernels["hits"].values())
    calls = hits + sum(one["times"] for one in kernels["fallbacks"])
    asked = found["hits"] + found["misses"]
    stored = found["store"]
    read = stored["hits"] + sum(stored["misses"].values())
    cards = [
        (f"{found['merged']:,.0f}", "tasks merged into others"),
        (_time(found["seconds_saved"]), "saved by values that were alive"),
        (f"{found['hits']:,.0f}", f"of {asked:,.0f} values asked for were alive"),
        (
            size_of(kept["bytes"]),
            f"kept in {kept['values']:,} values, of {size_of(kept['budget'])}",
        ),
        (f"{stored['hits']:,}", f"of {read:,} values asked of a store were read"),
        (_pace(found), "of the threads' time used by the last plan"),
        (f"{hits / calls:.0%}" if calls else "none", f"of {calls:,} calls ran natively"),
    ]
    off = f"<div class='off'>Switched off: {escape(found['off'])}</div>" if found["off"] else ""
    boxes = "".join(
        f"<div class='card'><b>{escape(value)}</b><span>{escape(text)}</span></div>"
        for value, text in cards
    )
    bar = _bar(found["candidates"])
    return f"{STYLE}<div class='st'>{off}{bar}<div class='cards'>{boxes}</div></div>"


def _bar(counts: dict[str, int]) -> str:
    everything = sum(counts.values())
    parts = "".join(
        f"<div style='width:{100 * counts[status] / everything:.3f}%;background:{color}'></div>"
        for status, color in _STATUS.items()
        if everything and counts[status]
    )
    keys = "".join(
        f"<span class='key'><i style='background:{color}'></i>{counts[status]:,} {status}</span>"
        for status, color in _STATUS.items()
    )
    return f"<h3>{everything:,} candidates</h3><div class='bar'>{parts}</div><div>{keys}</div>"


def _pace(found: dict[str, Any]) -> str:
    for one in found["paces"]:
        if one["achieved"] > 0:
            return f"{min(one['floor'] / one['achieved'], 1.0):.0%}"
    return "none"


def details(found: dict[str, Any]) -> str:
    """Return the lower part: tables of plans, candidates, values, kernels and stores."""
    plans = _table(
        "Plans: floor against achieved",
        ("plan", "tasks", "work", "floor", "achieved"),
        (
            (
                one["plan"],
                f"{one['tasks']:,}",
                *map(_time, (one["work"], one["floor"], one["achieved"])),
            )
            for one in found["paces"]
        ),
    )
    candidates = _table(
        "Candidates",
        ("name", "status"),
        ((one["name"], one["status"]) for one in found["named"]),
        numbers=False,
    )
    kept = _table(
        "Values that are kept",
        ("value", "size", "took"),
        ((one["name"], size_of(one["nbytes"]), _time(one["seconds"])) for one in found["retained"]),
    )
    fell = _table(
        "Calls that did not run natively",
        ("operation", "reason", "times"),
        (
            (one["operation"], one["reason"], f"{one['times']:,}")
            for one in found["kernels"]["fallbacks"]
        ),
        numbers=False,
    )
    stored = _table(
        "Store: values that were not read, or not written",
        ("what", "reason", "times"),
        (
            (what, reason, f"{times:,}")
            for what, name in _STORE.items()
            for reason, times in found["store"][name].items()
        ),
        numbers=False,
    )
    tables = f"{plans}{candidates}{kept}{fell}{stored}"
    return f"{STYLE}<div class='st'><div class='grid'>{tables}</div></div>"


def _table(
    title: str,
    columns: tuple[str, ...],
    rows: Iterable[tuple[str, ...]],
    numbers: bool = True,
) -> str:
    """Return a table; with `numbers`, all columns but the first stand to the right."""
    found = list(rows)

    def cells(tag: str, row: tuple[str, ...]) -> str:
        kinds = ["", *([" class='n'"] * (len(row) - 1) if numbers else [""] * (len(row) - 1))]
        return "".join(
            f"<{tag}{kind} title='{escape(cell, quote=True)}'>{escape(cell)}</{tag}>"
            for kind, cell in zip(kinds, row, strict=True)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in found[:_SHOWN])
    more = len(found) - _SHOWN
    rest = f"<div class='dim'>and {more:,} more</div>" if more > 0 else ""
    none = "" if found else "<div class='dim'>none yet</div>"
    return (
        f"<div class='panel'><h3>{escape(title)}</h3><table><tr>{cells('th', columns)}</tr>"
        f"{body}</table>{rest}{none}</div>"
    )


def _time(seconds: float) -> str:
    if seconds >= 3600:
        return f"{seconds / 3600:,.1f} h"
    return f"{seconds:,.1f} s" if seconds >= 1 else f"{seconds * 1e3:,.0f} ms"
