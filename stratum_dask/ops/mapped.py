"""Big values for worker processes of this machine: written once into memory that all of them map.

Pickling keeps arrays apart from what is around them; in the file each begins at a multiple of 64
bytes, as in memory of its own. A process that maps the file sees the same pages as all others
until it writes to one: then it gets a copy, so that nobody sees what another does.
"""

from __future__ import annotations

import mmap
import os
import pickle
import threading
from pathlib import Path
from typing import Any, NamedTuple

_ALIGNED = 64

_lock = threading.Lock()
_open: dict[str, Any] = {}


class _Part(NamedTuple):
    """Where a part of the value lies in the file, and whether it may be written."""

    start: int
    size: int
    readonly: bool


class Mapped:
    """A value in a file that processes map.

    Parameters
    ----------
    value : object
    path : Path
        The file to make, in a folder that only its owner may enter.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     mapped = Mapped(np.arange(3), Path(folder) / "x")
    ...     found, _ = mapped.value(), forget(folder)
    >>> found
    array([0, 1, 2])
    """

    def __init__(self, value: Any, path: Path) -> None:
        from distributed.protocol.pickle import dumps  # takes long to import; a cluster has

        self.path = str(path)
        self._parts: list[_Part] = []
        buffers: list[pickle.PickleBuffer] = []
        frame = dumps(value, buffer_callback=buffers.append)
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            for raw in (memoryview(frame), *(buffer.raw() for buffer in buffers)):
                file.write(bytes(-file.tell() % _ALIGNED))
                self._parts.append(_Part(file.tell(), raw.nbytes, raw.readonly))
                file.write(raw)

    def value(self) -> Any:
        """Return the value, one object per process."""
        with _lock:
            if self.path not in _open:
                _open[self.path] = self._load()
            return _open[self.path]

    def _load(self) -> Any:
        with open(self.path, "rb") as file:
            memory = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        parts = [memory[one.start : one.start + one.size] for one in self._parts]
        frame, *buffers = [
            part.toreadonly() if one.readonly else part
            for part, one in zip(parts, self._parts, strict=True)
        ]
        return pickle.loads(frame, buffers=buffers)


def forget(folder: str) -> None:
    """Let go of all values in the files of a folder."""
    with _lock:
        for path in [path for path in _open if Path(path).parent == Path(folder)]:
            del _open[path]
