"""Say of every task what it computes."""

from __future__ import annotations

from stratum_dask._native import digest
from stratum_dask.fingerprint import Fingerprinter
from stratum_dask.graph import NODE_TYPES, Graph
from stratum_dask.passes.on_purpose import edited_on_purpose, separate
from stratum_dask.passes.twins import keep_twins

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
    edited = edited_on_purpose(graph)
    if edited and (separated := separate(graph, edited)) is not graph:
        graph = separated
        edited = edited_on_purpose(graph)
    why = {
        key: f"edited in place by {by[0]!r} and read again afterwards" for key, by in edited.items()
    }
    found = fingerprinter.identify(graph, why)
    if (distinct := keep_twins(graph, found.tokens)) is not graph:
        graph = distinct
        found = fingerprinter.identify(graph, why)
    tokens = found.tokens
    for key, notes in graph.annotations.items():
        placement = [(name, notes[name]) for name in _PLACEMENT if name in notes]
        if placement and key in tokens:
            # Tasks that must run in different places are not interchangeable.
            tokens[key] = digest(tokens[key] + repr(placement).encode())
    return graph.with_(
        tokens=tokens, why_not={**graph.why_not, **found.why_not}, edited=frozenset(edited)
    )
