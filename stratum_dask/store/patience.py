"""A limit of time for file systems that may never answer, such as one whose host is gone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from stratum_dask.store.files import Entry, Files

T = TypeVar("T")

_SLOWEST = 1e6
"""Bytes per second: large entries may take longer."""


class BoundedFiles:
    """Another place for entries, each of whose calls ends in time.

    A call that takes too long is left to itself on its thread, which nothing waits for. As long as
    it is stuck no other is tried.

    Parameters
    ----------
    place : callable
        Opens the other place.
    seconds : float
        How long a call may take, without the time for its bytes.

    Raises
    ------
    OSError
        If opening fails; all methods raise it as well. TimeoutError if it takes too long.
    """

    def __init__(self, place: Callable[[], Files], seconds: float) -> None:
        self._seconds = seconds
        self._stuck: Future[Any] | None = None
        self._files = self._within(place)

    def list(self, times: bool = False) -> Iterator[Entry]:
        """Yield all entries."""
        yield from self._within(lambda: [*self._files.list(times)])

    def read(self, entry: Entry) -> memoryview:
        """Return an entry's bytes."""
        return self._within(lambda: self._files.read(entry), entry.size)

    def write(self, entry: Entry, parts: Sequence[Any]) -> None:
        """Write an entry."""
        self._within(lambda: self._files.write(entry, parts), entry.size)

    def remove(self, entry: Entry) -> None:
        """Remove an entry, if it is still there."""
        self._within(lambda: self._files.remove(entry))

    def touch(self, entry: Entry) -> None:
        """Take note that an entry was used."""
        self._within(lambda: self._files.touch(entry))

    def tidy(self) -> None:
        """Remove what writers that died have left behind."""
        self._within(self._files.tidy)

    def _within(self, call: Callable[[], T], size: int = 0) -> T:
        if self._stuck is not None and not self._stuck.done():
            raise TimeoutError("it has still not answered an earlier call")
        answer: Future[T] = Future()
        limit = self._seconds + size / _SLOWEST
        thread = threading.Thread(
            target=_answer, args=(call, answer), name="stratum-store-call", daemon=True
        )
        thread.start()
        try:
            return answer.result(limit)
        except TimeoutError:
            if answer.done():  # the file system's own error
                raise
            self._stuck = answer
            raise TimeoutError(
                f"no answer within {limit:.3g} s, which stratum.store.timeout allows"
            ) from None
        except OSError:
            raise
        except Exception as error:  # libraries of services raise whatever they like
            raise OSError(f"{type(error).__name__}: {error}") from error


def _answer(call: Callable[[], T], answer: Future[T]) -> None:
    try:
        answer.set_result(call())
    except BaseException as error:
        answer.set_exception(error)
