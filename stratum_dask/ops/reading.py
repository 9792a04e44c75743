"""Reading files: once for all candidates, and no more of them than is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import fsspec
import pyarrow
import pyarrow.ipc
import pyarrow.parquet

from stratum_dask.errors import InputChangedError


class Guard(Protocol):
    """Remembers what a file held when the batch was planned."""

    def unchanged(self) -> bool:
        """Tell whether the file still holds the same."""


class ReadOnce:
    """A reading function whose result is shared, and therefore checked.

    Parameters
    ----------
    func : callable
        The user's reading function.
    guards : tuple of Guard
        The files it reads, as they were when the batch was planned.
    """

    def __init__(self, func: Callable[..., Any], guards: tuple[Guard, ...]) -> None:
        self.func = func
        self.guards = guards

    @property
    def __name__(self) -> str:
        return getattr(self.func, "__name__", type(self.func).__name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Read, then look again.

        Raises
        ------
        InputChangedError
            If a file changed after planning. Its value must not be shared: candidates that
            read equal files when the batch was planned might read different ones now.
        """
        value = self.func(*args, **kwargs)
        for guard in self.guards:
            if not guard.unchanged():
                raise InputChangedError(
                    f"{guard} changed after the batch was planned, so that its value cannot be "
                    "shared between candidates; call optimize again"
                )
        return value


class ColumnRead:
    """A reading function of a columnar format that reads only some columns.

    Parameters
    ----------
    func : callable
        :func:`pandas.read_parquet` or :func:`pandas.read_feather`.
    columns : tuple of str
        The columns that are used. If the file lacks one, all is read, so that the user's own
        line raises what it would have raised.
    """

    def __init__(self, func: Callable[..., Any], columns: tuple[str, ...]) -> None:
        self.func = func
        self.columns = columns

    @property
    def __name__(self) -> str:
        return getattr(self.func, "__name__", type(self.func).__name__)

    def __call__(self, path: str, **kwargs: Any) -> Any:
        """Read the columns that are used."""
        if self._holds_all(path, kwargs.get("storage_options") or {}):
            return self.func(path, columns=list(self.columns), **kwargs)
        return self.func(path, **kwargs)

    def _holds_all(self, path: str, options: Mapping[str, Any]) -> bool:
        try:
            with fsspec.open(path, "rb", **options) as file:
                if self.__name__ == "read_parquet":
                    names = pyarrow.parquet.read_schema(file).names
                else:
                    names = pyarrow.ipc.open_file(file).schema.names
        except Exception:  # as file systems raise it: the reader itself says so
            return False
        return len(set(names)) == len(names) and set(self.columns) <= set(names)
