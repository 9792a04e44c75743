"""Estimators made of others: what is checked, fitted and applied from the leaves up.

ColumnTransformer            block of all columns
  Pipeline                     take its columns
    SimpleImputer              block -> block
    StandardScaler             block -> block
  OneHotEncoder                take its columns, block -> block
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn import get_config
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from stratum_dask.ops.direct.preprocessing import encoders, imputer, matrix, scalers
from stratum_dask.ops.direct.preprocessing.cells import Block, Cell, OneHot
from stratum_dask.ops.direct.preprocessing.frame import block_of, refuse_other_columns
from stratum_dask.ops.steps import Unsupported


class Leaf(NamedTuple):
    """What is known of a transformer that holds no others.

    Attributes
    ----------
    check : callable
        Refuses an estimator whose parameters have no native form.
    refit : callable
        Puts in place what the fitted estimator must learn from all rows of a block.
    apply : callable
        Returns what the fitted estimator makes of a block.
    encodes : bool
        Whether distinct values are what it learns from.
    """

    check: Callable[[Any], None]
    refit: Callable[[Any, Block], None]
    apply: Callable[[Any, Block], Block]
    encodes: bool = False


LEAVES: dict[type, Leaf] = {
    SimpleImputer: Leaf(imputer.check, imputer.refit, imputer.apply),
    StandardScaler: Leaf(scalers.check, scalers.refit_standard, scalers.apply_standard),
    MinMaxScaler: Leaf(scalers.check, scalers.refit_minmax, scalers.apply_minmax),
    RobustScaler: Leaf(scalers.check, scalers.refit_on_array, scalers.apply_robust),
    OneHotEncoder: Leaf(encoders.check, encoders.refit, encoders.apply_onehot, True),
    OrdinalEncoder: Leaf(encoders.check, encoders.refit, encoders.apply_ordinal, True),
}
SUPPORTED = (*LEAVES, Pipeline, ColumnTransformer)


def check(estimator: Any, frame: pd.DataFrame) -> dict[str, bool]:
    """Refuse an estimator that has no native form; return the columns of `frame` that it uses.

    Parameters
    ----------
    estimator : object
        Fitted or not.
    frame : DataFrame
        What it will be given.

    Returns
    -------
    dict of str to bool
        By name, whether the column is encoded as it is.

    Raises
    ------
    Unsupported
        If a parameter or a part of it has no native form.
    """
    config = get_config()
    if config["transform_output"] != "default" or config["enable_metadata_routing"]:
        raise Unsupported("scikit-learn's configuration")
    return _check(estimator, frame)


def _check(estimator: Any, frame: pd.DataFrame) -> dict[str, bool]:
    kind = type(estimator)
    if kind not in SUPPORTED:
        raise Unsupported(f"no native form of {kind.__name__}")
    if getattr(estimator, "_sklearn_output_config", None):
        raise Unsupported("set_output")
    if getattr(estimator, "_skl_callbacks", None):
        raise Unsupported("callbacks")
    if kind is Pipeline:
        if estimator.memory is not None or estimator.verbose or estimator.transform_input:
            raise Unsupported("parameters")
        steps = _steps(estimator)
        for _, step in steps[1:]:
            if type(step) is ColumnTransformer:
                raise Unsupported("columns of an array")
            _check(step, frame)
        return _check(steps[0][1], frame)
    if kind is ColumnTransformer:
        if estimator.remainder != "drop" or estimator.transformer_weights or estimator.verbose:
            raise Unsupported("parameters")
        used: dict[str, bool] = {}
        for _, part, selection in estimator.transformers:
            chosen = _chosen(selection, frame)
            if isinstance(part, str) and part == "drop":
                continue
            if not chosen or type(part) is ColumnTransformer:
                raise Unsupported("parts of a ColumnTransformer")
            encodes = any(_check(part, frame).values())
            used.update({name: encodes or used.get(name, False) for name in chosen})
        return used
    LEAVES[kind].check(estimator)
    return dict.fromkeys(frame.columns, LEAVES[kind].encodes)


def is_native(transformer: ColumnTransformer) -> bool:
    """Tell whether a transformer of named columns has a native form, whatever they hold.

    Examples
    --------
    >>> is_native(ColumnTransformer([("scale", StandardScaler(), ["a"])]))
    True
    >>> is_native(ColumnTransformer([("scale", StandardScaler(), [0])]))
    False
    """
    chosen = [entry[2] for entry in getattr(transformer, "transformers", ())]
    names = [name for one in chosen if type(one) is list for name in one]
    try:
        check(transformer, pd.DataFrame(columns=list(dict.fromkeys(names))))
    except Unsupported:
        return False
    return True


def parts_of(estimator: Any) -> list[Any]:
    """Return the estimators that a ColumnTransformer or Pipeline is given, however deep."""
    kind = type(estimator)
    if kind not in (ColumnTransformer, Pipeline):
        return []
    entries = estimator.transformers if kind is ColumnTransformer else estimator.steps
    found = [entry[1] for entry in entries if isinstance(entry, tuple) and len(entry) > 1]
    return [*found, *(inner for part in found for inner in parts_of(part))]


def changed_by_fit(estimator: Any) -> Iterator[Any]:
    """Yield an estimator and all objects in it that its `fit` changes."""
    yield estimator
    if type(estimator) is Pipeline:
        for _, step in estimator.steps:
            yield from changed_by_fit(step)


def _steps(pipeline: Pipeline) -> list[tuple[str, Any]]:
    steps = [
        (name, step) for name, step in pipeline.steps if step is not None and step != "passthrough"
    ]
    if not steps or len(steps) != len(pipeline.steps):
        raise Unsupported("steps that do nothing")
    return steps


def _chosen(selection: Any, frame: pd.DataFrame) -> list[str]:
    if type(selection) is make_column_selector:
        selection = selection(frame.iloc[:1])
    if type(selection) is not list or not all(type(name) is str for name in selection):
        raise Unsupported("how columns are selected")
    if len(set(selection)) != len(selection) or not set(selection) <= set(frame.columns):
        raise Unsupported("columns are missing")
    return list(selection)


def refit(estimator: Any, block: Block) -> Block:
    """Complete an estimator that was fitted on a sample; return what it makes of all.

    Parameters
    ----------
    estimator : object
        As its own `fit` left it; it is changed.
    block : Block
        All rows.
    """

    def learn(leaf: Leaf, part: Any, block: Block) -> Block:
        leaf.refit(part, block)
        return leaf.apply(part, block)

    return _walk(estimator, block, learn, decide=True)


def apply(estimator: Any, block: Block) -> Block:
    """Return what a fitted estimator makes of a block."""
    if type(estimator) is not ColumnTransformer:  # which chooses by names
        refuse_other_columns(estimator, block)
    elif not hasattr(estimator, "feature_names_in_"):
        raise Unsupported("fitted without names")
    return _walk(estimator, block, lambda leaf, part, block: leaf.apply(part, block), decide=False)


def transformed(estimator: Any, frame: Any) -> Any:
    """Return the matrix that a fitted estimator makes of a frame."""
    block = block_of(frame)
    check(estimator, frame)
    return matrix.write(apply(estimator, block))


def _walk(
    estimator: Any, block: Block, visit: Callable[[Leaf, Any, Block], Block], decide: bool
) -> Block:
    kind = type(estimator)
    if kind is Pipeline:
        for _, step in _steps(estimator):
            block = _walk(step, block, visit, decide)
        return block
    if kind is not ColumnTransformer:
        leaf = LEAVES.get(kind)
        if leaf is None:
            raise Unsupported(f"no native form of {kind.__name__}")
        return visit(leaf, estimator, block)
    parts: list[Block] = []
    for name, part, _ in estimator.transformers_:
        if isinstance(part, str) and part == "drop":
            continue
        names = estimator.feature_names_in_[estimator._transformer_to_input_indices[name]]
        if len(names):
            parts.append(_walk(part, block.take([str(name) for name in names]), visit, decide))
    if not parts:
        raise Unsupported("no columns")
    if decide:
        estimator.sparse_output_ = _is_sparse(parts, estimator.sparse_threshold)
    return _side_by_side(parts, block.rows, estimator.sparse_output_)


def _is_sparse(parts: list[Block], threshold: float) -> bool:
    """Decide as ColumnTransformer does: by the density of all parts if any of them is sparse."""
    if not any(part.sparse for part in parts):
        return False
    entries = sum(
        sum(cell.entries() for cell in part.cells if isinstance(cell, OneHot))
        if part.sparse
        else part.rows * part.width
        for part in parts
    )
    total = sum(part.rows * part.width for part in parts)
    if total == 0:
        raise Unsupported("no columns in the result")
    return entries / total < threshold


def _side_by_side(parts: list[Block], rows: int, is_sparse: bool) -> Block:
    cells: tuple[Cell, ...] = tuple(cell for part in parts for cell in part.cells)
    order = "C"
    if not is_sparse:
        # NumPy decides where all parts can't agree.
        orders: list[Any] = ["C" if part.sparse else part.order for part in parts]
        small = [
            np.empty((2, part.width), order=order)
            for part, order in zip(parts, orders, strict=True)
        ]
        order = "C" if np.hstack(small).flags.c_contiguous else "F"
    return Block(cells, rows, None, order, is_sparse)
