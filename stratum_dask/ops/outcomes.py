"""What became of a task: its value, or why there is none. A failure stays in its candidate.

scale -> fit(alpha=1)   -> score       a value
      -> fit(alpha="x") -> score       the failure of the fit; the score is never called
"""

from __future__ import annotations

import operator
import pickle
import re
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from types import TracebackType
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
import sklearn
from dask.sizeof import sizeof

from stratum_dask._native import digest
from stratum_dask.errors import CandidateError
from stratum_dask.ops import counters, extreme
from stratum_dask.ops.counters import Counters
from stratum_dask.ops.mapped import Mapped
from stratum_dask.ops.packed import Packed
from stratum_dask.ops.sizes import nbytes_of
from stratum_dask.ops.users import is_users_file
from stratum_dask.runtime.threads import Threads, in_task


@dataclass(frozen=True)
class Failure:
    """Why a task has no value.

    Attributes
    ----------
    error : str
        The class of the exception.
    message : str
    line : str
        The user's own line that failed, with its file and number; empty if only libraries' code
        ran.
    task : str
        The task's name.
    seconds : float
        How long it ran.
    traceback : str
        As Python prints it.
    exception : BaseException or None
        None if it could not be sent from another process.
    """

    error: str
    message: str
    line: str
    task: str
    seconds: float
    traceback: str
    exception: BaseException | None = None

    def __str__(self) -> str:
        return f"{self.error}: {self.message}"

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "exception": _sendable(self.exception)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

    def reraise(self) -> None:
        """Raise the exception; where it could not be sent, one that says the same.

        Raises
        ------
        BaseException
        """
        if self.exception is not None:
            raise self.exception
        raise CandidateError(f"{self} (in the task {self.task})\n{self.traceback}")


#: Where arrays begin: at multiples of so many bytes, as in NumPy's own memory.
_ALIGNED = 64


class Spent(NamedTuple):
    """What a task took.

    Attributes
    ----------
    seconds : float
    nbytes : int
        Of its value.
    """

    seconds: float
    nbytes: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """A task's value or failure, and what it took to get there.

    Attributes
    ----------
    value : object
    failure : Failure or None
    spent : mapping of str to Spent
        By task, for this one and all that it depends on; by step where several were packed.
    calls : mapping of str to Counters
        What ran natively and what did not, by task likewise; only of tasks that have such calls.
    """

    value: Any
    failure: Failure | None
    spent: Mapping[str, Spent]
    calls: Mapping[str, Counters] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """What it took together with all that it depends on."""
        return sum(one.seconds for one in self.spent.values())

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> tuple[Any, ...]:
        if operator.index(protocol) < 5:
            return Outcome, (self.value, self.failure, self.spent, self.calls)
        from distributed.protocol.pickle import dumps  # takes long to import; a cluster has

        parts: list[pickle.PickleBuffer] = []
        value = dumps(self.value, buffer_callback=parts.append)
        return _arrive, (value, parts, self.failure, self.spent, self.calls)


def _arrive(
    value: bytes,
    parts: Sequence[Any],
    failure: Failure | None,
    spent: Mapping[str, Spent],
    calls: Mapping[str, Counters],
) -> Outcome:
    """Make an outcome of what another process has sent.

    Messages put one array directly behind the other. NumPy adds up arrays at odd addresses in
    another order, so they are moved to where an array of this process would lie.
    """
    moved = [_aligned(memoryview(part)) for part in parts]
    return Outcome(pickle.loads(value, buffers=moved), failure, spent, calls)


def _aligned(part: memoryview) -> Any:
    array = np.frombuffer(part, np.uint8)
    if array.ctypes.data % _ALIGNED == 0:
        return part
    copy = np.empty(len(array) + _ALIGNED, np.uint8)
    copy = copy[-copy.ctypes.data % _ALIGNED :][: len(array)]
    copy[:] = array
    return copy.data.toreadonly() if part.readonly else copy.data


def seconds_of(outcomes: Iterable[Outcome]) -> float:
    """Return what several took together with all that they depend on, which may be the same."""
    return sum(one.seconds for one in spent_by(outcomes).values())


def spent_by(outcomes: Iterable[Outcome]) -> dict[str, Spent]:
    """Return what all tasks took that led to some outcomes."""
    return {task: its for one in outcomes for task, its in one.spent.items()}


@dataclass(frozen=True, slots=True)
class NoValue(Outcome):
    """The outcome of a task that has no value: Dask's scheduler sees the type, not the failure."""


@sizeof.register(Outcome)  # type: ignore[untyped-decorator]  # dask is not typed
def _size(outcome: Outcome) -> int:
    return 100 + int(sizeof(outcome.value))


@dataclass(frozen=True)
class Surroundings:
    """What the caller has set for its thread, and tasks on other threads must have, too.

    Attributes
    ----------
    sklearn : mapping
        scikit-learn's configuration.
    numpy : mapping
        What floating-point errors do.
    threads : Threads
        How many inner threads a task has.
    xgboost : mapping
        XGBoost's settings, on which no value depends.
    """

    sklearn: Mapping[str, Any]
    numpy: Mapping[str, Any]
    threads: Threads
    xgboost: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def here(cls, threads: Threads) -> Surroundings:
        """Return those of the calling thread."""
        return cls(sklearn.get_config(), np.geterr(), threads, extreme.settings_here())

    @property
    def name(self) -> str:
        """Tells values made under other settings apart, and outcomes from plain values."""
        said = repr((sorted(self.sklearn.items()), sorted(self.numpy.items()), self.threads))
        return f"outcome-{digest(said.encode()).hex()}"


class Attempt:
    """A task's function that returns an :class:`Outcome`, and takes outcomes for arguments.

    Parameters
    ----------
    func : callable
    task : str
        Its name.
    surroundings : Surroundings
    deep : bool
        Whether outcomes may stand inside lists, tuples and dicts among the arguments.

    Examples
    --------
    >>> attempt = Attempt(lambda x: 1 / x, "divide", Surroundings.here(Threads(1)))
    >>> attempt(2).value, str(attempt(0).failure)
    (0.5, 'ZeroDivisionError: division by zero')
    >>> attempt(attempt(0)).failure.task
    'divide'
    """

    def __init__(
        self,
        func: Callable[..., Any],
        task: str,
        surroundings: Surroundings,
        deep: bool = False,
    ) -> None:
        self.func, self.task, self.surroundings, self.deep = func, task, surroundings, deep
        self.idle = 1  # cores it may use, its own included; a scheduler that knows says more

    @property
    def __name__(self) -> str:
        return getattr(self.func, "__name__", type(self.func).__name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Outcome:
        """Call the function unless an argument has failed."""
        spent: dict[str, Spent] = {}
        calls: dict[str, Counters] = {}
        failures: list[Failure] = []

        def value_of(argument: Any) -> Any:
            if isinstance(argument, Outcome):
                spent.update(argument.spent)
                calls.update(argument.calls)
                if argument.failure is not None:
                    failures.append(argument.failure)
                return argument.value
            if type(argument) is Mapped:
                return argument.value()
            if self.deep and type(argument) in (list, tuple, set):
                return type(argument)(map(value_of, argument))
            if self.deep and type(argument) is dict:
                return {value_of(key): value_of(item) for key, item in argument.items()}
            return argument

        args = tuple(map(value_of, args))
        kwargs = {name: value_of(value) for name, value in kwargs.items()}
        if failures:
            return NoValue(None, failures[0], spent, calls)
        around = self.surroundings
        around.threads.limit_here()
        extreme.set_here(around.xgboost)
        value, failure = None, None
        with counters.collecting() as tally:
            began = since = perf_counter()

            def note(task: str, value: Any) -> None:
                nonlocal since
                spent[task] = Spent(perf_counter() - since, nbytes_of(value))
                since = perf_counter()

            try:
                with (
                    in_task(self.idle),
                    sklearn.config_context(**around.sklearn),
                    np.errstate(**around.numpy),
                ):
                    if isinstance(self.func, Packed):
                        value = self.func.run(args, note)
                    else:
                        value = self.func(*args, **kwargs)
                        note(self.task, value)
            except (Exception, SystemExit) as error:
                now = perf_counter()
                failure = _failure(error, self.task, now - began)
                spent[self.task] = Spent(now - since, 0)
        if found := tally.counters():
            calls[self.task] = found
        kind = Outcome if failure is None else NoValue
        return kind(value, failure, spent, calls)


def failure_of(error: BaseException, task: str) -> Failure:
    """Describe an exception that was caught outside of tasks."""
    return _failure(error, task, 0.0)


_NOTE = re.compile(r"in task '(.*)'")


def _failure(error: BaseException, task: str, seconds: float) -> Failure:
    notes: list[str] = getattr(error, "__notes__", [])
    named = [found[1] for note in notes if (found := _NOTE.match(note)) is not None]
    tb = error.__traceback__
    # Failures for one cause read alike, so that they can be counted.
    text = traceback.TracebackException.from_exception(error)
    text.__notes__ = [note for note in notes if not _NOTE.match(note)] or None
    failure = Failure(
        error=type(error).__name__,
        message=str(error),
        line=_users_line(tb),
        task=named[0] if named else task,
        seconds=seconds,
        traceback="".join(text.format()),
        exception=error,
    )
    # What failed would else hold its data for as long as somebody looks at the outcome.
    traceback.clear_frames(tb)
    return failure


def _users_line(tb: TracebackType | None) -> str:
    for frame in reversed(traceback.extract_tb(tb)):
        if is_users_file(frame.filename):
            return f"{frame.filename}:{frame.lineno}: {frame.line}"
    return ""


def _sendable(error: BaseException | None) -> BaseException | None:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return None
    return error
