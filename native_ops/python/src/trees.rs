//! Trees of gradient boosting on binned rows.

use crate::arrays::{Inputs, Outputs, invalid};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use stratum_native_ops::{Column, ColumnMut, Growth, Loss, RoundNode, Rule, TreeNode, boost, grow};

/// Rows of bins, as the kernels read them.
#[pyclass(frozen, module = "stratum_dask._native")]
pub(crate) struct BinnedRows(stratum_native_ops::BinnedRows);

#[pymethods]
impl BinnedRows {
    #[new]
    fn new(
        py: Python<'_>,
        binned: &Bound<'_, PyAny>,
        bins: &Bound<'_, PyAny>,
        has_missing: &Bound<'_, PyAny>,
        missing: u8,
    ) -> PyResult<Self> {
        let inputs = Inputs::new([
            (binned, "binned"),
            (bins, "bins"),
            (has_missing, "has_missing"),
        ])?;
        let [
            Column::U8(binned),
            Column::U32(bins),
            Column::U8(has_missing),
        ] = inputs.columns()
        else {
            return Err(invalid("bins must be uint8, their numbers uint32"));
        };
        py.detach(|| stratum_native_ops::BinnedRows::new(binned, bins, has_missing, missing))
            .map(Self)
            .map_err(invalid)
    }

    /// Grows a tree, and says which rows are in which of its nodes.
    #[pyo3(signature = (
        binned, gradients, hessians, partition, *, max_leaf_nodes, max_depth, min_samples_leaf,
        min_hessian_to_split, l2_regularization, threads
    ))]
    #[expect(clippy::too_many_arguments, reason = "scikit-learn's, by name")]
    fn grow<'py>(
        &self,
        py: Python<'py>,
        binned: &Bound<'_, PyAny>,
        gradients: &Bound<'_, PyAny>,
        hessians: &Bound<'_, PyAny>,
        partition: &Bound<'_, PyAny>,
        max_leaf_nodes: Option<usize>,
        max_depth: Option<usize>,
        min_samples_leaf: u32,
        min_hessian_to_split: f64,
        l2_regularization: f64,
        threads: usize,
    ) -> PyResult<Bound<'py, PyDict>> {
        let inputs = Inputs::new([
            (binned, "binned"),
            (gradients, "gradients"),
            (hessians, "hessians"),
        ])?;
        let mut outputs = Outputs::new([(partition, "partition")], inputs.arrays())?;
        let (
            [
                Column::U8(binned),
                Column::F32(gradients),
                Column::F32(hessians),
            ],
            [ColumnMut::U32(partition)],
        ) = (inputs.columns(), outputs.columns())
        else {
            return Err(invalid("gradients must be float32, places uint32"));
        };
        let growth = Growth {
            max_leaf_nodes,
            max_depth,
            min_samples_leaf: f64::from(min_samples_leaf),
            min_hessian_to_split,
            l2_regularization,
            threads,
        };
        let nodes = py
            .detach(|| grow(&self.0, binned, gradients, hessians, &growth, partition))
            .map_err(invalid)?;
        let columns = PyDict::new(py);
        let split = |node: &TreeNode| node.split.unwrap_or_default();
        macro_rules! column {
            ($name:literal, $of:expr) => {
                columns.set_item($name, nodes.iter().map($of).collect::<Vec<_>>())?;
            };
        }
        column!("value", |node| node.value);
        column!("count", |node| node.samples.len());
        column!("feature_idx", |node| split(node).0);
        column!("bin_threshold", |node| split(node).1);
        column!("missing_go_to_left", |node| split(node).2);
        column!("left", |node| node.children.0);
        column!("right", |node| node.children.1);
        column!("gain", |node| node.gain);
        column!("depth", |node| node.depth);
        column!("is_leaf", |node| node.split.is_none());
        column!("start", |node| node.samples.start);
        Ok(columns)
    }

    /// Grows the trees of some rounds as XGBoost does; returns what it stores of all nodes.
    #[pyo3(signature = (
        binned, labels, weights, *, score, logistic, rounds, max_depth, eta, gamma,
        min_child_weight, lambda_, alpha, by_weight
    ))]
    #[expect(clippy::too_many_arguments, reason = "XGBoost's, by name")]
    fn boost<'py>(
        &self,
        py: Python<'py>,
        binned: &Bound<'_, PyAny>,
        labels: &Bound<'_, PyAny>,
        weights: &Bound<'_, PyAny>,
        score: f32,
        logistic: bool,
        rounds: usize,
        max_depth: usize,
        eta: f32,
        gamma: f32,
        min_child_weight: f32,
        lambda_: f32,
        alpha: f32,
        by_weight: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let inputs = Inputs::new([(binned, "binned"), (labels, "labels"), (weights, "weights")])?;
        let [
            Column::U8(binned),
            Column::F32(labels),
            Column::F32(weights),
        ] = inputs.columns()
        else {
            return Err(invalid("bins must be uint8, labels and weights float32"));
        };
        let loss = if logistic {
            Loss::Logistic
        } else {
            Loss::Squares
        };
        let rule = Rule {
            max_depth,
            eta,
            gamma,
            min_child_weight,
            lambda: lambda_,
            alpha,
            by_weight,
        };
        let trees = py
            .detach(|| boost(&self.0, binned, labels, weights, score, loss, &rule, rounds))
            .map_err(invalid)?;
        let columns = PyDict::new(py);
        let counts: Vec<u8> = (trees.iter())
            .flat_map(|tree| (tree.len() as u32).to_ne_bytes())
            .collect();
        columns.set_item("count", PyBytes::new(py, &counts))?;
        let number = |node: Option<usize>, none: i32| node.map_or(none, |node| node as i32);
        macro_rules! column {
            ($name:literal, $of:expr) => {
                let of = $of;
                let bytes: Vec<u8> = (trees.iter().flatten())
                    .flat_map(|node: &RoundNode| of(node).to_ne_bytes())
                    .collect();
                columns.set_item($name, PyBytes::new(py, &bytes))?;
            };
        }
        column!("parent", |node: &RoundNode| number(node.parent, i32::MAX));
        column!("child", |node: &RoundNode| number(node.child, -1));
        column!("feature", |node: &RoundNode| node.feature as u32);
        column!("bins", |node: &RoundNode| node.bins as u32);
        column!("missing_go_left", |node: &RoundNode| u8::from(
            node.missing_go_left
        ));
        column!("gain", |node: &RoundNode| node.gain);
        column!("hessian", |node: &RoundNode| node.hessian);
        column!("weight", |node: &RoundNode| node.weight);
        column!("value", |node: &RoundNode| node.value);
        Ok(columns)
    }
}
