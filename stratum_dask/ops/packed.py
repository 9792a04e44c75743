"""A chain of calls as one Dask task: what it computes is the same, the bookkeeping is paid once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stratum_dask.ops.steps import Ref, Step, resolve


def holds_ref(template: Any) -> bool:
    """Tell whether a :class:`Ref` stands anywhere inside an argument."""
    kind = type(template)
    if kind is Ref:
        return True
    if kind is list or kind is tuple or kind is set:
        return any(map(holds_ref, template))
    if kind is dict:
        return any(map(holds_ref, template)) or any(map(holds_ref, template.values()))
    if kind is slice:
        return any(map(holds_ref, (template.start, template.stop, template.step)))
    return False


def last_uses(steps: Sequence[Step], n_inputs: int) -> list[tuple[int, ...]]:
    """Return for each step the numbers of the values that no later step needs.

    Parameters
    ----------
    steps : sequence of Step
    n_inputs : int

    Returns
    -------
    list of tuple of int
        Entry `i` holds the values to let go after step `i`; never the last step's own.
    """
    last: dict[int, int] = {}

    def visit(template: Any, position: int) -> None:
        kind = type(template)
        if kind is Ref:
            last[template.index] = position
        elif kind is list or kind is tuple or kind is set:
            for item in template:
                visit(item, position)
        elif kind is dict:
            for key, item in template.items():
                visit(key, position)
                visit(item, position)
        elif kind is slice:
            for item in (template.start, template.stop, template.step):
                visit(item, position)

    for position, step in enumerate(steps):
        last.setdefault(n_inputs + position, position)  # a value that nobody uses
        visit(step.args, position)
        visit(step.kwargs, position)
    done: list[list[int]] = [[] for _ in steps]
    for number, position in last.items():
        if number != n_inputs + len(steps) - 1:
            done[position].append(number)
    return [tuple(numbers) for numbers in done]


class Packed:
    """Runs steps one after another and returns the last one's result.

    Parameters
    ----------
    steps : tuple of Step
    n_inputs : int
        How many values come from outside.

    Examples
    --------
    >>> import operator
    >>> double = Step(None, operator.mul, (Ref(0), 2), {}, "double")
    >>> Packed((double, Step(None, operator.add, (Ref(1), Ref(0)), {}, "sum")), 1)(5)
    15
    """

    __slots__ = ("_calls", "n_inputs", "steps")

    def __init__(self, steps: tuple[Step, ...], n_inputs: int) -> None:
        self.steps = steps
        self.n_inputs = n_inputs
        self._calls: list[tuple[Any, ...]] | None = None

    @property
    def __name__(self) -> str:
        names = [
            step.op.rpartition(".")[2] if step.op else getattr(step.func, "__name__", "call")
            for step in self.steps
        ]
        return "+".join(names if len(names) <= 4 else [*names[:2], "...", names[-1]])

    def __reduce__(self) -> tuple[type[Packed], tuple[tuple[Step, ...], int]]:
        return Packed, (self.steps, self.n_inputs)

    def __call__(self, *inputs: Any) -> Any:
        """Run the steps on the values of the inputs."""
        return self.run(inputs)

    def run(self, inputs: Sequence[Any], note: Callable[[str, Any], object] | None = None) -> Any:
        """Run the steps on the values of the inputs.

        Parameters
        ----------
        inputs : sequence
        note : callable, optional
            Called with each step's label and value as soon as it is there.
        """
        if self._calls is None:
            self._calls = self._compile()
        values: list[Any] = [*inputs, *[None] * len(self.steps)]
        number = len(inputs)
        value = None
        for func, args, kwargs, plain, done, label in self._calls:
            if not plain:
                args, kwargs = resolve(args, values), resolve(kwargs, values)
            else:
                args = [values[arg.index] if type(arg) is Ref else arg for arg in args]
            try:
                value = func(*args, **kwargs)
            except (Exception, SystemExit) as error:
                error.add_note(f"in task {label!r}")
                raise
            args = kwargs = None
            if note is not None:
                note(label, value)
            values[number] = value
            number += 1
            for finished in done:
                values[finished] = None
        return value

    def _compile(self) -> list[tuple[Any, ...]]:
        """Prepare each call: most arguments are a plain reference or literal."""
        return [
            (
                step.func,
                step.args,
                dict(step.kwargs),
                not holds_ref(step.kwargs)
                and not any(type(a) is not Ref and holds_ref(a) for a in step.args),
                done,
                step.label,
            )
            for step, done in zip(self.steps, last_uses(self.steps, self.n_inputs), strict=True)
        ]
