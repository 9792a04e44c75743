"""The exceptions that stratum_dask raises itself.

Each message says what was wrong, where, and what to do. Exceptions of the user's own functions
pass through unchanged, with a note that names the step where several run as one task.
"""

from __future__ import annotations


class StratumError(Exception):
    """Base of all errors of stratum_dask."""


class NotAGraphError(StratumError, TypeError):
    """An object was passed that is no graph and no dask collection."""


class CycleError(StratumError, ValueError):
    """The tasks of a graph depend on each other in a circle."""


class MissingKeyError(StratumError, KeyError):
    """A task refers to a key that the graph does not hold."""

    def __str__(self) -> str:  # KeyError would show the repr of the message
        return str(self.args[0]) if self.args else ""


class KeyCollisionError(StratumError, ValueError):
    """One key stands for two different tasks."""


class PassError(StratumError, RuntimeError):
    """A pass of the optimizer failed or returned a graph that does not hold together."""


class ConfigError(StratumError, ValueError):
    """A setting or keyword has a value that is not allowed."""


class InputChangedError(StratumError, RuntimeError):
    """A file changed between planning and reading, so that its value must not be shared."""


class NotShareableError(StratumError, TypeError):
    """A value can be consumed only once and therefore not be shared between candidates."""


class LostValuesError(StratumError, RuntimeError):
    """Values that a plan refers to are lost, and nobody can compute them again."""


class SchedulerLostError(StratumError, ConnectionError):
    """A cluster's scheduler ended in the middle of a batch, with all that it knew.

    Attributes
    ----------
    replaced : bool
        Whether the client has found another one at the same address.
    """

    def __init__(self, message: str, *, replaced: bool = False) -> None:
        super().__init__(message)
        self.replaced = replaced


class CandidateError(StratumError, RuntimeError):
    """A candidate failed in another process, with an exception that could not be sent here."""


class StoreError(StratumError, OSError):
    """The store cannot be used: its address, key or permissions are not as they must be."""
