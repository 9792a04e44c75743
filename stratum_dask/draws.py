"""Whether calls draw randomness that no int seeds."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from stratum_dask.bytecode import Effects
from stratum_dask.bytecode.bindings import unwrapped
from stratum_dask.literals import Unknown
from stratum_dask.semantics import SAMPLING, is_users_estimator, may_draw


def makes_drawing(node: Any) -> bool:
    """Tell whether a task that makes an estimator or splitter may make one that needs a seed."""
    kind, args, kwargs = unwrapped(node.func)
    args, kwargs = (*args, *node.args), {**kwargs, **node.kwargs}
    if args and is_users_estimator(kind):
        names = inspect.signature(kind).parameters
        kwargs = {**dict(zip(names, args, strict=False)), **kwargs}
    return _draws_with(kind, kwargs)


def check_sampling(name: str, given: Mapping[str, Any]) -> None:
    """Raise :class:`Unknown` if a library's function samples without a seed."""
    asked_by = SAMPLING.get(name)  # the keyword without which it samples nothing
    samples = asked_by is None or asked_by in given
    if samples and not isinstance(given.get("random_state"), int):
        raise Unknown(f"calls {name} without an int random_state")


def check_seeds(effects: Effects, given: Mapping[str, Any]) -> None:
    """Raise :class:`Unknown` if a user's function is not given the seeds that it needs."""
    for seed in effects.seeds:
        if not isinstance(given.get(seed), int):
            raise Unknown(f"draws randomness: {seed} is no int")
    for name, kind in effects.settings:
        if not isinstance(given.get(name), dict) or _draws_with(kind, given[name]):
            raise Unknown(f"draws randomness: {name} holds no int random_state")


def _draws_with(kind: type, given: Mapping[str, Any]) -> bool:
    """Tell whether an object of a class that is made with some keywords may draw randomness."""
    return not isinstance(given.get("random_state"), int | np.integer) and may_draw(kind, given)
