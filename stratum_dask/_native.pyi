"""Types of the compiled extension."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self, TypeAlias, final

import numpy as np
import numpy.typing as npt

__version__: str

class _Buffer(Protocol):
    def __buffer__(self, flags: int, /) -> memoryview: ...

_Ids: TypeAlias = Sequence[int] | _Buffer
_Floats: TypeAlias = Sequence[float] | _Buffer
_Mask: TypeAlias = bytes | bytearray

def digest(data: bytes | _Buffer) -> bytes:
    """Return the 16-byte hash that all identities are; large buffers release the GIL.

    The first half of BLAKE3.

    Examples
    --------
    >>> from stratum_dask._native import digest
    >>> len(digest(b"text"))
    16
    """

def encode(value: Any, other: Callable[[Any], bytes]) -> bytes:
    """Return a literal as bytes: equal bytes, equal values.

    Types are part of it (``True``, ``1`` and ``1.0`` differ), NaN equals itself, ``-0.0`` and
    ``0.0`` differ, sets have no order and dicts have theirs.

    Parameters
    ----------
    value : object
    other : callable
        Encodes a value that is no plain literal or container, or raises.

    Raises
    ------
    RecursionError
        If a container holds itself, or is nested more than 100 deep.
    """

def identity(
    head: bytes,
    args: Iterable[Any],
    kwargs: dict[str, Any],
    other: Callable[[Any], bytes],
    reference: type,
    tokens: dict[Any, bytes],
) -> bytes:
    """Return the 16-byte identity of a call.

    Parameters
    ----------
    head : bytes
        The identity of what is called.
    args, kwargs
        Its arguments.
    other : callable
        See :func:`encode`.
    reference : type
        Instances stand for the values of tasks, by their attribute ``key``.
    tokens : dict
        Identities by key; a reference that it lacks goes to `other`.
    """

def identify_calls(
    keys: list[Any],
    tasks: Mapping[Any, Any],
    plain: Sequence[tuple[Callable[..., Any], bytes]],
    other: Callable[[Any], bytes],
    types: tuple[type, type],
    tokens: dict[Any, bytes],
    rest: Callable[[Any], object],
) -> None:
    """Identify tasks in an order in which each comes after those that it depends on.

    Parameters
    ----------
    keys : list
        The tasks to identify.
    tasks : mapping
        Tasks by key.
    plain : sequence of (callable, bytes)
        The functions whose calls have no other identity than :func:`identity` of these heads,
        as long as there are no keyword arguments.
    other : callable
        See :func:`encode`.
    types : (type, type)
        Of tasks that are calls, and of references.
    tokens : dict
        Identities by key, to which those of the plain calls are added.
    rest : callable
        Takes the key of any other task, and of one whose identity failed.
    """

class CycleFound(ValueError):
    """The nodes of a graph depend on each other in a circle.

    ``args[0]`` is the list of the nodes: each depends on the next, the last on the first.
    """

    args: tuple[list[int]]

@final
class Dag:
    """A directed acyclic graph over the integers 0 to n - 1, and decisions on it.

    All methods take time linear in nodes + edges (up to the logarithm of a sort), release the
    GIL and are deterministic. Ids, colors and sizes are passed as any sequence of numbers; a
    buffer of the right type (``array("I")``, NumPy ``uint32``; ``array("d")``, ``float64`` for
    sizes) is copied as a whole, which is faster. A mask is ``bytes`` or ``bytearray`` with one
    byte per node, zero for no.

    Parameters
    ----------
    ids : dict
        The integer of each node's key.
    dependencies : iterable of iterables of keys
        For each integer, what the node depends on. A key without an integer is no node of this
        graph; one that is repeated counts once.

    Raises
    ------
    CycleFound
        If nodes depend on each other in a circle.
    ValueError
        If there is not one row per key, or a key's integer is no node.

    Examples
    --------
    Node 0 is used by 1 and 2, these by 3:

    >>> from stratum_dask._native import Dag
    >>> dag = Dag({"a": 0, "b": 1, "c": 2, "d": 3}, [[], ["a"], ["a"], ["b", "c"]])
    >>> len(dag)
    4
    >>> dag.topological_order()
    [0, 1, 2, 3]
    """

    NONE: ClassVar[int]
    """Stands for "no output group" in :meth:`sections`."""

    def __new__(cls, ids: dict[Any, int], dependencies: Iterable[Iterable[Hashable]]) -> Dag: ...
    def __len__(self) -> int: ...
    def open(self) -> list[int]:
        """Return the nodes that depend on a key without an integer, ascending.

        Examples
        --------
        >>> Dag({"a": 0, "b": 1}, ["", "ax"]).open()
        [1]
        """

    def topological_order(self) -> list[int]:
        """All nodes, dependencies first.

        Of all such orders the lexicographically smallest: nodes keep their positions where they
        are free to.
        """

    def dependents(self) -> list[list[int]]:
        """For each node the nodes that depend on it, ascending.

        Examples
        --------
        >>> Dag({"a": 0, "b": 1, "c": 2}, ["", "a", "a"]).dependents()
        [[1, 2], [], []]
        """

    def cull(self, wanted: _Ids) -> bytes:
        """Mark the wanted nodes and everything that they depend on.

        Parameters
        ----------
        wanted : sequence of int
            Nodes.

        Returns
        -------
        bytes
            A mask: 1 for needed, 0 for not needed.

        Examples
        --------
        >>> list(Dag({"a": 0, "b": 1, "c": 2}, ["", "a", "a"]).cull([1]))
        [1, 1, 0]
        """

    def merge(self, tokens: bytes | bytearray) -> list[int]:
        """Find which node stands for each node.

        Parameters
        ----------
        tokens : bytes
            16 bytes per node; equal tokens mean equal values.

        Returns
        -------
        list of int
            For each node the first in topological order that has its token. Redirecting all
            dependencies to these keeps the graph acyclic.

        Examples
        --------
        >>> dag = Dag({"a": 0, "b": 1, "c": 2}, ["", "", "ab"])
        >>> dag.merge(bytes(32) + b"another token :-)"[:16])
        [0, 0, 2]
        """

    def doubled(self, tokens: bytes | bytearray) -> list[tuple[int, int]]:
        """Find the dependencies that would be one with another of the same node if merged.

        Parameters
        ----------
        tokens : bytes
            As for :meth:`merge`.

        Returns
        -------
        list of (int, int)
            A node and one of its dependencies: all that are equal to one with a smaller id.

        Examples
        --------
        >>> Dag({"a": 0, "b": 1, "c": 2}, ["", "", "ab"]).doubled(bytes(48))
        [(2, 1)]
        """

    def fusion_groups(self, fusable: _Mask, color: _Ids, output: _Mask) -> list[list[int]]:
        """Find the maximal groups of fusable nodes of one color with one visible result.

        A node joins the group of its consumers if it is no output and all of them are in that
        one group. Groups are convex; replacing each by one node keeps the graph acyclic.

        Parameters
        ----------
        fusable, output : bytes or bytearray
            Masks.
        color : sequence of int
            Nodes of different color never share a group.

        Returns
        -------
        list of list of int
            Groups of at least two, members in topological order, so that the visible one is
            last; ordered by their last members.

        Examples
        --------
        >>> dag = Dag({"a": 0, "b": 1, "c": 2, "d": 3}, ["", "a", "a", "bc"])
        >>> dag.fusion_groups(b"1111", [0] * 4, bytes(4))
        [[0, 1, 2, 3]]
        """

    def chains(self, packable: _Mask, color: _Ids, output: _Mask) -> list[list[int]]:
        """Find the maximal chains of nodes that only feed each other.

        A chain grows upwards from its last node: a node joins whose consumers are all in the chain,
        that is no output, has the same color and is packable, unless a link leaves several such:
        these branches stay apart, to run side by side. Linear in nodes and edges.

        Parameters
        ----------
        packable, output : bytes or bytearray
            Masks.
        color : sequence of int
            Nodes of different color never share a chain.

        Returns
        -------
        list of list of int
            Chains of at least two, dependencies first; ordered by their first members.

        Examples
        --------
        >>> dag = Dag({"a": 0, "b": 1, "c": 2, "d": 3}, ["", "a", "a", "bc"])
        >>> dag.chains(b"1111", [0] * 4, bytes(4))
        []
        >>> Dag({"a": 0, "b": 1, "c": 2}, ["", "a", "b"]).chains(b"111", [0] * 3, bytes(3))
        [[0, 1, 2]]
        """

    def memory_order(self, output: _Mask, bytes: _Floats) -> tuple[list[int], float]:
        """Find an execution order that keeps few bytes alive.

        Depth first from the outputs; before turning to the next one, what is alive is finished,
        the newest first, and what frees memory runs at once. Never worse than
        :meth:`topological_order`.

        Parameters
        ----------
        output : bytes or bytearray
            Mask of the nodes whose results are kept to the end.
        bytes : sequence of float
            The estimated size of each result.

        Returns
        -------
        order : list of int
            All nodes, dependencies first.
        peak : float
            The most bytes that are alive at a time, see :meth:`peak`.

        Examples
        --------
        Two big reads (0, 1), each reduced to little (2, 3), and their sum:

        >>> dag = Dag({"a": 0, "b": 1, "c": 2, "d": 3, "e": 4}, ["", "", "a", "b", "cd"])
        >>> dag.memory_order(bytes(5), [100, 100, 1, 1, 1])
        ([0, 2, 1, 3, 4], 102.0)
        """

    def peak(self, order: _Ids, output: _Mask, bytes: _Floats) -> float:
        """Simulate an execution order and return the most bytes that are alive at a time.

        While a node runs, its inputs and its result are alive. A result goes when its last
        consumer has run, at once if it has none, and never if it is an output.

        Parameters
        ----------
        order : sequence of int
            All nodes, dependencies first.
        output : bytes or bytearray
            Mask of the nodes whose results are kept.
        bytes : sequence of float
            The size of each result.

        Examples
        --------
        >>> dag = Dag({"a": 0, "b": 1, "c": 2, "d": 3, "e": 4}, ["", "", "a", "b", "cd"])
        >>> dag.peak([0, 1, 2, 3, 4], bytes(5), [100, 100, 1, 1, 1])
        201.0
        """

    def critical_path(self, seconds: _Floats) -> list[int]:
        """Return the longest chain, from its first node to its last.

        Parameters
        ----------
        seconds : sequence of float
            How long each node runs.

        Examples
        --------
        >>> dag = Dag({"a": 0, "b": 1, "c": 2, "d": 3}, ["", "a", "a", "bc"])
        >>> dag.critical_path([1.0, 2.0, 1.0, 1.0])
        [0, 1, 3]
        """

    def sections(self, group: _Ids, color: _Ids) -> tuple[list[int], list[list[int]]]:
        """Partition the nodes by which groups of outputs need them.

        The sections of a group's nodes, with all sections that those depend on, hold exactly
        what :meth:`cull` keeps for the group. Used to emit one layer per section, so that each
        output's layers hold what it needs and no more.

        Parameters
        ----------
        group : sequence of int
            The output group of each node, :attr:`NONE` for interior nodes.
        color : sequence of int
            Nodes of different color (annotations) never share a section.

        Returns
        -------
        section_of : list of int
            The section of each node.
        dependencies : list of list of int
            The sections that each section depends on, ascending; all have higher numbers.

        Examples
        --------
        >>> dag = Dag({"a": 0, "b": 1, "c": 2}, ["", "a", "a"])
        >>> dag.sections([Dag.NONE, 0, 1], [0, 0, 0])
        ([2, 1, 0], [[2], [2], []])
        """

    def bottlenecks(self, free: _Mask) -> list[int]:
        """Return the nodes beside which no other can run, ascending.

        Parameters
        ----------
        free : bytes or bytearray
            Mask of nodes that take no time; they depend on nothing.

        Examples
        --------
        >>> dag = Dag({"a": 0, "b": 1, "c": 2, "d": 3}, ["", "a", "a", "bc"])
        >>> dag.bottlenecks(bytes(4))
        [0, 3]
        """

    def reaches(self, from_node: int, targets: _Ids) -> list[int]:
        """Return those of `targets` that depend on `from_node`, directly or not.

        Parameters
        ----------
        from_node : int
            A node; it does not depend on itself.
        targets : sequence of int
            Nodes; the answer keeps their order.

        Examples
        --------
        >>> Dag({"a": 0, "b": 1, "c": 2}, ["", "a", "b"]).reaches(1, [0, 1, 2])
        [2]
        """

@final
class Cluster:
    """Workers, and what moving values between them takes: for simulations.

    Parameters
    ----------
    threads : sequence of int
        How many tasks each worker runs at a time.
    machine : sequence of int
        On which machine each worker is, counted from 0. Moving values inside a machine takes a
        tenth.
    memory : sequence of float
        The bytes that each worker may hold; infinite where there is no limit.
    bandwidth : float
        Bytes per second between machines.
    latency : float
        Seconds before a value begins to arrive.

    Raises
    ------
    ValueError
        If there are no workers, lengths differ, or an amount is impossible.

    Examples
    --------
    >>> from stratum_dask._native import Cluster, Dag
    >>> two = Cluster([1, 1], [0, 1], [1e9, 1e9], 1e8, 0.001)
    >>> dag = Dag({"a": 0, "b": 1, "c": 2}, ["", "", "ab"])
    >>> two.floor(dag, [1.0, 1.0, 1.0])
    2.0
    """

    NONE: ClassVar[int]
    """Stands for "the scheduler decides" in placements."""

    def __new__(
        cls, threads: _Ids, machine: _Ids, memory: _Floats, bandwidth: float, latency: float
    ) -> Cluster: ...
    def __len__(self) -> int: ...
    def floor(self, dag: Dag, seconds: _Floats) -> float:
        """Return the seconds below which no schedule gets.

        Those of the longest chain, or all divided by the tasks that run at a time.
        """

    def simulate(
        self,
        dag: Dag,
        seconds: _Floats,
        bytes: _Floats,
        output: _Mask,
        rank: _Ids,
        group: _Ids,
        worker: _Ids,
    ) -> Schedule:
        """Run a graph as ``distributed`` would.

        Parameters
        ----------
        dag : Dag
        seconds, bytes : sequence of float
            How long each node runs, and the size of its result.
        output : bytes or bytearray
            Mask of the nodes whose results are kept to the end.
        rank : sequence of int
            Of the nodes that could run, that with the lowest rank does.
        group : sequence of int
            Nodes of one group have one name; schedulers expect the same of them.
        worker : sequence of int
            The worker that each node is meant for; ``NONE`` where the scheduler decides.

        Examples
        --------
        >>> dag = Dag({"a": 0, "b": 1, "c": 2}, ["", "", "ab"])
        >>> two = Cluster([1, 1], [0, 1], [1e9, 1e9], 1e8, 0.001)
        >>> ones, ids = [1.0] * 3, [0, 1, 2]
        >>> ran = two.simulate(dag, ones, [1e8] * 3, bytes([0, 0, 1]), ids, ids, [0, 1, 0])
        >>> ran.makespan, ran.moved, ran.busy
        (3.001, 100000000.0, [2.0, 1.0])
        """

    def place(
        self,
        dag: Dag,
        seconds: _Floats,
        bytes: _Floats,
        output: _Mask,
        rank: _Ids,
        group: _Ids,
    ) -> tuple[list[int], list[int], Schedule, Schedule]:
        """Find a placement that is predicted to be better than what Dask does by itself, if any.

        Parameters are those of :meth:`simulate`.

        Returns
        -------
        worker : list of int
            As `simulate` takes it; all ``NONE`` if there is none.
        rank : list of int
            The order in which workers should take the nodes.
        schedule, stock : Schedule
            What is predicted with it and without it; never longer than without.
        """

@final
class Schedule:
    """How a graph ran.

    Attributes
    ----------
    makespan : float
        When the last node finished, in seconds.
    worker, thread : list of int
        By node: where it ran, and on which of the worker's threads.
    start : list of float
        By node: when it began, in seconds.
    busy : list of float
        By worker: the seconds in which its threads ran nodes.
    peak : list of float
        By worker: the most bytes that it held.
    moved : float
        Bytes that moved between workers.
    """

    makespan: float
    worker: list[int]
    thread: list[int]
    start: list[float]
    busy: list[float]
    peak: list[float]
    moved: float

@final
class Memory:
    """Writeable memory of some bytes, not initialised, which is used again when it is free.

    Examples
    --------
    >>> from stratum_dask._native import Memory
    >>> memoryview(Memory(8)).nbytes
    8
    """

    def __new__(cls, bytes: int) -> Memory: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class CsvFile:
    """A CSV file in memory.

    Parameters
    ----------
    path : str
    threads : int
        How many threads to use at most.

    Attributes
    ----------
    header : bytes
        The first line.
    rows : int
        How many lines follow.

    Raises
    ------
    OSError
        If the file cannot be read.
    MemoryError
        If there is no memory for it.
    ValueError
        If it has no rows, carriage returns, or zero bytes.
    """

    def __new__(cls, path: str, threads: int) -> CsvFile: ...
    @property
    def header(self) -> bytes: ...
    @property
    def rows(self) -> int: ...
    def read(
        self, columns: int, chunk: int, starts: list[int], threads: int
    ) -> tuple[
        list[tuple[str, bool, list[int], Memory]],
        list[tuple[int, list[tuple[int, int, Memory | None, Memory, Memory]]]],
    ]:
        """Read all rows.

        Parameters
        ----------
        columns : int
            How many cells each line has, at least 2.
        chunk : int
            How many rows pandas takes together where it reads row after row.
        starts : list of int
            Where the parts begin that it reads side by side, in bytes; empty if it does not.
        threads : int
            How many threads to use at most.

        Returns
        -------
        numbers : list of tuple
            A dtype ("int64", "float64" or "bool"), whether this is a column that lies alone, the
            numbers of the columns, and their values, one column after the other.
        strings : list of tuple
            The number of a column, and its chunks: how many strings there are, how many are
            missing, the validity if any is, the offsets and the text, as Arrow has them.

        Raises
        ------
        ValueError
            If the file holds what pandas reads in a way of its own; the message says what.
        MemoryError
            If there is no memory for the columns.
        """

@final
class Program:
    """A program of typed column expressions, checked and planned once, run many times.

    Immutable, and safe to run from several threads at once.

    Parameters
    ----------
    nodes : list of tuple
        In topological order, each ``(opcode, dtype, *operands)``; operands that are values are
        indices of earlier nodes. dtypes: f64 f32 i64 i32 i16 i8 u64 u32 u16 u8 bool. A node is a
        column if any operand is, else a scalar.

        - ``("input", dt, k)``, ``("const", dt, value)``, ``("cast", dt, a)``
        - ``("add"|"sub"|"mul"|"truediv"|"floordiv"|"mod", dt, a, b)``: truediv for floats only
        - ``("eq"|"ne"|"lt"|"le"|"gt"|"ge", "bool", a, b)``
        - ``("and"|"or"|"xor", dt, a, b)``: bools or integers
        - ``("neg"|"abs"|"not"|"rint"|"sqrt", dt, a)``
        - ``("isnan", "bool", a)``: floats only
        - ``("select", dt, condition, a, b)``
        - ``("ufunc", dt, name, a[, b])``: a loop of :func:`ufunc_loops`, or integer ``power``
        - ``("isin", "bool", a, values)``: `values` an array of a's dtype
        - ``("lookup", dt, a, keys, values, default)``: arrays of a's dtype and of dt
        - ``("day", "i32", a, unit)``: the day since 1970 of times as i64
        - ``("date", "i32", a, field, unit)``: a field of a day, or of a time if it is of its hours
        - reductions of a column, missing values skipped: ``("count", "i64", a)``,
          ``("sum", dt, a)`` (dt: the dtype of a; f64 also of f32 and integers, added as NumPy does
          with ``dtype="f8"``; i64 of signed integers and bool; u64 of unsigned integers),
          ``("median", dt, a)``, ``("var", dt, a[, ddof])`` (f64, f32),
          ``("min"|"max"|"mode", dt, a)``
    outputs : list of int
        The nodes that a run returns.

    Raises
    ------
    ValueError
        When a node is malformed, or not supported for its dtypes.
    """

    def __new__(cls, nodes: list[tuple[Any, ...]], outputs: list[int]) -> Program: ...
    def run(
        self,
        inputs: list[npt.NDArray[Any]],
        outputs: list[npt.NDArray[Any]],
        threads: int = 1,
    ) -> tuple[list[float | int | bool], list[tuple[int, int]]]:
        """Run the program.

        Parameters
        ----------
        inputs, outputs : list of ndarray
            Contiguous, one-dimensional, of equal length. `outputs` are written: one for each
            output that is a column, in order; they share no memory with other arrays.
        threads : int
            How many threads to use at most. Never changes a bit of the results.

        Returns
        -------
        scalars : list
            The outputs that are scalars, in order.
        flags : list of (node, bits)
            What happened: 1 division by zero, 2 overflow, 4 underflow, 8 invalid (as NumPy
            reports), 16 float not representable in an integer, 32 integer division by zero,
            64 an extreme, median or mode is 0 and both -0.0 and 0.0 occur, 128 negative integer
            power, 256 reduction of nothing without a value in its dtype.

        Raises
        ------
        ValueError
            When the arrays don't fit the program; then nothing is written.
        """

@final
class Text:
    """A column of strings, read where Arrow has it.

    Parameters
    ----------
    chunks : list of tuple
        ``(validity, offsets, data, offset, length)`` for each chunk: the buffers of a
        ``pyarrow.large_string()`` array (the first and last may be None), its offset and length.

    Raises
    ------
    ValueError
        By any method, when offsets don't fit the buffers.
    """

    def __new__(
        cls, chunks: list[tuple[_Buffer | None, _Buffer, _Buffer | None, int, int]]
    ) -> Text: ...
    def parse_dates(self, format: str, unit: str, out: npt.NDArray[Any]) -> tuple[int, int] | None:
        """Parse dates of years 1 to 9999 whose parts have their full width.

        Parameters
        ----------
        format : str
            ``%Y`` and ``%m``, perhaps ``%d %H %M %S %f``, and ``%z`` for a ``Z``.
        unit : str
            "s", "ms", "us" or "ns".
        out : ndarray of int64
            Is written.

        Returns
        -------
        (valid, digits) or None
            How many rows are there, and the digits of the longest fraction; None: the format is
            another, or a row is no such date, or out of the unit's range.
        """

    def encode(
        self, limit: int, codes: npt.NDArray[np.int32], firsts: npt.NDArray[np.int64]
    ) -> tuple[int, bytearray, bytearray] | None:
        """Give each distinct string a number, counted from 0 in order of first occurrence.

        Parameters
        ----------
        limit : int
            How many there may be.
        codes : ndarray of int32
            Is written: the number of each row's string, -1 for missing rows.
        firsts : ndarray of int64
            As long as the column; its first entries are written: at which row each number first
            appears.

        Returns
        -------
        (count, offsets, data) or None
            How many there are, and their buffers as Arrow has them, with room for a missing string
            after the last; None if there seem to be more than `limit`.
        """

    def find(self, keys: Text, out: npt.NDArray[Any]) -> bool:
        """Write at which row of `keys` each row's string is (int32), -1 for none and missing rows.

        Returns False, without a result, if keys are missing or occur twice.
        """

    def matches(
        self,
        test: str,
        texts: list[str],
        answers: tuple[bool, bool, bool],
        out: npt.NDArray[np.bool_],
    ) -> None:
        """Write what is answered for each row.

        Parameters
        ----------
        test : str
            "equals", "startswith" or "endswith".
        texts : list of str
            A string passes if it does so with one of them.
        answers : tuple of bool
            For strings that pass, for those that do not, and for missing ones.
        out : ndarray
        """

    @staticmethod
    def join(
        parts: Sequence[Text | str],
        ends: npt.NDArray[np.int64],
        validity: npt.NDArray[np.uint8],
        out: npt.NDArray[np.uint8],
    ) -> int:
        """Write the parts of each row one after the other, as Arrow stores them.

        Parameters
        ----------
        parts : sequence of Text or str
            Two or three, each a column or one string for all rows.
        ends : ndarray of int64
            One longer than there are rows; begins with 0.
        validity, out : ndarray of uint8
            With room for a bit for each row, and for all bytes of all parts.

        Returns
        -------
        int
            How many rows are missing, as each is of which a part is.
        """

    def bytes(self) -> int:
        """Return how many bytes the rows have."""

    def change_case(
        self,
        case: str,
        ends: npt.NDArray[np.int64],
        validity: npt.NDArray[np.uint8],
        out: npt.NDArray[np.uint8],
    ) -> int | None:
        """Write the strings in another case, as Arrow stores them.

        Parameters
        ----------
        case : str
            The name of pandas' method.
        ends : ndarray
            One longer than there are rows.
        validity : ndarray
            A bit for each row.
        out : ndarray
            As long as `bytes` says.

        Returns
        -------
        int or None
            How many are missing; None, and nothing useful is written, where some character is not
            ASCII.
        """

    def lengths(self, out: npt.NDArray[Any]) -> None:
        """Write the number of code points of each row (int64 or float64), -1 or NaN for none."""

    def order(self, out: npt.NDArray[Any]) -> None:
        """Write the positions (int64) of the rows, of which none is missing, in their order."""

@final
class RankedColumns:
    """Columns of a matrix, ranked for :meth:`plant`.

    Parameters
    ----------
    matrix : ndarray of float32
        Its numbers, none of them infinite.
    columns : int
    by_rows : bool
        Whether they lie row by row, else column by column.

    Raises
    ------
    ValueError
        When there are no whole columns, or infinite numbers.
    """

    def __new__(
        cls, matrix: npt.NDArray[np.float32], columns: int, by_rows: bool
    ) -> RankedColumns: ...
    def plant(
        self,
        y: npt.NDArray[np.float64],
        weights: npt.NDArray[np.float64] | None,
        seed: int,
        *,
        classes: int | None,
        entropy: bool,
        max_features: int,
        min_samples_split: int,
        min_samples_leaf: int,
        min_weight_leaf: float,
        max_depth: int,
        min_impurity_decrease: float,
        random: bool,
    ) -> dict[str, Any] | None:
        """Grow a tree of a forest.

        Parameters
        ----------
        y : ndarray of float64
            The targets; if there are `classes`, their numbers.
        weights : ndarray of float64 or None
        seed : int
            Of the generator that draws columns.
        classes : int or None
            How many there are.
        entropy : bool
            Whether they are judged by entropy, else by Gini's index.
        random : bool
            Whether each column offers one split only.

        Returns
        -------
        dict or None
            The columns of scikit-learn's nodes as bytes by name, ``values``, and ``max_depth``.
            None if sums might be rounded, so that their order matters.

        Raises
        ------
        ValueError
            When lengths or dtypes don't fit, or there is a class that should not be.
        """

class BinnedRows:
    """Rows of bins, laid out for :meth:`grow`.

    Parameters
    ----------
    binned : ndarray of uint8
        The bins, feature by feature.
    bins : ndarray of uint32
        How many bins of numbers each feature has.
    has_missing : ndarray of uint8
        Whether bin `missing` occurs.
    missing : int

    Raises
    ------
    ValueError
        When lengths differ, or there is a bin that a feature has not.
    """

    def __new__(
        cls,
        binned: npt.NDArray[np.uint8],
        bins: npt.NDArray[np.uint32],
        has_missing: npt.NDArray[np.uint8],
        missing: int,
    ) -> BinnedRows: ...
    def grow(
        self,
        binned: npt.NDArray[np.uint8],
        gradients: npt.NDArray[np.float32],
        hessians: npt.NDArray[np.float32],
        partition: npt.NDArray[np.uint32],
        *,
        max_leaf_nodes: int | None,
        max_depth: int | None,
        min_samples_leaf: int,
        min_hessian_to_split: float,
        l2_regularization: float,
        threads: int,
    ) -> dict[str, list[Any]]:
        """Grow a tree of histogram gradient boosting.

        Parameters
        ----------
        binned : ndarray
            What the rows were made of.
        gradients, hessians : ndarray
            One for each row, or one hessian for all.
        partition : ndarray
            Written: the rows, those of each node next to each other.

        Returns
        -------
        dict of list
            By scikit-learn's names for what it stores of a node, in its order, and ``start``,
            where the rows of a node begin.
        """

    def boost(
        self,
        binned: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.float32],
        weights: npt.NDArray[np.float32],
        *,
        score: float,
        logistic: bool,
        rounds: int,
        max_depth: int,
        eta: float,
        gamma: float,
        min_child_weight: float,
        lambda_: float,
        alpha: float,
        by_weight: bool,
    ) -> dict[str, bytes]:
        """Grow the trees of some rounds of XGBoost.

        Parameters
        ----------
        binned : ndarray
            What the rows were made of.
        labels : ndarray
        weights : ndarray
            One for each row, or none, which stands for 1 each.
        score : float
            What is predicted before the first round.
        logistic : bool
            Whether the loss is logistic; squares otherwise.
        by_weight : bool
            Whether gains are computed from rounded weights.

        Returns
        -------
        dict of bytes
            ``count``, how many nodes each tree has (uint32), and what is stored of the nodes of
            all trees: ``parent``, ``child`` (the first of two) and ``feature`` (int32), ``bins``
            (how many go left, uint32), ``missing_go_left`` (uint8), ``gain``, ``hessian``,
            ``weight`` and ``value`` (float32).
        """

def count_codes(codes: npt.NDArray[Any], counts: npt.NDArray[Any]) -> None:
    """Add to `counts` (int64) how often each code appears; negative codes count for the last."""

def one_hot(codes: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
    """Set ``out[code * len(codes) + row]`` for each row whose code is not negative."""

def concatenate(parts: list[npt.NDArray[Any]], out: npt.NDArray[Any]) -> None:
    """Write arrays of one dtype one after the other, past the caches.

    The arrays have one dimension and are contiguous and aligned.
    """

def window_extremes(
    values: npt.NDArray[np.float64],
    windows: tuple[int, int, int],
    least: int,
    smallest: bool,
    out: npt.NDArray[np.float64],
) -> None:
    """Write the smallest or largest value of each window of rows.

    Parameters
    ----------
    values : ndarray
    windows : tuple of int
        The first row of the first window, the one after its last, and how far the next window is.
        Only rows that are there count.
    least : int
        NaN for windows that have fewer values that are not NaN, or none.
    smallest : bool
    out : ndarray
        As long as there are windows, of which the first has the first row.
    """

def window_sums(
    values: npt.NDArray[np.float64],
    windows: tuple[int, int, int],
    least: int,
    mean: bool,
    out: npt.NDArray[np.float64],
) -> None:
    """Write the sum or the mean of each window of rows.

    Parameters
    ----------
    values, windows, out
        As for `window_extremes`.
    least : int
        NaN for windows that have fewer values that are not NaN; also for the mean of none.
    mean : bool
    """

def window_variances(
    values: npt.NDArray[np.float64],
    windows: tuple[int, int, int],
    least: int,
    ddof: int,
    root: bool,
    out: npt.NDArray[np.float64],
) -> None:
    """Write the variance of each window of rows, or its root.

    Parameters
    ----------
    values, windows, out
        As for `window_extremes`.
    least : int
        NaN for windows that have fewer values that are not NaN, or none.
    ddof : int
        What is taken from their number, which must be greater.
    root : bool
    """

def row_medians(columns: list[npt.NDArray[Any]], skip: bool, out: npt.NDArray[Any]) -> int:
    """Write the median of each row of a table of columns; return what was raised.

    Parameters
    ----------
    columns : list of ndarray
        At least one, all as long as `out`.
    skip : bool
        Whether missing values are skipped; else a row that has one has no median.
    out : ndarray of float64 or float32
        The medians, of values of this dtype.
    """

def rank(
    values: npt.NDArray[Any],
    out: npt.NDArray[np.float64],
    ties: str,
    ascending: bool,
    share: bool,
    codes: npt.NDArray[np.int64] | None = None,
) -> None:
    """Write the rank of each value (float64 or int64), inside the groups of their codes.

    Parameters
    ----------
    values, out : ndarray
        Values, and their ranks counted from 1; NaN for missing ones and negative codes.
    ties : str
        "average", "min", "max", "first" or "dense".
    ascending, share : bool
        Whether the smallest is first; whether ranks are given as shares of the largest.
    codes : ndarray, optional
        The group of each row.

    Examples
    --------
    >>> ranks = np.empty(3)
    >>> rank(np.array([2.0, 1.0, 2.0]), ranks, "average", True, False)
    >>> ranks.tolist()
    [2.5, 1.0, 2.5]
    """

def places(
    values: npt.NDArray[Any], edges: npt.NDArray[np.float64], out: npt.NDArray[np.int32]
) -> None:
    """Write where each value lies between n ascending edges.

    Below edge ``i`` and above the one before ``2 * i``, on it ``2 * i + 1``, above all
    ``2 * n``; -1 for NaN. Raises ValueError for integers that are no floats.
    """

@final
class Nearest:
    """The nearest of rows that are offered block by block, for several rows at once.

    Parameters
    ----------
    k : int
        How many are looked for.
    margins : ndarray of float32
        One per row that they are looked for: how much nearer than it seems a row may be that is
        offered, and how much farther one that it is compared with, both together.
    """

    def __new__(cls, k: int, margins: npt.NDArray[np.float32]) -> Self: ...
    def offer(
        self,
        products: npt.NDArray[np.float32],
        least: npt.NDArray[np.float32],
        doubt: npt.NDArray[np.float32],
        start: int,
    ) -> None:
        """Look at rows that are numbered from `start` on.

        Parameters
        ----------
        products : ndarray of float32
            One-dimensional: for each row that is looked for, its products with all offered ones.
        least, doubt : ndarrays of float32
            Rows rank by ``least - 2 * products``, but for the margin and up to `doubt` more.
        start : int

        Raises
        ------
        ValueError
            When lengths or dtypes don't fit.
        """

    def settle(
        self,
        offered: npt.NDArray[np.float64],
        rows: npt.NDArray[np.float64],
        nearest: npt.NDArray[np.int64],
        squares: npt.NDArray[np.float64],
    ) -> None:
        """Write the nearest rows, nearest first, and the squares of their distances.

        Parameters
        ----------
        offered, rows : ndarrays of float64
            All rows that were offered and those that are looked for, one-dimensional.
        nearest, squares : ndarrays of int64 and float64
            For each row its `k` nearest, one-dimensional.

        Raises
        ------
        ValueError
            When lengths or dtypes don't fit, when too few rows were offered, or when called again.
        """

def date_fields(values: npt.NDArray[Any], unit: str, field: str, out: npt.NDArray[Any]) -> bool:
    """Write a field of dates (int64 since 1970) and tell whether any is missing.

    `out` is of int32, uint32, float64 (missing: NaN) or bool. Raises OverflowError for years
    outside -32,800 to 32,767.
    """

def start_of_day(values: npt.NDArray[Any], unit: str, out: npt.NDArray[Any]) -> None:
    """Write the midnight of each date; raises OverflowError when one is out of range."""

def ufunc_loops() -> list[tuple[str, str]]:
    """Names and dtypes of NumPy's inner loops that programs can use."""

def encode_numbers(
    values: npt.NDArray[Any], codes: npt.NDArray[np.int64], firsts: npt.NDArray[np.int64]
) -> int:
    """Give numbers to the values of a column, counted from 0 in order of first occurrence.

    Parameters
    ----------
    values : ndarray
    codes : ndarray of int64
        Written: the number of each row's value, -1 for NaN.
    firsts : ndarray of int64
        As long as `codes`; its first entries are written: the row where each number occurs first.

    Returns
    -------
    int
        How many values there are.

    Examples
    --------
    >>> import numpy as np
    >>> codes, firsts = np.empty(3, np.int64), np.empty(3, np.int64)
    >>> encode_numbers(np.array([7, 5, 7]), codes, firsts), codes.tolist()
    (2, [0, 1, 0])
    """

def encode_pairs(
    left: npt.NDArray[np.int64],
    right: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int64],
    firsts: npt.NDArray[np.int64],
) -> int:
    """Give numbers to pairs of numbers, as :func:`encode_numbers`; a negative part is missing."""

def match_numbers(
    left: npt.NDArray[Any],
    right: npt.NDArray[Any],
    left_codes: npt.NDArray[np.int64],
    right_codes: npt.NDArray[np.int64],
) -> int:
    """Give the same numbers to the same values of two columns of one dtype.

    Parameters
    ----------
    left, right : ndarray
    left_codes, right_codes : ndarray of int64
        Written: numbers counted from 0 in order of first occurrence on the right; -1 for NaN, and
        for values of the left that are not on the right.

    Returns
    -------
    int
        How many values there are on the right.

    Examples
    --------
    >>> import numpy as np
    >>> left, right = np.empty(3, np.int64), np.empty(2, np.int64)
    >>> match_numbers(np.array([5, 6, 7]), np.array([7, 5]), left, right), left.tolist()
    (2, [1, -1, 0])
    """

def group_aggregate(
    how: str,
    codes: npt.NDArray[np.int64],
    values: npt.NDArray[Any],
    out: npt.NDArray[Any],
    counts: npt.NDArray[np.int64],
    at_least: int,
    ddof: int = 1,
) -> bool:
    """Reduce the values of each group, missing values skipped, in the order of the rows.

    Parameters
    ----------
    how : str
        sum (float64, float32, int64, uint64), mean, var (floats), std, median (float64), min, max,
        first, last (numbers).
    codes : ndarray of int64
        The group of each row; negative ones and those beyond the results are skipped.
    values, out : ndarray
        Of one dtype; `out` is written, one entry for each group.
    counts : ndarray of int64
        Written: how many values each group has.
    at_least : int
        With fewer values the result is NaN (integers: 0).
    ddof : int
        Degrees of freedom of var and std.

    Returns
    -------
    bool
        Whether a median is 0 and both -0.0 and 0.0 occur, so that its sign may be another.

    Raises
    ------
    ValueError
        When the arrays don't fit.
    """

def gather(
    positions: npt.NDArray[Any],
    values: npt.NDArray[Any],
    out: npt.NDArray[Any],
    last: bool = False,
) -> None:
    """Write the values at some positions (int64 or int32).

    Where there is no such position, `last` means the last value, else NaN, -1 or False.

    Examples
    --------
    >>> import numpy as np
    >>> gather(np.array([1, -1]), np.array([0.5, 1.5]), out := np.empty(2)), out.tolist()
    (None, [1.5, nan])
    """

@final
class Strings:
    """The strings of a column, to be picked by position.

    Parameters
    ----------
    text : Text
    last : bool
        Whether a position that there is not means the last string, else a missing one.
    """

    def __new__(cls, text: Text, last: bool = False) -> Strings: ...
    def bytes(self, counts: npt.NDArray[np.int64]) -> int:
        """Return how many bytes the picked strings have, from how often each is picked.

        The number after the last string is of positions that there are not.
        """

    def pick(
        self,
        positions: npt.NDArray[Any],
        ends: npt.NDArray[np.int64],
        validity: npt.NDArray[np.uint8],
        out: npt.NDArray[np.uint8],
    ) -> int:
        """Write the offsets, the bitmap and the bytes of the picked strings, as Arrow stores them.

        Returns
        -------
        int
            How many are missing.

        Raises
        ------
        ValueError
            When `out` has not just as many bytes, or the lengths differ.
        """

_Feature: TypeAlias = tuple[Any, ...]

def write_matrix(features: list[_Feature], rows: int, out: npt.NDArray[Any], order: str) -> None:
    """Write a feature matrix in one pass.

    Parameters
    ----------
    features : list of tuple
        One per column, or per neighbouring columns:

        - ``("number", values, fill, steps)``: numbers as floats; NaN becomes `fill` unless that is
          NaN; then the steps ``("add"|"sub"|"mul"|"div", x)`` in order
        - ``("code", codes, numbers)``: the number of each code (int32; negative: the last one)
        - ``("onehot", codes, slots, width)``: a one in column ``slots[code]`` of `width` columns,
          none where that is negative
    rows : int
    out : ndarray of float64
        One-dimensional, all zeros; gets the matrix in the `order` "C" or "F".

    Raises
    ------
    OverflowError
        When a number is infinite, or becomes so.
    ValueError
        When shapes or dtypes don't fit.
    """

def write_products(
    table: npt.NDArray[Any],
    order: str,
    products: tuple[bool, npt.NDArray[Any], npt.NDArray[Any]],
    rows: int,
    out: npt.NDArray[Any],
) -> int:
    """Write the columns of a table and products of them, rows one after another.

    Parameters
    ----------
    table : ndarray of float64 or float32
        All entries of the table, one-dimensional.
    order : {"C", "F"}
        Whether its rows lie one after another, or its columns.
    products : tuple of bool, ndarray of int32 and ndarray of int32
        Whether a column of ones comes first; for each product the earlier column of `out` that it
        is of; and the table's column by which that is multiplied.
    rows : int
    out : ndarray
        Of the table's dtype, one-dimensional.

    Returns
    -------
    int
        The floating-point exceptions that were raised, in NumPy's bits.

    Raises
    ------
    ValueError
        When shapes or dtypes don't fit.
    """

def write_sparse(
    features: list[_Feature],
    rows: int,
    data: npt.NDArray[Any],
    indices: npt.NDArray[Any],
    indptr: npt.NDArray[Any],
) -> int:
    """Write what is not zero of a feature matrix as compressed sparse rows.

    Parameters
    ----------
    features, rows
        As in :func:`write_matrix`.
    data : ndarray of float64
    indices : ndarray of int32
        Room for an entry of each feature in each row.
    indptr : ndarray of int32
        One more than rows.

    Returns
    -------
    int
        The number of entries; columns ascend in each row.

    Raises
    ------
    OverflowError
        When a number is infinite, or becomes so.
    ValueError
        When shapes or dtypes don't fit.
    """
