"""What the page, the JSON and the metrics show: plain figures, no values of the users'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from stratum_dask.graph import key_split
from stratum_dask.scheduler import messages

if TYPE_CHECKING:
    from stratum_dask.scheduler.plugin import StratumPlugin

_MOST = 50


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
        address); ``environments``: workers by name of their environment; ``store``, what
        became of values in stores, of clients and of workers when they were asked last: ``hits``,
        ``written``, and by reason ``misses``, ``refused`` and ``failures``.
    """
    environments: Counter[str] = Counter(
        "unknown" if made is None else f"{made.name}/{made.threads}" for made in plugin.makers.now()
    )
    kept = plugin.pins.retention
    return {
        "version": messages.version(),
        "off": plugin.off,
        "candidates": dict(plugin.journal.accounting.counts),
        "named": plugin.journal.accounting.listed(),
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
        "store": plugin.counts.store(),
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
        "paces": plugin.journal.paces.listed(),
        "kernels": plugin.counts.kernels(),
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
    stored = found["store"]
    yield "store_hits_total", "counter", "Values read from a store.", [({}, stored["hits"])]
    yield "store_written_total", "counter", "Values written to a store.", [({}, stored["written"])]
    for name, text in (
        ("misses", "Values that no store could give."),
        ("refused", "Values that were not written to a store."),
        ("failures", "Times that a store could not be used."),
    ):
        samples = [({"reason": reason}, n) for reason, n in stored[name].items()]
        yield f"store_{name}_total", "counter", text, samples
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
