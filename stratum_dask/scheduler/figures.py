"""What the page, the JSON and the metrics show: plain figures, no values of the users'."""

from __future__ import annotations

import asyncio
import logging
import pickle
import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from distributed.protocol import deserialize

from stratum_dask.graph import key_split
from stratum_dask.ops.counters import Counters, total
from stratum_dask.runtime.counting import here
from stratum_dask.scheduler import messages

if TYPE_CHECKING:
    from stratum_dask.scheduler.plugin import StratumPlugin

logger = logging.getLogger("distributed.stratum")

_EVERY = 5.0
"""Seconds between two times that workers are asked for their counts."""
_PATIENCE = 5.0
_MOST = 50


class Kernels:
    """What ran natively on the workers, and what did not; asked for while somebody looks."""

    def __init__(self) -> None:
        self._asked = 0.0
        self._counts: dict[tuple[str, int], Counters] = {}

    async def ask(self, scheduler: Any) -> None:
        """Ask all workers for their counts, at most every few seconds."""
        if time.monotonic() < self._asked + _EVERY:
            return
        self._asked = time.monotonic()
        found = await asyncio.gather(*(_counts(scheduler, one) for one in list(scheduler.workers)))
        self._counts = dict(one for one in found if one is not None)

    def figures(self) -> dict[str, Any]:
        """Return the counts as plain data, the most frequent ones first."""
        counts = total(self._counts.values())
        reasons: Counter[tuple[str, str]] = Counter()
        for one, times in counts.fallbacks.items():
            reasons[one.operation, one.reason] += times
        return {
            "hits": dict(Counter(counts.hits).most_common(_MOST)),
            "fallbacks": [
                {"operation": operation, "reason": reason, "times": times}
                for (operation, reason), times in reasons.most_common(_MOST)
            ],
        }


async def _counts(scheduler: Any, address: str) -> tuple[tuple[str, int], Counters] | None:
    try:
        reply = await asyncio.wait_for(
            scheduler.rpc(address).run(function=pickle.dumps(here)), timeout=_PATIENCE
        )
        if reply["status"] == "OK":
            sent = reply["result"]  # which the scheduler leaves as it came
            counts: tuple[tuple[str, int], Counters] = deserialize(sent.header, sent.frames)
            return counts
    except Exception as error:  # the worker is gone or busy, or has no stratum_dask
        logger.debug("worker %s did not say what it has counted: %r", address, error)
    return None


def state(plugin: StratumPlugin) -> dict[str, Any]:
    """Return what is going on, as plain data that holds no values of the users'.

    Parameters
    ----------
    plugin : StratumPlugin

    Returns
    -------
    dict
        ``version``, ``off`` (why, or empty); ``candidates``: how many are ``waiting``,
        ``running``, ``done``, ``failed``, ``cancelled``; ``named``: up to 1,000 of them, each
        with ``plan``, ``client``, ``name``, ``status``; ``plans``, ``tasks`` (computed),
        ``placed`` (tasks that were meant for a worker), ``merged`` (tasks into others),
        ``hits`` and ``misses`` (values asked for), ``seconds_saved``; ``retention``:
        ``values``, ``bytes``, ``budget``, ``evictions``, ``refused`` and ``workers`` (bytes by
        address); ``environments``: workers by name of their environment.
    """
    environments: Counter[str] = Counter(
        "unknown" if made is None else f"{made.name}/{made.threads}" for made in plugin.makers.now()
    )
    kept = plugin.pins.retention
    return {
        "version": messages.version(),
        "off": plugin.off,
        "candidates": dict(plugin.accounting.counts),
        "named": plugin.accounting.listed(),
        **plugin.counters,
        "retention": {
            "values": len(kept),
            "bytes": kept.nbytes,
            "budget": kept.budget,
            "evictions": kept.evictions,
            "refused": plugin.pins.refused,
            "workers": dict(kept.by_worker),
        },
        "environments": dict(environments),
    }


def figures(plugin: StratumPlugin) -> dict[str, Any]:
    """Return all that is shown.

    Parameters
    ----------
    plugin : StratumPlugin

    Returns
    -------
    dict
        :func:`state`, with ``retained`` (the largest values that are kept: ``name``,
        ``nbytes``, ``seconds``, ``worker``), ``paces`` (see :class:`Paces`) and ``kernels``
        (``hits`` and ``fallbacks`` of all workers).
    """
    kept = sorted(plugin.pins.retention.kept.items(), key=lambda item: -item[1].nbytes)[:_MOST]
    return {
        **state(plugin),
        "retained": [
            {
                "name": str(key_split(key)),
                "nbytes": one.nbytes,
                "seconds": one.seconds,
                "worker": one.worker,
            }
            for key, one in kept
        ],
        "paces": plugin.paces.listed(),
        "kernels": plugin.kernels.figures(),
    }


def prometheus(found: dict[str, Any]) -> str:
    """Return the figures as Prometheus reads them.

    Parameters
    ----------
    found : dict
        As of :func:`figures`.
    """
    lines: list[str] = []
    for name, kind, text, samples in _metrics(found):
        lines += [f"# HELP stratum_{name} {text}", f"# TYPE stratum_{name} {kind}"]
        for labels, value in samples:
            inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
            lines.append(
                f"stratum_{name}{{{inside}}} {value:g}" if inside else f"stratum_{name} {value:g}"
            )
    return "\n".join([*lines, ""])


_Samples = list[tuple[dict[str, str], float]]


def _metrics(found: dict[str, Any]) -> Iterator[tuple[str, str, str, _Samples]]:
    kept, kernels = found["retention"], found["kernels"]
    yield "up", "gauge", "Whether the plugin works.", [({}, float(not found["off"]))]
    yield (
        "candidates",
        "gauge",
        "Candidates by status.",
        [({"status": status}, n) for status, n in found["candidates"].items()],
    )
    for name, text in (
        ("plans", "Plans that clients announced."),
        ("tasks", "Tasks of plans that were computed."),
        ("placed", "Tasks that were meant for a worker."),
        ("merged", "Tasks that were merged into others."),
        ("hits", "Values that were asked for and alive."),
        ("misses", "Values that were asked for and not alive."),
        ("seconds_saved", "Seconds that live values took to compute."),
    ):
        yield f"{name}_total", "counter", text, [({}, found[name])]
    yield "retained_values", "gauge", "Values that are kept.", [({}, kept["values"])]
    yield "retained_budget_bytes", "gauge", "Bytes that may be kept.", [({}, kept["budget"])]
    yield (
        "retained_bytes",
        "gauge",
        "Bytes that are kept, by worker.",
        [({"worker": worker}, n) for worker, n in kept["workers"].items()],
    )
    yield "evictions_total", "counter", "Values dropped for others.", [({}, kept["evictions"])]
    yield (
        "kernel_hits_total",
        "counter",
        "Calls that ran natively, since the workers were started.",
        [({"operation": op}, n) for op, n in kernels["hits"].items()],
    )
    yield (
        "kernel_fallbacks_total",
        "counter",
        "Calls that the library ran, since the workers were started.",
        [
            ({"operation": one["operation"], "reason": one["reason"]}, one["times"])
            for one in kernels["fallbacks"]
        ],
    )


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
