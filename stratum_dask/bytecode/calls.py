"""What the calls of a function do besides computing: draw randomness, look at the clock.

RandomForestRegressor(random_state=0)      seeded
RandomForestRegressor(random_state=seed)   seeded, if the parameter `seed` is an int
RandomForestRegressor(**params)            may draw
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from stratum_dask.bytecode.origins import (
    DYNAMIC,
    FRESH,
    OWN_SEED,
    Made,
    Method,
    Parameter,
    Value,
)
from stratum_dask.semantics import (
    CALLING,
    DRAWING,
    GENERATORS,
    LOGGING,
    MUTATING_METHODS,
    PURE_METHODS,
    READERS,
    SAMPLING,
    SEEDED,
    consumed_once,
    decides_randomness,
    is_pure,
    is_users_estimator,
    may_draw,
    reads_clock,
)

Site = tuple[int, int]
"""Where a call is: the code's id, and the offset of the instruction."""

_KNOWN_METHODS = frozenset({"eval", "query"}) | PURE_METHODS | MUTATING_METHODS | LOGGING | DRAWING


class Given(NamedTuple):
    """The keywords of a call, as far as they are written out.

    Attributes
    ----------
    values : mapping of str to Value
    others : bool
        Whether ``**`` may add more.
    added : tuple
        What it adds, as far as that is known for certain.
    """

    values: Mapping[str, Value]
    others: bool = False
    added: tuple[Any, ...] = ()


class Settings(NamedTuple):
    """Parameters that must be dicts with which an object of a class draws no randomness."""

    kind: type
    names: tuple[str, ...]


Seed = bool | str | Settings


@dataclass
class Calls:
    """What was seen of the calls of a function and of those nested in it.

    Attributes
    ----------
    draws : dict of site to (callable, seed)
        Calls of what draws randomness without a seed. Their seed is True if they have one, the
        name of the parameter that must be one, the parameters that must hold one, or False.
    reasons : dict of str to None
        Why the function is impure.
    iterates : bool
        Whether it may return an iterator.
    hands : bool
        Whether a parameter may be called by what it is handed to, or made keywords of.
    """

    draws: dict[Site, tuple[Any, Seed]] = field(default_factory=dict)
    reasons: dict[str, None] = field(default_factory=dict)
    iterates: bool = False
    hands: bool = False

    def call(
        self,
        site: Site,
        func: tuple[str | None, Any],
        args: Sequence[Value],
        given: Given,
    ) -> None:
        """Note a call.

        Parameters
        ----------
        site : Site
        func : tuple
            Its canonical name and what is called, None if that is not known.
        args : sequence of Value
            All that it is given.
        given : Given
        """
        name, what = func
        self.hands |= bool(given.added)
        for one in args:
            if isinstance(one.what, Method) and may_call(name, what):
                self.method(one.what.name)
            self.hands |= isinstance(one.what, Parameter) and name in CALLING
        if reads_clock(name, [one.what for one in args]):
            self.reasons["looks at the clock"] = None
        if what is DYNAMIC:
            self.reasons["calls an attribute whose name is not known"] = None
        if name in GENERATORS:
            self.draws[site] = what, _first_seed(args, given)
        elif _may_draw(name, what):
            self.draws[site] = what, _seed(name, what, given, len(args) - len(given.values))
        elif name in (".query", ".eval") and not _is_plain_text(args, given):
            self.reasons[f"calls {name} of what is not known at plan time"] = None
        elif name == ".set_params" and _may_set(given):
            self.draws[site] = name, _set_seed(given)

    def method(self, name: str) -> None:
        """Note that a method of this name may be called."""
        if name not in _KNOWN_METHODS and f".{name}" not in SEEDED:
            self.reasons[f"calls .{name}, which is not known to be pure"] = None

    def seeds(self, loads: Mapping[Any, int]) -> list[str] | None:
        """Return the parameters that must be ints so that no randomness is drawn.

        Parameters
        ----------
        loads : mapping of callable to int
            How often the function names each that draws.

        Returns
        -------
        list of str or None
            None if it is drawn anyway, or may be where no call was seen.
        """
        found = list(self.draws.values())
        for func, count in loads.items():
            if sum(one is func or one == func for one, _ in found) < count:
                return None
        if any(seed is False for _, seed in found):
            return None
        return [*dict.fromkeys(seed for _, seed in found if isinstance(seed, str))]

    @property
    def settings(self) -> list[tuple[str, type]]:
        """The parameters that must be dicts with which objects of a class draw nothing."""
        found = [seed for _, seed in self.draws.values() if isinstance(seed, Settings)]
        return [*dict.fromkeys((name, one.kind) for one in found for name in one.names)]


def returns_iterator(
    name: str | None, what: Any, keywords: Collection[str], iterates: Callable[[Any], bool]
) -> bool:
    """Tell whether a call returns an iterator.

    Parameters
    ----------
    name : str or None
        Canonical name.
    what : object
        What is called.
    keywords : collection of str
    iterates : callable
        Tells of a function of the user whether it does.
    """
    if isinstance(what, Method):
        splits = what.name == "split" and isinstance(what.receiver.what, Made)
        return splits or consumed_once(f".{what.name}")
    if name is not None:
        lazy = name in READERS and ("chunksize" in keywords or "iterator" in keywords)
        return lazy or consumed_once(name)
    return iterates(what)


def may_call(name: str | None, what: Any) -> bool:
    """Tell whether a call may call what it is given: those of libraries that are known do not."""
    if name is None or name in CALLING:
        return True
    return not is_pure(name, what) or name.endswith(".FunctionTransformer")


def _may_draw(name: str | None, what: Any) -> bool:
    if name is None:
        return is_users_estimator(what) and may_draw(what)
    return name in SEEDED or (
        isinstance(what, type) and name.startswith("sklearn.") and may_draw(what)
    )


def _may_set(given: Given) -> bool:
    """Tell whether a call of ``set_params`` may let an estimator draw randomness."""
    return given.others or any(
        decides_randomness(name) or name.endswith("random_state") for name in given.values
    )


def _first_seed(args: Sequence[Value], given: Given) -> bool | str:
    """Return the seed of a generator: its only argument."""
    seed = args[-1].what if len(args) == 1 and not given.others else None
    if seed is OWN_SEED:
        return True
    return seed.name if isinstance(seed, Parameter) else isinstance(seed, int)


def _is_plain_text(args: Sequence[Value], given: Given) -> bool:
    """Tell whether the last argument is an expression that names no variable around it."""
    text = args[-1].what if args and not given.others else None
    return isinstance(text, str) and "@" not in text and "(" not in text


def _set_seed(given: Given) -> bool | str:
    seeds = [one.what for name, one in given.values.items() if name.endswith("random_state")]
    if given.others or len(seeds) != 1:
        return False
    return seeds[0].name if isinstance(seeds[0], Parameter) else isinstance(seeds[0], int)


def _seed_at(kind: type) -> int:
    """Return how many arguments a class takes by position before its seed."""
    return list(inspect.signature(kind).parameters).index("random_state")


def _seed(name: str | None, what: Any, given: Given, plain: int) -> Seed:
    if name in SAMPLING and not given.others and SAMPLING[name] not in given.values:
        return True
    seed = given.values.get("random_state", FRESH).what
    if isinstance(seed, Parameter):
        return seed.name
    if isinstance(seed, int) or seed is OWN_SEED:
        return True
    if not isinstance(what, type) or (is_users_estimator(what) and plain > _seed_at(what)):
        return False
    if given.added and all(isinstance(one, Parameter) for one in given.added):
        if any(map(decides_randomness, given.values)):
            return False
        return Settings(what, tuple(one.name for one in given.added))
    return not may_draw(what, None if given.others else given.values)
