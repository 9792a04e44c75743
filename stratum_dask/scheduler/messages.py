"""What clients and the scheduler tell each other: one version, plain data, checked on arrival."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, TypeVar

from stratum_dask.errors import StratumError

Key = Hashable
T = TypeVar("T")

METADATA = "stratum"
"""Under this name the scheduler's metadata say that the plugin is there, and its version."""

BARE = "bare"
"""The form of values as tasks return them."""

TOKEN = 16
_MOST = 2_000_000
"""Keys or tokens that one message may hold."""
_LONGEST = 200
"""Characters of a text."""
_REASONS = 1_000
"""Reasons that one message may count."""


def version() -> str:
    """Return what both sides must have in common: this library's version and the protocol's."""
    from stratum_dask import __version__  # which imports the scheduler's side on demand

    return f"{__version__}/2"


class MessageError(StratumError, ValueError):
    """A message is not what it should be."""


class Question(NamedTuple):
    """Asks which values are alive.

    Attributes
    ----------
    client : str
    tokens : list of bytes
    form : str
        How values are wrapped, and under which settings they are made.
    environment : str
        See :mod:`stratum_dask.environment`.
    learned : int
        Up to which time the client knows what tasks took; see :class:`Learning`.
    """

    client: str
    tokens: list[bytes]
    form: str
    environment: str
    learned: int = 0


class Announcement(NamedTuple):
    """Says what a plan consists of, before it is submitted.

    Attributes
    ----------
    client, form, environment : str
        As in :class:`Question`.
    plan : str
    keys : sequence of keys
        Of all tasks.
    tokens : list of bytes
        Their identities.
    shared : list of float
        How often the value of each is expected to be used again; 0 for those that must not be.
    wanted : sequence of keys
        Those that the user may refer to.
    candidates : sequence of (str, sequence of keys)
        Names, and the keys that each is done with.
    merged : int
        How many of the user's tasks were merged into others.
    reused : sequence of keys
        Live ones that the plan refers to.
    works : sequence of (str, int) or None
        For each task that makes one call the kind of that, and how often it does the same; empty
        where the client itself learns what they take.
    process : tuple of (str, int)
        The client's machine, and its number there.
    store : dict of str to int
        What became of values in stores that this process has opened.
    """

    client: str
    form: str
    environment: str
    plan: str
    keys: Sequence[Key]
    tokens: list[bytes]
    shared: list[float]
    wanted: Sequence[Key]
    candidates: Sequence[tuple[str, Sequence[Key]]]
    merged: int
    reused: Sequence[Key]
    works: Sequence[tuple[str, int] | None]
    process: tuple[str, int]
    store: dict[str, int]


class Wishes(NamedTuple):
    """Says where and in which order a plan wants its tasks to run, before it is submitted.

    Attributes
    ----------
    keys : list of keys
        In the order in which they should begin.
    addresses : list of str
        Of workers.
    workers : list of int
        For each task the position of its worker among the addresses.
    seconds : float
        How long the plan is expected to take.
    """

    keys: list[Key]
    addresses: list[str]
    workers: list[int]
    seconds: float


def pack(message: Question | Announcement | Wishes) -> dict[str, Any]:
    """Return a message as it is sent."""
    sent = message._asdict()
    if not isinstance(message, Wishes):
        sent["tokens"] = b"".join(message.tokens)
    return {"version": version(), **sent}


def _checked(unpack: Callable[[dict[str, Any]], T]) -> Callable[[dict[str, Any]], T]:
    """Let an unpacking function raise nothing but MessageError."""

    @functools.wraps(unpack)
    def checked(sent: dict[str, Any]) -> T:
        try:
            return unpack(sent)
        except MessageError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise MessageError(f"a part of it is not what it should be: {error!r}") from error

    return checked


@_checked
def unpack_question(sent: dict[str, Any]) -> Question:
    """Return the question that was sent.

    Raises
    ------
    MessageError
    """
    return Question(
        _text(sent, "client"),
        _tokens(sent),
        _text(sent, "form"),
        _text(sent, "environment"),
        int(sent["learned"]),
    )


@_checked
def unpack_announcement(sent: dict[str, Any]) -> Announcement:
    """Return the announcement that was sent.

    Raises
    ------
    MessageError
    """
    keys, tokens, shared = _keys(sent, "keys"), _tokens(sent), _list(sent, "shared")
    works = [None if one is None else _work(*one) for one in _list(sent, "works")]
    if not len(keys) == len(tokens) == len(shared):
        raise MessageError(
            f"{len(keys)} keys came with {len(tokens)} tokens and {len(shared)} estimates"
        )
    if works and len(works) != len(keys):
        raise MessageError(f"{len(keys)} keys came with {len(works)} works")
    candidates = [(str(name), _hashable(ends)) for name, ends in _list(sent, "candidates")]
    return Announcement(
        _text(sent, "client"),
        _text(sent, "form"),
        _text(sent, "environment"),
        _text(sent, "plan"),
        keys,
        tokens,
        [_at_least_zero(float(one)) for one in shared],
        _keys(sent, "wanted"),
        candidates,
        _at_least_zero(int(sent["merged"])),
        _keys(sent, "reused"),
        works,
        _process(sent),
        _counts(sent),
    )


@_checked
def unpack_wishes(sent: dict[str, Any]) -> Wishes:
    """Return the wishes that were sent.

    Raises
    ------
    MessageError
    """
    keys, workers = _keys(sent, "keys"), _list(sent, "workers")
    addresses = [str(one) for one in _list(sent, "addresses")]
    seconds = _at_least_zero(float(sent["seconds"]))
    if len(keys) != len(workers):
        raise MessageError(f"{len(keys)} keys came with {len(workers)} workers")
    if not all(isinstance(one, int) and 0 <= one < len(addresses) for one in workers):
        raise MessageError("workers are no positions of addresses")
    return Wishes(list(keys), addresses, list(workers), seconds)


def _text(sent: dict[str, Any], name: str) -> str:
    value = sent.get(name)
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise MessageError(f"{name} is no short text")
    return value


def _work(kind: Any, rounds: Any) -> tuple[str, int]:
    if type(kind) is not str or type(rounds) is not int or rounds < 1 or len(kind) > _LONGEST:
        raise MessageError("works are no kinds with numbers of rounds")
    return kind, rounds


def _process(sent: dict[str, Any]) -> tuple[str, int]:
    value = sent.get("process")
    if not isinstance(value, list | tuple) or [type(one) for one in value] != [str, int]:
        raise MessageError("process is no name of a machine and number")
    return value[0][:_LONGEST], value[1]


def _counts(sent: dict[str, Any]) -> dict[str, int]:
    value = sent.get("store")
    if not isinstance(value, dict) or len(value) > _REASONS:
        raise MessageError(f"store is no dict of at most {_REASONS} counts")
    return {str(name)[:_LONGEST]: int(times) for name, times in value.items()}


def _list(sent: dict[str, Any], name: str) -> Sequence[Any]:
    value = sent.get(name)
    if not isinstance(value, list | tuple) or len(value) > _MOST:
        raise MessageError(f"{name} is no list of at most {_MOST:,} items")
    return value


def _keys(sent: dict[str, Any], name: str) -> Sequence[Key]:
    return _hashable(_list(sent, name))


def _hashable(keys: Sequence[Any]) -> Sequence[Key]:
    hash(tuple(keys))  # what is no key raises TypeError
    return keys


def _at_least_zero(number: T) -> T:
    if not 0 <= number < float("inf"):  # type: ignore[operator]
        raise MessageError(f"{number} is no number of at least zero")
    return number


def _tokens(sent: dict[str, Any]) -> list[bytes]:
    value = sent.get("tokens")
    if not isinstance(value, bytes | bytearray | memoryview) or len(value) % TOKEN:
        raise MessageError("tokens are no multiple of 16 bytes")
    value = bytes(value)
    if len(value) > _MOST * TOKEN:
        raise MessageError(f"tokens are more than {_MOST:,}")
    return [value[i : i + TOKEN] for i in range(0, len(value), TOKEN)]
