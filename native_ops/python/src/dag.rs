//! `Dag`: the graph decisions of the crate `stratum-optimizer`.

use std::borrow::Cow;

use pyo3::buffer::{Element, PyBuffer};
use pyo3::conversion::FromPyObjectOwned;
use pyo3::create_exception;
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use stratum_optimizer as optimizer;
use stratum_optimizer::DagError;

create_exception!(
    stratum_dask._native,
    CycleFound,
    PyValueError,
    "The nodes of a graph depend on each other in a circle; ``args[0]`` lists them."
);

/// A directed acyclic graph over the integers 0 to n - 1; see `_native.pyi`.
#[pyclass(frozen, module = "stratum_dask._native")]
pub(crate) struct Dag {
    pub(crate) dag: optimizer::Dag,
    open: Vec<u32>,
}

#[pymethods]
impl Dag {
    /// Stands for "no output group" in `sections`.
    #[classattr]
    const NONE: u32 = optimizer::NONE;

    #[new]
    fn new(ids: &Bound<'_, PyDict>, dependencies: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut indptr = Vec::with_capacity(ids.len() + 1);
        let mut indices = Vec::with_capacity(ids.len());
        let mut open = Vec::new();
        indptr.push(0u32);
        for row in dependencies.try_iter()? {
            let node = indptr.len() as u32 - 1;
            for key in row?.try_iter()? {
                match ids.get_item(key?)? {
                    Some(id) => indices.push(id.extract()?),
                    None if open.last() == Some(&node) => {}
                    None => open.push(node),
                }
            }
            indptr.push(indices.len() as u32);
        }
        let rows = indptr.len() - 1;
        if rows != ids.len() {
            let message = format!("`dependencies` has {rows} rows for {} ids", ids.len());
            return Err(PyValueError::new_err(message));
        }
        let py = ids.py();
        let dag = py.detach(|| optimizer::Dag::new(&indptr, &indices));
        match dag {
            Ok(dag) => Ok(Self { dag, open }),
            Err(DagError::Cycle(nodes)) => Err(CycleFound::new_err((nodes,))),
            Err(error) => Err(PyValueError::new_err(error.to_string())),
        }
    }

    fn __len__(&self) -> usize {
        self.dag.len()
    }

    fn open(&self) -> Vec<u32> {
        self.open.clone()
    }

    fn topological_order(&self) -> Vec<u32> {
        self.dag.order().to_vec()
    }

    fn dependents(&self) -> Vec<Vec<u32>> {
        (0..self.dag.len() as u32)
            .map(|node| self.dag.dependents(node).to_vec())
            .collect()
    }

    fn cull<'py>(&self, py: Python<'py>, wanted: Vector<u32>) -> PyResult<Bound<'py, PyBytes>> {
        self.check_ids(&wanted.0)?;
        let needed = py.detach(|| {
            self.dag
                .cull(&wanted.0)
                .into_iter()
                .map(u8::from)
                .collect::<Vec<_>>()
        });
        Ok(PyBytes::new(py, &needed))
    }

    fn merge(&self, py: Python<'_>, tokens: Cow<'_, [u8]>) -> PyResult<Vec<u32>> {
        let tokens = self.tokens(&tokens)?;
        Ok(py.detach(|| self.dag.merge(&tokens)))
    }

    fn doubled(&self, py: Python<'_>, tokens: Cow<'_, [u8]>) -> PyResult<Vec<(u32, u32)>> {
        let tokens = self.tokens(&tokens)?;
        Ok(py.detach(|| self.dag.doubled(&tokens)))
    }

    fn fusion_groups(
        &self,
        py: Python<'_>,
        fusable: Mask,
        color: Vector<u32>,
        output: Mask,
    ) -> PyResult<Vec<Vec<u32>>> {
        self.check_len("fusable", fusable.0.len())?;
        self.check_len("color", color.0.len())?;
        self.check_len("output", output.0.len())?;
        Ok(py.detach(|| self.dag.fusion_groups(&fusable.0, &color.0, &output.0)))
    }

    fn chains(
        &self,
        py: Python<'_>,
        packable: Mask,
        color: Vector<u32>,
        output: Mask,
    ) -> PyResult<Vec<Vec<u32>>> {
        self.check_len("packable", packable.0.len())?;
        self.check_len("color", color.0.len())?;
        self.check_len("output", output.0.len())?;
        Ok(py.detach(|| self.dag.chains(&packable.0, &color.0, &output.0)))
    }

    fn memory_order(
        &self,
        py: Python<'_>,
        output: Mask,
        bytes: Vector<f64>,
    ) -> PyResult<(Vec<u32>, f64)> {
        self.check_len("output", output.0.len())?;
        self.check_amounts("bytes", &bytes.0)?;
        Ok(py.detach(|| self.dag.memory_order(&output.0, &bytes.0)))
    }

    fn peak(
        &self,
        py: Python<'_>,
        order: Vector<u32>,
        output: Mask,
        bytes: Vector<f64>,
    ) -> PyResult<f64> {
        self.check_order(&order.0)?;
        self.check_len("output", output.0.len())?;
        self.check_amounts("bytes", &bytes.0)?;
        Ok(py.detach(|| self.dag.peak(&order.0, &output.0, &bytes.0)))
    }

    fn critical_path(&self, py: Python<'_>, seconds: Vector<f64>) -> PyResult<Vec<u32>> {
        self.check_amounts("seconds", &seconds.0)?;
        Ok(py.detach(|| self.dag.critical_path(&seconds.0)))
    }

    fn sections(
        &self,
        py: Python<'_>,
        group: Vector<u32>,
        color: Vector<u32>,
    ) -> PyResult<(Vec<u32>, Vec<Vec<u32>>)> {
        self.check_len("group", group.0.len())?;
        self.check_len("color", color.0.len())?;
        let sections = py.detach(|| self.dag.sections(&group.0, &color.0));
        let rows = 0..sections.len() as u32;
        let dependencies = rows
            .map(|section| sections.dependencies(section).to_vec())
            .collect();
        Ok((sections.section_of, dependencies))
    }

    fn bottlenecks(&self, py: Python<'_>, free: Mask) -> PyResult<Vec<u32>> {
        self.check_len("free", free.0.len())?;
        Ok(py.detach(|| self.dag.bottlenecks(&free.0)))
    }

    fn reaches(&self, py: Python<'_>, from_node: u32, targets: Vector<u32>) -> PyResult<Vec<u32>> {
        self.check_ids(&[from_node])?;
        self.check_ids(&targets.0)?;
        Ok(py.detach(|| self.dag.reaches(from_node, &targets.0)))
    }
}

impl Dag {
    pub(crate) fn check_len(&self, name: &str, len: usize) -> PyResult<()> {
        let nodes = self.dag.len();
        if len == nodes {
            return Ok(());
        }
        let message = format!("`{name}` has {len} entries for a graph of {nodes} nodes");
        Err(PyValueError::new_err(message))
    }

    fn tokens(&self, bytes: &[u8]) -> PyResult<Vec<u128>> {
        let (tokens, rest) = bytes.as_chunks::<16>();
        if !rest.is_empty() {
            return Err(PyValueError::new_err("`tokens` needs 16 bytes per node"));
        }
        self.check_len("tokens", tokens.len())?;
        Ok(tokens.iter().copied().map(u128::from_le_bytes).collect())
    }

    fn check_ids(&self, ids: &[u32]) -> PyResult<()> {
        let nodes = self.dag.len();
        match ids.iter().find(|&&id| id as usize >= nodes) {
            None => Ok(()),
            Some(id) => {
                let message = format!("node {id} is not in a graph of {nodes} nodes");
                Err(PyIndexError::new_err(message))
            }
        }
    }

    pub(crate) fn check_amounts(&self, name: &str, amounts: &[f64]) -> PyResult<()> {
        self.check_len(name, amounts.len())?;
        match amounts
            .iter()
            .find(|amount| !(amount.is_finite() && **amount >= 0.0))
        {
            None => Ok(()),
            Some(amount) => Err(PyValueError::new_err(format!(
                "`{name}` has {amount}, which is no amount"
            ))),
        }
    }

    fn check_order(&self, order: &[u32]) -> PyResult<()> {
        self.check_ids(order)?;
        self.check_len("order", order.len())?;
        let mut done = vec![false; order.len()];
        for &node in order {
            let met = self
                .dag
                .dependencies(node)
                .iter()
                .all(|&input| done[input as usize]);
            if !met || std::mem::replace(&mut done[node as usize], true) {
                let message = format!("node {node} comes twice or before a dependency in `order`");
                return Err(PyValueError::new_err(message));
            }
        }
        Ok(())
    }
}

/// Numbers from a buffer of their type (`array.array`, NumPy) or from any sequence.
pub(crate) struct Vector<T>(pub(crate) Vec<T>);

impl<'a, 'py, T> FromPyObject<'a, 'py> for Vector<T>
where
    T: Element + FromPyObjectOwned<'py>,
{
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match PyBuffer::<T>::get(&object) {
            Ok(buffer) => buffer.to_vec(object.py()).map(Self),
            Err(_) => object.extract().map(Self),
        }
    }
}

/// One truth value per byte, from `bytes` or `bytearray`.
pub(crate) struct Mask(pub(crate) Vec<bool>);

impl<'a, 'py> FromPyObject<'a, 'py> for Mask {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let bytes: Cow<'_, [u8]> = object.extract()?;
        Ok(Self(bytes.iter().map(|&byte| byte != 0).collect()))
    }
}
