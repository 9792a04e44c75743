"""The candidates of a batch: what users may pass, and the estimators that it stands for.

{"ridge": Ridge()}                                    one
{"ridge": (Ridge(), {"alpha": [1, 10]})}              "ridge: alpha=1", "ridge: alpha=10"
{"forest": (Forest(), {"max_depth": randint(2, 9)}, 20)}      twenty
{"mine": make_pipeline_of_mine}                       what the function returns
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, NamedTuple

from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import ParameterGrid, ParameterSampler

from stratum_dask._native import digest
from stratum_dask.config import is_many
from stratum_dask.errors import ConfigError
from stratum_dask.ops.outcomes import Failure, failure_of
from stratum_dask.runtime.threads import Threads, with_inner_threads
from stratum_dask.semantics import draws_when_asked, uses_randomness


class Candidate(NamedTuple):
    """One estimator to evaluate.

    Attributes
    ----------
    name : hashable
        What the user calls it, with its parameters where it comes from a search space.
    estimator : estimator or None
        Unfitted, and nobody else's; None if making it failed.
    failure : Failure or None
        Why there is none.
    """

    name: Hashable
    estimator: Any
    failure: Failure | None = None


def expand(candidates: Any, seed: int | None = None) -> list[Candidate]:
    """Return the candidates that the user's argument stands for, each with a name of its own.

    Parameters
    ----------
    candidates : estimator, callable, (either, space[, n_iter]), or a dict, list or iterable
        See :func:`stratum_dask.evaluate`.
    seed : int, optional
        Gives all that draws randomness without a seed one of its own.

    Examples
    --------
    >>> from sklearn.linear_model import Lasso, Ridge
    >>> [one.name for one in expand({"l1": Lasso, "l2": (Ridge(), {"alpha": [1, 2]})})]
    ['l1', 'l2: alpha=1', 'l2: alpha=2']
    """
    found: list[Candidate] = []
    for name, what in _named(candidates):
        try:
            found += [Candidate(label, one) for label, one in _each(name, what, seed)]
        except Exception as error:
            found.append(Candidate(name, None, failure_of(error, f"make {name}")))
    return _distinct(found)


def _named(candidates: Any) -> Iterator[tuple[Hashable, Any]]:
    if isinstance(candidates, Mapping):
        yield from candidates.items()
    elif _is_one(candidates):
        what = candidates[0] if isinstance(candidates, tuple) else candidates
        yield getattr(what, "__name__", type(what).__name__), candidates
    elif is_many(candidates):
        yield from enumerate(candidates)
    else:
        raise ConfigError(
            f"candidates is {candidates!r}; pass an estimator, or a dict or list of estimators"
        )


def _is_one(value: Any) -> bool:
    if isinstance(value, tuple) and len(value) in (2, 3):
        space = value[1]
        return isinstance(space, Mapping) or (
            isinstance(space, list) and all(isinstance(one, Mapping) for one in space)
        )
    return hasattr(value, "fit") or callable(value)


def _each(name: Hashable, what: Any, seed: int | None) -> Iterator[tuple[Hashable, Any]]:
    if not _is_one(what):
        raise TypeError(
            f"candidate {name!r} is of type {type(what).__name__}; pass an estimator, a callable "
            "that returns one, or a tuple of either and a search space; names go into a dict"
        )
    if not isinstance(what, tuple):
        yield name, _prepared(_own(_made(what)), seed)
        return
    base = _made(what[0])
    for params in _points(*what[1:], seed=seed):
        made = _own(base).set_params(**clone(params, safe=False))
        shown = ", ".join(f"{key}={value!r}" for key, value in params.items())
        yield f"{name}: {shown}", _prepared(made, seed)


def _made(what: Any) -> Any:
    is_maker = isinstance(what, type) or (callable(what) and not hasattr(what, "fit"))
    made = what() if is_maker else what
    if not hasattr(made, "fit"):
        raise TypeError(f"{what!r} returned an object of type {type(made).__name__} without a fit")
    return made


def _points(space: Any, n_iter: int | None = None, *, seed: int | None) -> Any:
    if n_iter is None:
        return ParameterGrid(space)  # says so itself if there are distributions
    return ParameterSampler(space, n_iter, random_state=seed)


def _own(estimator: Any) -> Any:
    """Return a copy of a user's estimator, whose generators stay as they are."""
    return copy.deepcopy(estimator) if draws_when_asked(estimator) else clone(estimator)


def _prepared(estimator: Any, seed: int | None) -> Any:
    """Change an estimator for a batch, unless each of its clones must be changed by itself."""
    if draws_when_asked(estimator):
        return estimator
    return with_inner_threads(estimator if seed is None else seeded(estimator, seed), Threads(1))


def on_folds(estimator: Any, folds: int, seed: int | None = None) -> list[Any]:
    """Return what is fitted on each fold.

    Parameters
    ----------
    estimator : estimator
        Of a candidate.
    folds : int
        How many.
    seed : int, optional
        As for :func:`expand`.

    Returns
    -------
    list of estimators
        One object, unless its clones differ: then one for each fold, made in the order of the
        folds, as scikit-learn's cross-validation does.
    """
    if not draws_when_asked(estimator):
        return [estimator] * folds
    return [_prepared(clone(estimator), seed) for _ in range(folds)]


def seeded(estimator: Any, seed: int) -> Any:
    """Give every part of an estimator that draws randomness without a seed one of its own.

    It follows from `seed`, the part's class and its place, not from parameters: candidates that
    differ in a parameter are compared on the same draws.

    Parameters
    ----------
    estimator : estimator
        Changed in place.
    seed : int

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestRegressor as Forest
    >>> a, b = seeded(Forest(10), 0), seeded(Forest(20), 0)
    >>> a.random_state == b.random_state, a.random_state == seeded(Forest(), 1).random_state
    (True, False)
    """
    params = estimator.get_params(deep=True)
    for name, value in params.items():
        place, _, last = name.rpartition("__")
        owner = params[place] if place else estimator
        if last != "random_state" or value is not None or not _draws(owner):
            continue
        kind = type(owner)
        identity = f"{seed}|{kind.__module__}.{kind.__qualname__}|{place}"
        number = int.from_bytes(digest(identity.encode())[:4], "little") >> 1
        estimator.set_params(**{name: number})
    return estimator


def _draws(owner: Any) -> bool:
    return not isinstance(owner, BaseEstimator) or uses_randomness(owner)


def _distinct(candidates: list[Candidate]) -> list[Candidate]:
    """Tell candidates of one name apart by numbers."""
    seen: Counter[Hashable] = Counter()
    result = []
    for one in candidates:
        seen[one.name] += 1
        number = seen[one.name]
        result.append(one if number == 1 else one._replace(name=f"{one.name} #{number}"))
    return result
