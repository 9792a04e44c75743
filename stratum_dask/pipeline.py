"""All stages and passes on one screen, and the driver that runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import NamedTuple, Protocol

from stratum_dask.errors import ConfigError, PassError, StratumError
from stratum_dask.graph import Graph, KnownValues
from stratum_dask.passes.cull import cull
from stratum_dask.passes.cut_at_known import cut_at_known
from stratum_dask.passes.fuse_frames import fuse_frames
from stratum_dask.passes.identify import identify
from stratum_dask.passes.keep_values import keep_values
from stratum_dask.passes.keep_whole import keep_whole
from stratum_dask.passes.merge_identical import merge_identical
from stratum_dask.passes.order_for_memory import order_for_memory
from stratum_dask.passes.pack_chains import pack_chains
from stratum_dask.passes.place_on_workers import place_on_workers
from stratum_dask.passes.project_reads import project_reads
from stratum_dask.passes.protect_shared import protect_shared
from stratum_dask.passes.select_native import select_native
from stratum_dask.passes.share_families import share_families
from stratum_dask.passes.store_values import store_values

Pass = Callable[[Graph], Graph]


class Stage(NamedTuple):
    """Passes that run in order, once or until none of them changes anything.

    Attributes
    ----------
    name : str
    passes : tuple of functions ``Graph -> Graph``
    until : {"once", "stable"}
    """

    name: str
    passes: tuple[Pass, ...]
    until: str = "once"


PIPELINE = (
    # Merging needs identities; tasks that it leaves without users may free others to merge.
    # Families after merging: what remains of a family are its distinct members.
    Stage("share", (cull, identify, merge_identical, share_families), until="stable"),
    # Before fusion, which hides values: those that other plans know, and those they may use. What
    # nobody shares and is not known is put together before.
    Stage("reuse", (cut_at_known, keep_whole, keep_values)),
    # Who shares is decided now, and fused tasks would hide it.
    Stage("rewrite", (project_reads, protect_shared)),
    # After merging: fusion hides duplicates. Frames first: a chain may hold a fused task, and what
    # they leave may have a native form of its own. A chain stores the values of its links, too.
    Stage("fuse", (fuse_frames, select_native, store_values, pack_chains)),
    # Last: what is one task decides on order and place.
    Stage("place", (order_for_memory, place_on_workers)),
)

_MAX_ROUNDS = 10


class Observer(Protocol):
    """Is told of every pass."""

    def __call__(self, stage: str, name: str, before: Graph, after: Graph, seconds: float) -> None:
        """Record that the pass `name` made `after` from `before`."""


def pass_names() -> list[str]:
    """Return the names of all passes in order, as they are switched off by.

    Examples
    --------
    >>> pass_names()[:3]
    ['cull', 'identify', 'merge_identical']
    """
    return [one.__name__ for stage in PIPELINE for one in stage.passes]


def run(
    graph: Graph,
    *,
    numerics: str = "exact",
    disable: Iterable[str] = (),
    observe: Observer | None = None,
    check: bool = False,
    known: tuple[KnownValues, ...] = (),
) -> Graph:
    """Run the pipeline.

    Parameters
    ----------
    graph : Graph
    numerics : {"exact", "close"}
        Whether passes may change values within a stated bound.
    disable : iterable of str
        Names of passes to leave out.
    observe : callable, optional
        Called after every pass.
    check : bool
        Verify the graph after every pass that changed it.
    known : tuple of KnownValues
        Where values may be found that other plans have computed.

    Raises
    ------
    ConfigError
        If `disable` names no pass, or one that others need.
    PassError
        If a pass fails; the message names it.
    """
    off = _checked(disable)
    if graph.numerics != numerics or graph.known != known:
        graph = graph.with_(numerics=numerics, known=known)
    for stage in PIPELINE:
        passes = [one for one in stage.passes if one.__name__ not in off]
        for _ in range(_MAX_ROUNDS if stage.until == "stable" else 1):
            start = graph
            for one in passes:
                before, began = graph, perf_counter()
                graph = _apply(one, stage, before)
                if observe is not None:
                    observe(stage.name, one.__name__, before, graph, perf_counter() - began)
                if check and graph is not before:
                    verify(graph, one.__name__)
            if graph.tasks is start.tasks:
                break
    return graph


def _checked(disable: Iterable[str]) -> frozenset[str]:
    off = frozenset(disable)
    optional = frozenset(pass_names()) - {identify.__name__, protect_shared.__name__}
    if unknown := sorted(off - optional):
        raise ConfigError(
            f"disable= names {unknown}, which cannot be switched off; "
            f"choose from {sorted(optional)}"
        )
    return off


def _apply(one: Pass, stage: Stage, graph: Graph) -> Graph:
    try:
        return one(graph)
    except StratumError:
        raise
    except Exception as error:
        raise PassError(
            f"the pass {one.__name__!r} of stage {stage.name!r} failed: "
            f"{type(error).__name__}: {error}; to go on without it, set "
            f"stratum.disable to [{one.__name__}]"
        ) from error


def verify(graph: Graph, name: str) -> None:
    """Check that a graph holds together.

    Parameters
    ----------
    graph : Graph
    name : str
        The pass that made it, for the message.

    Raises
    ------
    PassError
        If an output is missing, a task is filed under another key than its own, a reference
        leads nowhere, or tasks depend on each other in a circle.
    """
    for key in graph.wanted:
        if key not in graph.tasks and key not in graph.external:
            raise PassError(f"the pass {name!r} lost the output {key!r}")
    for key, node in graph.tasks.items():
        if node.key != key:
            raise PassError(f"the pass {name!r} filed the task {node.key!r} under {key!r}")
        for dependency in node.dependencies:
            if dependency not in graph.tasks and dependency not in graph.external:
                raise PassError(
                    f"the pass {name!r} left {key!r} with a reference to {dependency!r}, "
                    "which does not exist"
                )
    try:
        _ = graph.topology
    except StratumError as error:
        raise PassError(f"the pass {name!r} made a circle: {error}") from error
