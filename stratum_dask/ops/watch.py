"""Tasks that may end their process, or never end: watched, so that it is known which it was.

Before a task runs in a worker process it leaves a record; afterwards it removes it. A process
that dies leaves the record behind, and whoever is given the task next finds it: the task is
tried again if nothing tells why, and then fails instead of killing another process. The
time limit is kept by a thread of the C library, which needs no lock of the interpreter: endless
loops in C end, too.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import linecache
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from dask.utils import format_bytes

from stratum_dask._native import digest
from stratum_dask.errors import ConfigError
from stratum_dask.ops.outcomes import Attempt, Failure, NoValue, Outcome, seconds_of
from stratum_dask.ops.users import is_users_file

_ROOM = 64 << 20
"""What a process needs beside what it holds, if only to receive tasks and to send results."""


class Watch(NamedTuple):
    """How the tasks of a batch are watched.

    Attributes
    ----------
    folder : str
        Where records are kept, for this batch.
    tries : int
        How many processes may die with a task before it fails, if nothing tells why.
    limit : float or None
        Seconds that a task, and what it depends on, may take.
    memory : int or None
        Bytes that the process may have for itself; more is a ``MemoryError``.
    """

    folder: str
    tries: int
    limit: float | None = None
    memory: int | None = None


class Watched:
    """A task's function in a process that it may take down.

    Parameters
    ----------
    attempt : Attempt
    watch : Watch
    owner : str
        The candidate that alone needs the task; none of its tasks runs after one was ended.
    """

    def __init__(self, attempt: Attempt, watch: Watch, owner: str = "") -> None:
        self.attempt, self.watch, self.owner = attempt, watch, owner
        self._home = os.getpid()

    @property
    def __name__(self) -> str:
        return self.attempt.__name__

    def __call__(self, *args: Any, **kwargs: Any) -> Outcome:
        """Run the task, unless it or its candidate has killed a process before."""
        if os.getpid() == self._home:
            return self.attempt(*args, **kwargs)  # which must not be ended
        there = _names_in(self.watch.folder)
        owner = digest(self.owner.encode()).hex() if self.owner else "all"
        name = f"{owner}-{digest(self.attempt.task.encode()).hex()}"
        left = sorted(one for one in there if one.startswith(name))
        if left and (len(left) >= self.watch.tries or _is_explained(self._path(left[-1]))):
            return NoValue(None, self._ended(owner, self._path(left[-1])), {})
        given = [one for one in (*args, *kwargs.values()) if isinstance(one, Outcome)]
        if any(one.failure is not None for one in given):
            return self.attempt(*args, **kwargs)  # which fails likewise
        if self.owner and (failure := self._left_out(owner, there)) is not None:
            return NoValue(None, failure, {})
        record = os.path.join(self.watch.folder, f"{name}-{len(left)}")
        limit = self.watch.limit
        left_seconds = None if limit is None else limit - seconds_of(given)
        if left_seconds is not None and left_seconds <= 0:
            return NoValue(None, self._late(""), {})
        limit_memory(self.watch.memory)
        with open(record, "wb", buffering=0) as trace:
            trace.write(f"{time.time()}\n".encode())
            faulthandler.enable(trace, all_threads=True)
            if left_seconds is not None:
                faulthandler.dump_traceback_later(left_seconds, file=trace, exit=True)
            try:
                return self.attempt(*args, **kwargs)
            finally:
                faulthandler.cancel_dump_traceback_later()
                faulthandler.disable()
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(record)

    def _path(self, name: str) -> Path:
        return Path(self.watch.folder, name)

    def _ended(self, owner: str, record: Path) -> Failure:
        """Return why the task was ended, and tell the other tasks of its candidate."""
        failure = self._died(record)
        with tempfile.NamedTemporaryFile("w", dir=self.watch.folder, delete=False) as file:
            json.dump(vars(failure), file)
        os.replace(file.name, self._path(f"{owner}-ended"))
        return failure

    def _left_out(self, owner: str, there: Sequence[str]) -> Failure | None:
        """Return why the task needs not be tried: another of its candidate was ended."""
        failure = None
        if (told := f"{owner}-ended") in there:
            failure = Failure(**json.loads(self._path(told).read_text()))
        else:
            for record in (self._path(one) for one in there if one.startswith(owner)):
                with contextlib.suppress(FileNotFoundError):  # of one that has just finished
                    if _is_explained(record):
                        failure = self._died(record)
        if failure is None:
            return None
        message = f"{failure.message}; so on another fold, and not tried on this one"
        return replace(failure, message=message, seconds=0.0)

    def _died(self, record: Path) -> Failure:
        text = record.read_text()
        if _timed_out(record):
            return self._late(text)
        cause = re.search(r"Fatal Python error: (.*)", text)
        why = (
            cause[1]
            if cause
            else f"{self.watch.tries} times, killed (as for too much memory) or by itself"
        )
        return Failure(
            error="ProcessDied",
            message=f"the process that ran it died: {why}",
            line=_line(text),
            task=self.attempt.task,
            seconds=max(record.stat().st_mtime - float(text.partition("\n")[0]), 0.0),
            traceback=text,
        )

    def _late(self, text: str) -> Failure:
        limit = self.watch.limit or 0.0
        return Failure(
            error="TimeoutError",
            message=f"took longer than {limit:g} s",
            line=_line(text),
            task=self.attempt.task,
            seconds=limit,
            traceback=text,
        )


def _names_in(folder: str) -> list[str]:
    """Return what is in a folder, which is made if it is not there, as on other machines."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        Path(folder).mkdir(0o700, exist_ok=True)
        return []


def limit_memory(nbytes: int | None) -> None:
    """Let this process have no more memory of its own than so many bytes.

    What it asks for beyond is refused, which Python raises as ``MemoryError``: better than to be
    killed, since that tells the user's line and the process lives on.

    Raises
    ------
    ConfigError
        If the process holds as much already: it could not even say so.
    """
    if nbytes is None or sys.platform != "linux":  # elsewhere the limit has no effect
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if soft != nbytes:
        found = re.search(r"VmData:\s*(\d+) kB", Path("/proc/self/status").read_text())
        held = int(found[1]) * 1024 if found else 0
        if nbytes < held + _ROOM:
            raise ConfigError(
                f"a worker process may have {format_bytes(nbytes)} and holds {format_bytes(held)} "
                "before it runs anything; set stratum.memory to more, or start fewer"
            )
        resource.setrlimit(resource.RLIMIT_DATA, (nbytes, hard))


def _timed_out(record: Path) -> bool:
    return "Timeout (" in record.read_text()


def _is_explained(record: Path) -> bool:
    """Tell whether trying again would end the same way."""
    return _timed_out(record) or "Fatal Python error" in record.read_text()


def _line(text: str) -> str:
    """Return the user's line of the thread that ran the task, from what faulthandler wrote."""
    for thread in re.split(r"\n(?=Thread |Current thread )", text):
        frames = re.findall(r'File "(.*)", line (\d+) in ', thread)
        if any(file == __file__ for file, _ in frames):
            for file, number in frames:
                if is_users_file(file):
                    code = linecache.getline(file, int(number)).strip()
                    return f"{file}:{number}: {code}"
    return ""
