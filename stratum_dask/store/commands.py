"""What ``stratum-dask store`` does: list, check and shrink what is kept."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import dask
from dask.utils import format_bytes
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stratum_dask.errors import ConfigError
from stratum_dask.store.access import configured
from stratum_dask.store.files import Entry
from stratum_dask.store.retention import benefit, room_of
from stratum_dask.store.store import Store
from stratum_dask.store.trouble import masked


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Do what was asked for and return the exit code.

    Parameters
    ----------
    arguments : argparse.Namespace
        With `action`, `url`, `key` and `json`.
    console : rich.console.Console

    Raises
    ------
    ConfigError, StoreError, OSError
        If no store is configured, it must not be used, or it cannot be reached.
    """
    store = _open(arguments)
    if arguments.action == "ls":
        return _list(store, arguments, console)
    if arguments.action == "verify":
        return _verify(store, arguments, console)
    prune = arguments.action == "prune"
    gone = store.prune(arguments.bytes) if prune else store.clear()
    size = sum(entry.size for entry in gone)
    if arguments.json:
        print(json.dumps({"removed": len(gone), "bytes": size}))
    else:
        console.print(f"removed {len(gone):,} entries, {format_bytes(size)}", highlight=False)
    return 0


def _open(arguments: argparse.Namespace) -> Store:
    given = {"url": arguments.url, "key": arguments.key}
    with dask.config.set({f"stratum.store.{k}": v for k, v in given.items() if v is not None}):
        address = configured()
    if address is None:
        raise ConfigError(
            "no results are kept: set stratum.store.url, in the environment "
            "DASK_STRATUM__STORE__URL, to a directory or URL, or give --url"
        )
    return Store(*address)


def _list(store: Store, arguments: argparse.Namespace, console: Console) -> int:
    now = time.time()
    entries = sorted(store.entries(), key=lambda entry: -benefit(entry, now))
    if arguments.json:
        print(json.dumps([_as_dict(entry, now) for entry in entries], indent=2))
        return 0
    table = Table(title=f"{escape(masked(store.url))}: {_summary(entries, store.budget)}")
    for column in ("value", "bytes", "took", "last used"):
        table.add_column(column, justify="left" if column == "value" else "right")
    for entry in entries[: arguments.most]:
        table.add_row(
            entry.token.hex(),
            format_bytes(entry.size),
            f"{entry.seconds:,.3g} s",
            _ago(now - entry.used) if entry.used else "",
        )
    if len(entries) > arguments.most:
        table.caption = f"and {len(entries) - arguments.most:,} more"
    console.print(table)
    return 0


def _verify(store: Store, arguments: argparse.Namespace, console: Console) -> int:
    found = list(store.verify())
    broken = [one for one in found if one.reason]
    if arguments.json:
        entries = [{"value": one.entry.token.hex(), "reason": one.reason} for one in broken]
        print(json.dumps({"checked": len(found), "broken": entries}, indent=2))
    else:
        console.print(f"checked {len(found):,} entries, {len(broken):,} cannot be used")
        for reason, many in Counter(one.reason for one in broken).most_common():
            console.print(f"  {many:,} {escape(reason)}")
    return 1 if broken else 0


def _summary(entries: Sequence[Entry], budget: int) -> str:
    room = sum(map(room_of, entries))
    seconds = sum(entry.seconds for entry in entries)
    return (
        f"{len(entries):,} values, {format_bytes(room)} of {format_bytes(budget)}, "
        f"which took {seconds:,.1f} s"
    )


def _as_dict(entry: Entry, now: float) -> dict[str, Any]:
    age = now - entry.used if entry.used else None
    return {
        "value": entry.token.hex(),
        "bytes": entry.size,
        "seconds": entry.seconds,
        "unused_seconds": age,
    }


def _ago(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"
