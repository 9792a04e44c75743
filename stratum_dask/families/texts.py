"""Models of LightGBM as the library writes them: what it wrote of all rounds holds that of fewer.

A fit ends with writing the model and reading it again. Writing takes longest, since it finds as
many digits as tell one number from the next, so it is not done again for members of fewer rounds.
"""

from __future__ import annotations

import re
from typing import Any
from weakref import WeakKeyDictionary

_texts: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
"""What was written of fitted estimators, as long as these are there."""

_MOST = 1 << 22
"""Longer texts are not kept."""

_LAST = "\nend of trees\n"


def writing(kind: type, estimator: Any) -> type:
    """Return a class of boosters that keep what is written of them when an estimator is fitted.

    Parameters
    ----------
    kind : type
        LightGBM's own; they are of that again afterwards.
    estimator : estimator
    """

    def model_to_string(booster: Any, *args: Any, **kwargs: Any) -> str:
        booster.__class__ = kind
        text: str = booster.model_to_string(*args, **kwargs)
        if len(text) < _MOST:
            _texts[estimator] = text
        return text

    return type(kind.__name__, (kind,), {"model_to_string": model_to_string})


def first_rounds(learned: Any, rounds: int) -> str:
    """Return the first rounds of a fitted estimator, as if no more had been asked for.

    Parameters
    ----------
    learned : estimator
    rounds : int

    Returns
    -------
    str
        Importances may be those of all rounds: nobody reads them.
    """
    booster = learned.booster_
    text = _cut(_texts.get(learned, ""), booster.num_trees(), rounds)
    if text is None:
        text = booster.model_to_string(num_iteration=rounds)
    trees, last, said = text.rpartition(_LAST)
    noted = re.sub(r"(?m)^\[num_iterations: \d+\]$", f"[num_iterations: {rounds}]", said)
    return f"{trees}{last}{noted}"


def _cut(text: str, trees: int, rounds: int) -> str | None:
    """Cut rounds out of the text of so many trees; nothing if it is written in another way."""
    head, gap, rest = text.partition("\n\nTree=")
    body, last, tail = rest.partition(_LAST)
    sizes = re.search(r"(?m)^tree_sizes=([\d ]+)$", head)
    each = re.search(r"(?m)^num_tree_per_iteration=(\d+)$", head)
    if sizes is None or each is None:
        return None
    # Each tree has its size from its name to the next one's.
    many = [int(size) for size in sizes[1].split()]
    kept = many[: rounds * int(each[1])]
    if len(many) != trees or sum(many) != len("Tree=") + len(body) + 1:
        return None
    head = f"{head[: sizes.start(1)]}{' '.join(map(str, kept))}{head[sizes.end(1) :]}"
    body = body[: sum(kept) - len("Tree=") - 1]
    return "".join((head, gap, body, last, tail))
