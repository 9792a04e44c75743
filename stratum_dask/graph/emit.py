"""One flat :class:`Graph` -> the same collections in the same containers.

Tasks are laid out in *sections*: a section holds the tasks that exactly the same collections
need. Each section becomes one layer, and each collection's high-level graph is made of the
layers that it needs and of nothing else. Layers are shared objects with names of this plan, so
that many collections computed at once merge back into each task once, and one collection
submitted alone carries only its own.

    load -> clean -> features_1 -> fit_1, fit_2        layers  {load, clean}  all
                  -> features_2 -> fit_3                       {features_1}   fit_1, fit_2
                                                               {fit_1} {fit_2} {features_2, fit_3}
"""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any

from dask._task_spec import Alias, GraphNode, Task, TaskRef, cull
from dask.base import clone_key, is_dask_collection
from dask.core import flatten
from dask.delayed import Delayed
from dask.graph_manipulation import chunks
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer
from dask.utils import key_split

from stratum_dask.graph.known import Key
from stratum_dask.graph.lower import Source
from stratum_dask.graph.model import ANNOTATION, NO_GROUP, Graph


class SectionLayer(MaterializedLayer):
    """A layer whose tasks are all needed together, which makes culling it cheap."""

    has_legacy_tasks = False

    def __init__(
        self, mapping: Mapping[Key, GraphNode], annotations: Mapping[str, Any] | None = None
    ) -> None:
        # Dask's own would add the annotations of the code that plans.
        self.mapping = mapping
        self.annotations = annotations
        self.collection_annotations = None

    def cull(
        self, keys: set[Key], all_hlg_keys: Collection[Key]
    ) -> tuple[MaterializedLayer, Mapping[Key, set[Key]]]:
        """Return the layer with what `keys` need of it; in time linear in its own size."""
        wanted = [key for key in self.mapping if key in keys]
        tasks = cull(self.mapping, wanted) if wanted else {}
        layer = (
            self
            if len(tasks) == len(self.mapping)
            else SectionLayer(tasks, annotations=self.annotations)
        )
        return layer, {key: set(node.dependencies) for key, node in tasks.items()}

    def clone(
        self, keys: set[Key], seed: Hashable, bind_to: Key | None = None
    ) -> tuple[MaterializedLayer, bool]:
        """Return the layer under other keys, for ``dask.graph_manipulation``.

        Dask's own knows legacy tasks alone, whose references it would leave as they are in ours.
        """
        tasks: dict[Key, GraphNode] = {}
        bound = False
        for key, node in self.mapping.items():
            if key not in keys:
                tasks[key] = node
                continue
            needed = {name: clone_key(name, seed) for name in node.dependencies & keys}
            key = clone_key(key, seed)
            if type(node) is Alias:  # would keep its key where its target does
                tasks[key] = Alias(key, needed.get(node.target, node.target))
            else:
                tasks[key] = node.substitute(needed, key=key)
            if bind_to is not None and not needed:
                tasks[key] = Task(key, chunks.bind, tasks[key], TaskRef(bind_to))
                bound = True
        return SectionLayer(tasks, annotations=self.annotations), bound


class _Tasks(UserDict[Key, GraphNode]):
    """The tasks of a dask DataFrame, which names itself by them.

    Parameters
    ----------
    tasks : dict
    name : hashable
        Says which they are: Dask would pickle all of them to find that out.
    """

    def __init__(self, tasks: dict[Key, GraphNode], name: Hashable) -> None:
        self.data, self.name = tasks, name

    def __dask_tokenize__(self) -> Hashable:
        return self.name


def emit(graph: Graph, sources: Sequence[Source]) -> list[Any]:
    """Give back what the user passed, computed by `graph`.

    Parameters
    ----------
    graph : Graph
    sources : sequence of Source
        As returned by :func:`lower`; ``sources[i]`` is what ``graph.outputs[i]`` came from.

    Returns
    -------
    list
        One object per source, of the source's type.
    """
    layers, own = _layers(graph)
    results = []
    for source, output, names in zip(sources, graph.outputs, own, strict=True):
        if names:
            results.append(_emit_one(source, names, layers))
        elif graph.live and all(key in graph.live for key in output.keys):
            results.append(_persisted(source, {key: graph.live[key] for key in output.keys}))
        else:
            results.append(source.value)  # Futures: there is nothing to compute
    return results


def merged_graph(graph: Graph) -> HighLevelGraph:
    """Return the whole graph as one high-level graph of few layers."""
    layers, _ = _layers(graph.with_(outputs=_as_one(graph)))
    return HighLevelGraph(
        {name: layer for name, (layer, _) in layers.items()},
        {name: set(needs) for name, (_, needs) in layers.items()},
    )


def _as_one(graph: Graph) -> tuple[Any, ...]:
    keys = tuple(key for output in graph.outputs for key in output.keys)
    return (graph.outputs[0]._replace(keys=keys),) if graph.outputs else ()


Layers = Mapping[str, tuple[SectionLayer, Sequence[str]]]


def _layers(graph: Graph) -> tuple[Layers, list[list[str]]]:
    """Lay the tasks out in sections.

    Returns
    -------
    layers : mapping of str to (SectionLayer, names of the layers that it needs)
    own : list of list of str
        For each output, the names of the layers that hold its keys; none if one is a Future.
    """
    topology = graph.topology
    groups = [NO_GROUP] * len(topology.keys)
    for number, output in enumerate(graph.outputs):
        for key in output.keys:
            i = topology.ids.get(key)
            if i is not None and groups[i] == NO_GROUP:
                groups[i] = number
    section_of, needs = topology.dag.sections(groups, graph.colors)
    contents: list[dict[Key, GraphNode]] = [{} for _ in needs]
    for i, (key, node) in enumerate(graph.tasks.items()):
        contents[section_of[i]][key] = node
    names = [f"stratum-{graph.plan}-{number}" for number in range(len(needs))]
    annotations_of = _annotations(graph)
    layers = {
        name: (
            SectionLayer(tasks, annotations_of(next(iter(tasks)))),
            [names[needed] for needed in needed_by],
        )
        for name, tasks, needed_by in zip(names, contents, needs, strict=True)
    }
    ids = topology.ids
    own = []
    for output in graph.outputs:
        sections = [section_of[ids[key]] for key in output.keys if key in ids]
        complete = len(sections) == len(output.keys)
        own.append([names[section] for section in dict.fromkeys(sections)] if complete else [])
    return layers, own


def _annotations(graph: Graph) -> Callable[[Key], dict[str, Any] | None]:
    """Return what gives a section's annotations, by any of its keys.

    Who shares values can tell by them whose they are.
    """
    plan = {ANNOTATION: graph.plan} if graph.shares_live else {}
    find = graph.annotations.get
    return lambda key: {**find(key, {}), **plan} or None


def _closure(own: Iterable[str], layers: Layers, called: str | None = None) -> HighLevelGraph:
    """Return the high-level graph of some layers and all that they need.

    A collection expects to find its keys in a layer of a certain name: its only own layer may be
    `called` something else.
    """
    chosen: dict[str, SectionLayer] = {}
    dependencies: dict[str, set[str]] = {}
    stack = list(own)
    while stack:
        name = stack.pop()
        if name not in dependencies:
            layer, needs = layers[name]
            name, called = called or name, None
            chosen[name] = layer
            dependencies[name] = set(needs)
            stack.extend(needs)
    return HighLevelGraph(chosen, dependencies)


def _emit_one(source: Source, own: list[str], layers: Layers) -> Any:
    value = source.value
    if isinstance(value, Delayed):
        return Delayed(value.key, _closure(own, layers, value.key), value._length)
    if isinstance(value, HighLevelGraph):
        return _closure(own, layers)
    if not is_dask_collection(value):
        return _closure(own, layers).to_dict()
    if hasattr(value, "expr"):
        from dask.dataframe import from_graph  # takes long to import; here it is loaded already

        keys = list(flatten(source.keys))
        tasks = _Tasks(_closure(own, layers).to_dict(), (*own, value._name))
        return from_graph(tasks, value._meta, value.divisions, keys, key_split(value._name))
    rebuild, state = value.__dask_postpersist__()
    names: Sequence[str] = getattr(value, "__dask_layers__", tuple)()
    if len(own) == len(names) == 1:
        return rebuild(_closure(own, layers, names[0]), *state)
    hlg = _closure(own, layers)
    layered = not names and isinstance(value.__dask_graph__(), HighLevelGraph)
    return rebuild(hlg if layered else hlg.to_dict(), *state)


def _persisted(source: Source, futures: Mapping[Key, Any]) -> Any:
    """Give back a collection whose values are alive, as ``persist`` does."""
    if not is_dask_collection(source.value):
        return dict(futures)
    rebuild, state = source.value.__dask_postpersist__()
    return rebuild(dict(futures), *state)
