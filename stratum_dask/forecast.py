"""How a graph is expected to run on some workers: simulated from what tasks cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape

from stratum_dask._native import Cluster, Dag, Schedule
from stratum_dask.gantt import picture
from stratum_dask.graph import Graph, GraphNode, Key, Placement, Workers, call_of, key_split
from stratum_dask.ops.packed import Packed
from stratum_dask.runtime.costs import Cost, estimate_works
from stratum_dask.runtime.kinds import Work, works_of
from stratum_dask.units import size_of, time_of

_MOST = 12


@dataclass(frozen=True)
class Outline:
    """What a graph consists of, without its data: enough to say later what was to be expected.

    Attributes
    ----------
    keys : list of keys
    names : list of str
        For people to read.
    wanted : bytearray
        1 for the tasks whose value is kept to the end.
    dependencies : list of tuple of keys
    works : tuple of Work
        The calls that the tasks make.
    """

    keys: list[Key]
    names: list[str]
    wanted: bytearray
    dependencies: list[tuple[Key, ...]]
    works: tuple[Work, ...]

    @classmethod
    def of(cls, graph: Graph) -> Outline:
        """Return the outline of a graph at any stage of the pipeline."""
        nodes = graph.tasks.items()
        return cls(
            graph.topology.keys,
            [_name(key, node) for key, node in nodes],
            graph.topology.flags(graph.wanted),
            [tuple(node.dependencies) for _, node in nodes],
            works_of(graph),
        )

    def estimated(self, dag: Dag | None = None) -> Expected:
        """Estimate from the cost book what its tasks take.

        Parameters
        ----------
        dag : Dag, optional
            The graph over integers, if it is at hand.
        """
        if dag is None:
            dag = Dag(dict(zip(self.keys, range(len(self.keys)), strict=True)), self.dependencies)
        costs = estimate_works(self.works)
        free = Cost(0.0, 0, True)  # another name of a value
        found = [costs.get(key, free) for key in self.keys]
        seconds = [cost.seconds for cost in found]
        work = sum(seconds)
        measured = sum(cost.seconds for cost in found if cost.known)
        nbytes = [float(cost.nbytes) for cost in found]
        return Expected(self, dag, seconds, nbytes, measured / work if work else 0.0)


@dataclass(frozen=True)
class Expected:
    """What is expected of the tasks of a graph, in its order.

    Attributes
    ----------
    outline : Outline
    dag : Dag
    seconds, nbytes : list of float
        How long each runs, and the size of its value.
    known : float
        The share of the seconds that tasks take whose kind was measured before.
    """

    outline: Outline
    dag: Dag
    seconds: list[float]
    nbytes: list[float]
    known: float = 1.0

    @classmethod
    def of(cls, graph: Graph) -> Expected:
        """Estimate it from the cost book."""
        return Outline.of(graph).estimated(graph.topology.dag)

    @classmethod
    def measured(cls, graph: Graph, seconds: list[float], nbytes: list[float]) -> Expected:
        """Take it from somebody who knows."""
        return cls(Outline.of(graph), graph.topology.dag, seconds, nbytes)

    @cached_property
    def _groups(self) -> list[int]:
        """Number tasks by the groups in which Dask sees them: those with one name."""
        numbers: dict[Key, int] = {}
        keys = self.outline.keys
        names = (key[0] if isinstance(key, tuple) else key_split(key) for key in keys)
        return [numbers.setdefault(name, len(numbers)) for name in names]

    def floor(self, workers: Workers) -> float:
        """Return the seconds below which no schedule gets."""
        return _cluster(workers).floor(self.dag, self.seconds)

    @cached_property
    def chain(self) -> list[int]:
        """The longest chain of tasks."""
        return self.dag.critical_path(self.seconds)

    def moving_all(self, workers: Workers) -> float:
        """Return the seconds that it takes to send every value that has users once."""
        used = zip(self.nbytes, self.dag.dependents(), strict=True)
        near = 0.1 if len(set(workers.machines)) == 1 else 1.0
        return near * sum(size for size, users in used if users) / workers.bandwidth

    def place(self, workers: Workers) -> Forecast:
        """Find the best placement on some workers, Dask's own included."""
        cluster = _cluster(workers)
        worker, rank, ours, stock = cluster.place(
            self.dag,
            self.seconds,
            self.nbytes,
            self.outline.wanted,
            range(len(self.seconds)),
            self._groups,
        )
        return Forecast(
            workers=workers,
            names=self.outline.names,
            seconds=self.seconds,
            known=self.known,
            floor=cluster.floor(self.dag, self.seconds),
            critical=self.chain,
            schedule=ours,
            stock=stock,
            rank=rank,
            worker=None if cluster.NONE in worker else worker,
        )


def _cluster(workers: Workers) -> Cluster:
    numbers: dict[str, int] = {}
    return Cluster(
        workers.threads,
        [numbers.setdefault(machine, len(numbers)) for machine in workers.machines],
        workers.memory,
        workers.bandwidth,
        workers.latency,
    )


def _name(key: Key, node: GraphNode) -> str:
    call = call_of(node)
    if call is not None and isinstance(call.func, Packed):
        return " + ".join(key_split(step.label) for step in call.func.steps)
    return str(key_split(key))


@dataclass(frozen=True)
class Forecast:
    """How a batch is expected to run.

    Attributes
    ----------
    workers : Workers
    names : list of str
        Of the tasks.
    seconds : list of float
        How long each runs.
    known : float
        The share of the seconds that tasks take whose kind was measured before.
    floor : float
        Seconds below which no schedule gets.
    critical : list of int
        The longest chain of tasks.
    schedule : Schedule
        What is expected.
    stock : Schedule
        What is expected if Dask places the tasks.
    rank : list of int
        The order in which tasks should be run.
    worker : list of int or None
        The worker of each task; None where that is left to Dask.
    """

    workers: Workers
    names: list[str]
    seconds: list[float]
    known: float
    floor: float
    critical: list[int]
    schedule: Schedule
    stock: Schedule
    rank: list[int]
    worker: list[int] | None

    @property
    def is_stock(self) -> bool:
        """Whether place and order are left to Dask."""
        return self.worker is None and self.rank == list(range(len(self.rank)))

    def placement(self, keys: Sequence[Key]) -> Placement:
        """Return where and in which order the tasks of these keys are meant to run."""
        addresses, chosen = self.workers.names, self.worker
        order = sorted(range(len(keys)), key=self.rank.__getitem__)
        workers = {keys[i]: "" if chosen is None else addresses[chosen[i]] for i in order}
        return Placement(workers, self.schedule.makespan)

    def _rows(self) -> Sequence[tuple[str, str]]:
        ours, stock, places = self.schedule, self.stock, sum(self.workers.threads)
        rows = [
            ("workers", f"{len(self.workers.threads)} with {places} threads"),
            (
                "expected",
                f"{time_of(ours.makespan)}, {self.known:.0%} of the work measured before",
            ),
            ("floor", f"{time_of(self.floor)} ({self.floor / (ours.makespan or 1.0):.0%})"),
            ("longest chain", self._chain()),
            ("idle", f"{self._idle_share():.0%} of the threads' time"),
            ("memory", f"{size_of(max(ours.peak))} on one worker at most"),
            ("moved", f"{size_of(ours.moved)} between workers"),
        ]
        if self.is_stock:
            return [*rows, ("placed", "by Dask, which does no worse")]
        if self.worker is None:
            by_dask = f"{time_of(stock.makespan)} in Dask's order"
            return [*rows, ("placed", f"by Dask, longest remaining chain first; {by_dask}")]
        by_dask = f"{time_of(stock.makespan)} and {size_of(stock.moved)} moved if Dask places them"
        return [*rows, ("placed", f"{len(self.worker):,} tasks; {by_dask}")]

    def _chain(self) -> str:
        names = [self.names[i] for i in self.critical if self.seconds[i] > 0]
        shown = names if len(names) <= _MOST else [*names[: _MOST - 1], f"... {len(names)} tasks"]
        return f"{time_of(sum(self.seconds[i] for i in self.critical))}: {' -> '.join(shown)}"

    def _idle_share(self) -> float:
        everything = self.schedule.makespan * sum(self.workers.threads)
        return 1 - sum(self.schedule.busy) / everything if everything else 0.0

    def _idle(self) -> list[tuple[str, str]]:
        ours = self.schedule
        each = zip(self.workers.names, self.workers.threads, ours.busy, ours.peak, strict=True)
        return [
            (
                name,
                f"{time_of(ours.makespan * threads - busy)} idle, {size_of(peak)} at most",
            )
            for name, threads, busy, peak in each
        ]

    def __str__(self) -> str:
        lines = [f"  {name + ':':<22}{value}" for name, value in self._rows()]
        idle = self._idle()
        lines += [f"  {name + ':':<22}{value}" for name, value in idle[:_MOST]]
        if len(idle) > _MOST:
            lines.append(f"  ... {len(idle) - _MOST} more workers")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th>"
            f"<td style='text-align:left'>{escape(value)}</td></tr>"
            for name, value in self._rows()
        )
        svg = picture(self.names, self.seconds, self.schedule, self.workers, set(self.critical))
        return f"<table>{rows}</table>{svg}"
