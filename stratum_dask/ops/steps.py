"""Steps: a short program of ordinary calls, run one after another inside one task.

A fused or packed task carries the calls that it replaces as steps. Values are numbered: first
the task's inputs, then the result of each step; a :class:`Ref` in a step's arguments stands for
the value of that number.

    inputs   0: flights
    steps    1: getitem(#0, "delay")      2: median(#1)      3: fillna(#1, #2)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class Unsupported(Exception):
    """A step has no native form for these operands, so the library runs it; carries the reason."""


def attempt(call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call pandas as a part of a native form.

    Raises
    ------
    Unsupported
        Instead of what pandas raises, which it shall raise for the user's own call.

    Examples
    --------
    >>> attempt(int, "7")
    7
    >>> attempt(int, "seven")
    Traceback (most recent call last):
    ...
    stratum_dask.ops.steps.Unsupported: ValueError in pandas
    """
    try:
        return call(*args, **kwargs)
    except Unsupported:
        raise
    except Exception as error:
        raise Unsupported(f"{type(error).__name__} in pandas") from error


class Ref:
    """Stands for a value of the program inside a step's arguments.

    Parameters
    ----------
    index : int
        The number of the value: inputs first, then one per step.
    """

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index

    def __repr__(self) -> str:
        return f"#{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and other.index == self.index

    def __hash__(self) -> int:
        return hash((Ref, self.index))

    def __reduce__(self) -> tuple[type[Ref], tuple[int]]:
        return Ref, (self.index,)


class Step(NamedTuple):
    """One call of the program.

    Attributes
    ----------
    op : str or None
        Canonical name of a callable that the semantics table knows (``".fillna"``,
        ``"operator.add"``, ``"numpy.log1p"``), else None.
    func : callable
        What the user called.
    args, kwargs
        Its arguments; :class:`Ref` may stand anywhere inside nested lists, tuples, dicts
        and slices.
    label : str
        The user's name for the step (the task's key), for error notes and ``explain``.
    """

    op: str | None
    func: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    label: str


def resolve(template: Any, values: Sequence[Any]) -> Any:
    """Replace every :class:`Ref` inside `template` by its value.

    Parameters
    ----------
    template : object
        A literal, a Ref, or a list, tuple, set, dict or slice of templates.
    values : sequence
        The values by number.

    Examples
    --------
    >>> resolve(["a", Ref(0)], [7])
    ['a', 7]
    """
    kind = type(template)
    if kind is Ref:
        return values[template.index]
    if kind is list or kind is tuple or kind is set:
        return kind([resolve(item, values) for item in template])
    if kind is dict:
        return {resolve(k, values): resolve(v, values) for k, v in template.items()}
    if kind is slice:
        return slice(*(resolve(x, values) for x in (template.start, template.stop, template.step)))
    return template
