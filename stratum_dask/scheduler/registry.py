"""Which value is under which live key, and what the plans of all clients have announced."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field

from stratum_dask.scheduler.messages import Announcement, Key
from stratum_dask.scheduler.retention import Kept


@dataclass(slots=True, eq=False, kw_only=True)
class Value(Kept):
    """A value that a plan has announced.

    Its seconds, since it was computed, are those with all that it depends on and that is not kept;
    its reuse is 0 if it must not be shared.

    Attributes
    ----------
    identity : tuple of (str, str, bytes)
        Environment, form and token: equal identities, equal values.
    plan : str
    wanted : bool
        Whether the user may refer to it.
    work : tuple of (str, int) or None
        The kind of the one call that its task makes, and how often that does the same.
    ours : bool
        Whether it is sure that the plan's own task makes it, and not the user's of that name.
    maker : str
        Id of the worker that computed it; empty while it is not in memory.
    """

    identity: tuple[str, str, bytes]
    plan: str
    wanted: bool
    ours: bool
    work: tuple[str, int] | None
    maker: str = ""


@dataclass(slots=True)
class Plan:
    """What one client announced together.

    Attributes
    ----------
    client : str
    seen : float
        When it was announced, or some of it submitted last; in seconds since 1970.
    left : int
        Values that the scheduler has not forgotten.
    keys : list of keys
        Of its values, until it is looked which of them were never submitted.
    """

    client: str
    seen: float
    left: int = 0
    keys: list[Key] = field(default_factory=list)


class Registry:
    """Values by key, and by identity."""

    def __init__(self) -> None:
        self.values: dict[Key, Value] = {}
        self.plans: dict[str, Plan] = {}
        self._alike: dict[tuple[str, str, bytes], list[Value]] = {}  # those that may be shared

    def announce(self, said: Announcement, now: float) -> None:
        """Take note of a plan; one that is announced again replaces itself."""
        plan = self.plans.setdefault(said.plan, Plan(said.client, now))
        wanted = set(said.wanted)
        values = self.values
        works = said.works or (None,) * len(said.keys)
        for key, token, reuse, work in zip(said.keys, said.tokens, said.shared, works, strict=True):
            if key in values:
                continue  # alive already: its value is the one that it was announced as
            identity = (said.environment, said.form, token)
            ours = isinstance(key, str) and key.endswith(said.plan)
            value = values[key] = Value(
                key,
                reuse=reuse,
                identity=identity,
                plan=said.plan,
                wanted=key in wanted,
                ours=ours,
                work=work,
            )
            if reuse:
                self._alike.setdefault(identity, []).append(value)
            plan.keys.append(key)
            plan.left += 1

    def live(self, identity: tuple[str, str, bytes]) -> Iterator[Value]:
        """Yield the values of an identity that are in memory and may be shared."""
        for value in self._alike.get(identity, ()):
            if value.maker and value.reuse and value.ours:
                yield value

    def forget(self, value: Value) -> None:
        """Remove a value that the scheduler has forgotten."""
        del self.values[value.key]
        alike = self._alike.get(value.identity, [])
        if value in alike:
            alike.remove(value)
            if not alike:
                del self._alike[value.identity]
        plan = self.plans[value.plan]
        plan.left -= 1
        if not plan.left:
            del self.plans[value.plan]

    def expire(self, before: float, submitted: Container[Key]) -> list[Key]:
        """Remove what was never submitted of plans that were not seen since a time; return it."""
        gone: list[Key] = []
        for name, plan in list(self.plans.items()):
            if plan.seen >= before or not (plan.keys or not plan.left):
                continue
            keys, plan.keys = plan.keys, []
            for key in keys:
                value = self.values.get(key)
                if value is not None and value.plan == name and key not in submitted:
                    self.forget(value)
                    gone.append(key)
            if not plan.left:
                self.plans.pop(name, None)
        return gone
