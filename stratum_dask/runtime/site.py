"""Where a batch will run: what is known there already, and what is told there of a plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from stratum_dask.config import Options
from stratum_dask.graph import Graph, KnownValues, Workers
from stratum_dask.ops.outcomes import Surroundings
from stratum_dask.pipeline import Observer, run
from stratum_dask.runtime.threads import Threads
from stratum_dask.scheduler.client import LiveValues, SharedCluster, shared_cluster
from stratum_dask.scheduler.messages import BARE
from stratum_dask.store.known import stored_values


@dataclass(frozen=True)
class Site:
    """Where a batch will run.

    Attributes
    ----------
    cluster : SharedCluster or None
        The current cluster, if its scheduler has the plugin.
    known : tuple of KnownValues
        Where values may be found that other plans have computed.
    chosen : Workers or None
        Workers to plan for instead of the cluster's.
    """

    cluster: SharedCluster | None
    known: tuple[KnownValues, ...]
    chosen: Workers | None = None

    @classmethod
    def plain(cls) -> Site:
        """Return where tasks run as they are, on threads of Dask's."""
        return cls._with(BARE, stored_values())

    @classmethod
    def outcomes(cls) -> Site:
        """Return where tasks take and return outcomes, under the caller's settings."""
        return cls._with(Surroundings.here(Threads(1)).name, stored_values(threads=1))

    @classmethod
    def _with(cls, form: str, stored: tuple[KnownValues, ...]) -> Site:
        cluster = shared_cluster()
        return cls(cluster, stored if cluster is None else (cluster.values(form), *stored))

    def without_live(self) -> Site:
        """Return the same without values that are alive on the cluster."""
        return replace(self, known=tuple(one for one in self.known if not one.live))

    @cached_property
    def _workers(self) -> Workers | None:
        if self.chosen is not None or self.cluster is None:
            return self.chosen
        return self.cluster.workers()

    def workers(self) -> Workers | None:
        """Return the workers to plan for, None if there is no cluster of any; asks once."""
        return self._workers

    def plan(self, graph: Graph, chosen: Options, observe: Observer | None = None) -> Graph:
        """Run the pipeline on a batch that will run here; nobody is told.

        Parameters
        ----------
        graph : Graph
            As it was written down.
        chosen : Options
        observe : callable, optional
            Told of every pass.
        """
        return run(
            graph.with_(workers=self.workers),
            numerics=chosen.numerics,
            disable=chosen.disable,
            check=chosen.verify,
            observe=observe,
            known=self.known,
        )

    def announce(self, graph: Graph) -> None:
        """Tell the cluster what a plan that will be submitted consists of."""
        for one in graph.known:
            if isinstance(one, LiveValues):
                one.announce(graph)

    def place(self, graph: Graph) -> None:
        """Tell the cluster where a plan that will be submitted is to run."""
        if self.cluster is not None:
            self.cluster.place(graph)
