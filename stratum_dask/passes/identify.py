"""Say of every task what it computes.

Also finds the values that a candidate edits in place and reads again afterwards:

    frame -> edit(frame) -> score(frame, after=edit)

Here `score` sees what `edit` did to `frame`, because it runs later. Such a value belongs to its
candidate alone and is never shared, nor are the tasks kept from editing it.
"""

from __future__ import annotations

from stratum_dask._native import digest
from stratum_dask.edits import editors
from stratum_dask.fingerprint import Fingerprinter
from stratum_dask.graph import NODE_TYPES, Graph, Key, dependencies_at

_PLACEMENT = ("workers", "resources", "allow_other_workers")


def identify(graph: Graph) -> Graph:
    """Give every task its token: equal tokens, equal values.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    Graph
        The same object when all tokens are known already. Linear in tasks and references,
        plus the content of files and literals that were not hashed before.
    """
    if len(graph.tokens) >= len(graph.tasks) and graph.tokens.keys() >= graph.tasks.keys():
        return graph
    fingerprinter = graph.fingerprinter or Fingerprinter(NODE_TYPES)
    graph = graph.with_(fingerprinter=fingerprinter)
    edited = _edited_on_purpose(graph)
    found = fingerprinter.identify(graph, edited)
    tokens = found.tokens
    for key, notes in graph.annotations.items():
        placement = [(name, notes[name]) for name in _PLACEMENT if name in notes]
        if placement and key in tokens:
            # Tasks that must run in different places are not interchangeable.
            tokens[key] = digest(tokens[key] + repr(placement).encode())
    return graph.with_(
        tokens=tokens, why_not={**graph.why_not, **found.why_not}, edited=frozenset(edited)
    )


def _edited_on_purpose(graph: Graph) -> dict[Key, str]:
    """Return the values that a task edits before another, which depends on it, reads them."""
    topology = graph.topology
    edited: dict[Key, str] = {}
    found = editors(graph)
    if not found:
        return edited
    ids, consumers = topology.ids, topology.consumers
    for editor, changed in found.items():
        if not consumers[ids[editor]]:
            continue
        for key in dependencies_at(graph.tasks[editor], changed):
            i = ids.get(key)
            others = [j for j in consumers[i] if j != ids[editor]] if i is not None else []
            if others and topology.dag.reaches(ids[editor], others):
                edited[key] = f"edited in place by {editor!r} and read again afterwards"
    return edited
