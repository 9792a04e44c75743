"""What is said of a function that was analysed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stratum_dask.bytecode.origins import GLOBAL


@dataclass(frozen=True)
class Path:
    """The path that a function reads: a constant, or the parameter that holds it.

    With `only_read` the function does nothing else with it, so that copies of a file are equal.
    """

    value: str | None = None
    parameter: str | None = None
    only_read: bool = False


@dataclass
class Effects:
    """What a function does.

    Attributes
    ----------
    reason : str or None
        Why it is impure; None if it is pure.
    changes : frozenset of str or None
        The parameters whose objects it may change; None for any.
    returns : frozenset of str or None
        The parameters that its value may be, hold or be a part of; globals, closure variables and
        what defaults hold as ``"global NAME"``. None for any.
    beneath : bool
        Whether it may get at the memory of a frame past pandas, which copies what it writes to.
    iterates : bool
        Whether it may return an iterator, which can be consumed only once.
    hands : bool
        Whether it may hand a parameter to something that calls it, or makes keywords of it.
    makes_writers : bool
        Whether it may make an estimator that writes into its input (``copy_X=False``).
    dates : bool
        Whether it may read texts as dates, of which some mean the time of the call.
    fits : frozenset of str
        The parameters that may be, or hold, estimators that it fits.
    paths : list of Path
        What it reads.
    seeds : list of str
        Parameters that must be ints for the function to be pure.
    settings : list of (str, type)
        Parameters that must be dicts with which objects of a class draw no randomness.
    uses : dict of str to object
        The globals and closure values that it depends on, by name.
    """

    reason: str | None = None
    changes: frozenset[str] | None = frozenset()
    returns: frozenset[str] | None = frozenset()
    beneath: bool = False
    iterates: bool = False
    hands: bool = False
    makes_writers: bool = False
    dates: bool = False
    fits: frozenset[str] = frozenset()
    paths: list[Path] = field(default_factory=list)
    seeds: list[str] = field(default_factory=list)
    settings: list[tuple[str, type]] = field(default_factory=list)
    uses: dict[str, Any] = field(default_factory=dict)

    @property
    def mutates(self) -> bool:
        """Whether it may change objects that are passed in."""
        return self.changes is None or bool(self.changes)

    @property
    def returns_others(self) -> bool:
        """Whether its value may be something that others can reach, such as what a cache holds."""
        return self.returns is None or any(one.startswith(GLOBAL) for one in self.returns)

    @property
    def pure(self) -> bool:
        """Whether the function is pure, given its paths and seeds."""
        return self.reason is None
