"""Arrays that share memory, and copies of them that do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

Copies = dict[int, Any]
"""Copies that belong together, by the ids of what they are copies of, as :mod:`copy` keeps them."""

CONTAINERS = (list, tuple, set, dict)
"""Types that are looked into."""


def root_of(array: np.ndarray) -> np.ndarray:
    """Return the array whose memory an array is a part of; itself, if nobody else's."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _arrays(values: Iterable[Any], seen: set[int]) -> Iterator[np.ndarray]:
    """Yield the arrays in plain containers, each once."""
    for value in values:
        kind = type(value)
        if (kind is np.ndarray or kind in CONTAINERS) and id(value) not in seen:
            seen.add(id(value))
            if kind is np.ndarray:
                yield value
            else:
                yield from _arrays(value.values() if kind is dict else value, seen)


def copy_shared_memory(values: Iterable[Any], copies: Copies) -> None:
    """Copy the memory that several arrays share once, so that their copies share it, too.

    Parameters
    ----------
    values : iterable
        Arrays, also in plain containers; all else is left alone.
    copies : dict
        Where their copies are put.

    Examples
    --------
    >>> whole = np.zeros(3)
    >>> part = whole[:2]
    >>> copies = {}
    >>> copy_shared_memory([whole, [part]], copies)
    >>> copies[id(part)][0] = 1
    >>> copies[id(whole)], whole
    (array([1., 0., 0.]), array([0., 0., 0.]))
    """
    users: dict[int, list[np.ndarray]] = {}
    for array in _arrays(values, set()):
        users.setdefault(id(root_of(array)), []).append(array)
    for sharing in users.values():
        root = root_of(sharing[0])
        if len(sharing) > 1 and _is_plain(root):
            fresh = root.copy(order="K")
            for array in sharing:
                part = fresh if array is root else _same_part(array, fresh)
                part.flags.writeable = array.flags.writeable or array is root
                copies[id(array)] = part
            fresh.flags.writeable = root.flags.writeable


def copy_of(array: np.ndarray) -> np.ndarray:
    """Return a copy with the same strides, on which the bits of products can depend.

    Examples
    --------
    >>> copy_of(np.zeros((3, 2))[:, 1]).strides
    (16,)
    """
    fresh = array.copy(order="K")
    if fresh.strides == array.strides or fresh.size < 2 or array.dtype.hasobject:
        return fresh
    steps = [(n - 1) * step for n, step in zip(array.shape, array.strides, strict=True)]
    before = -sum(step for step in steps if step < 0)
    memory = np.empty(before + sum(step for step in steps if step > 0) + array.itemsize, np.uint8)
    spread = np.ndarray(array.shape, array.dtype, memory, before, array.strides)
    spread[...] = fresh
    return spread


def _is_plain(root: np.ndarray) -> bool:
    """Tell whether the parts of an array's copy can be found by their addresses."""
    return root.flags.forc and root.flags.owndata and not root.dtype.hasobject


def _same_part(array: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Return the part of a copied `root` that an array is of the original."""
    memory = root.ravel(order="K").view(np.uint8)
    begin = array.__array_interface__["data"][0] - root_of(array).__array_interface__["data"][0]
    return np.ndarray(array.shape, array.dtype, memory, begin, array.strides)
