//! Trees of random forests.

use crate::arrays::{Inputs, invalid};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use stratum_native_ops::{
    Column, Impurity, PlantedNode, PlantedTree, TreeLimits, TreeTarget, plant,
};

/// Columns of a matrix, as the kernels read them.
#[pyclass(frozen, module = "stratum_dask._native")]
pub(crate) struct RankedColumns(stratum_native_ops::RankedColumns);

#[pymethods]
impl RankedColumns {
    #[new]
    fn new(
        py: Python<'_>,
        matrix: &Bound<'_, PyAny>,
        columns: usize,
        by_rows: bool,
    ) -> PyResult<Self> {
        let inputs = Inputs::new([(matrix, "matrix")])?;
        let [Column::F32(matrix)] = inputs.columns() else {
            return Err(invalid("a matrix must be float32"));
        };
        py.detach(|| stratum_native_ops::RankedColumns::new(matrix, columns, by_rows))
            .map(Self)
            .map_err(invalid)
    }

    /// Grows a tree; `None` if sums might be rounded.
    #[pyo3(signature = (
        y, weights, seed, *, classes, entropy, max_features, min_samples_split, min_samples_leaf,
        min_weight_leaf, max_depth, min_impurity_decrease, random
    ))]
    #[expect(clippy::too_many_arguments, reason = "scikit-learn's, by name")]
    fn plant<'py>(
        &self,
        py: Python<'py>,
        y: &Bound<'_, PyAny>,
        weights: Option<&Bound<'_, PyAny>>,
        seed: u32,
        classes: Option<usize>,
        entropy: bool,
        max_features: usize,
        min_samples_split: usize,
        min_samples_leaf: usize,
        min_weight_leaf: f64,
        max_depth: usize,
        min_impurity_decrease: f64,
        random: bool,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let limits = TreeLimits {
            max_features,
            min_samples_split,
            min_samples_leaf,
            min_weight_leaf,
            max_depth,
            min_impurity_decrease,
            random,
        };
        let inputs = Inputs::new([(y, "y"), (weights.unwrap_or(y), "weights")])?;
        let [Column::F64(y), Column::F64(given)] = inputs.columns() else {
            return Err(invalid("y and weights must be float64"));
        };
        let weights = weights.map(|_| given);
        let kind = if entropy {
            Impurity::Entropy
        } else {
            Impurity::Gini
        };
        let target = match classes {
            Some(count) => TreeTarget::Classes(y, count, kind),
            None => TreeTarget::Numbers(y),
        };
        let tree = py
            .detach(|| plant(&self.0, target, weights, &limits, seed))
            .map_err(invalid)?;
        tree.map(|tree| columns(py, &tree)).transpose()
    }
}

/// The nodes of a tree as bytes of columns, by scikit-learn's names.
fn columns<'py>(py: Python<'py>, tree: &PlantedTree) -> PyResult<Bound<'py, PyDict>> {
    let columns = PyDict::new(py);
    let child = |node: &PlantedNode, of: fn((usize, usize)) -> usize| {
        node.children.map_or(-1, |children| of(children) as i64)
    };
    let split_or = |node: &PlantedNode, split: i64| match node.children {
        Some(_) => split,
        None => -2,
    };
    macro_rules! column {
        ($name:literal, $of:expr) => {
            columns.set_item($name, bytes(py, tree.nodes.iter().map($of))?)?;
        };
    }
    column!("left_child", |node| child(node, |(left, _)| left)
        .to_ne_bytes());
    column!("right_child", |node| child(node, |(_, right)| right)
        .to_ne_bytes());
    column!("feature", |node| split_or(node, node.column as i64)
        .to_ne_bytes());
    column!("threshold", |node| match node.children {
        Some(_) => node.threshold,
        None => -2.0,
    }
    .to_ne_bytes());
    column!("impurity", |node| node.impurity.to_ne_bytes());
    column!("n_node_samples", |node| (node.samples as i64).to_ne_bytes());
    column!("weighted_n_node_samples", |node| node.weight.to_ne_bytes());
    column!("missing_go_to_left", |node| [u8::from(
        node.children.is_some() && node.missing_left
    )]);
    let values = tree.values.iter().map(|value| value.to_ne_bytes());
    columns.set_item("values", bytes(py, values)?)?;
    columns.set_item("max_depth", tree.depth)?;
    Ok(columns)
}

fn bytes<'py, const N: usize>(
    py: Python<'py>,
    items: impl ExactSizeIterator<Item = [u8; N]>,
) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, items.len() * N, |memory| {
        for (place, item) in memory.chunks_exact_mut(N).zip(items) {
            place.copy_from_slice(&item);
        }
        Ok(())
    })
}
