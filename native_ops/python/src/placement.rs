//! `Cluster`: simulated runs and placement of the crate `stratum-optimizer`.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use stratum_optimizer as optimizer;
use stratum_optimizer::{Costs, NONE, Plan};

use crate::dag::{Dag, Mask, Vector};

/// Workers, and what moving values takes; see `_native.pyi`.
#[pyclass(frozen, module = "stratum_dask._native")]
pub(crate) struct Cluster(optimizer::Cluster);

/// How a graph ran; see `_native.pyi`.
#[pyclass(frozen, get_all, module = "stratum_dask._native")]
pub(crate) struct Schedule {
    makespan: f64,
    worker: Vec<u32>,
    thread: Vec<u32>,
    start: Vec<f64>,
    busy: Vec<f64>,
    peak: Vec<f64>,
    moved: f64,
}

impl From<optimizer::Schedule> for Schedule {
    fn from(schedule: optimizer::Schedule) -> Self {
        Self {
            makespan: schedule.makespan,
            worker: schedule.worker,
            thread: schedule.thread,
            start: schedule.start,
            busy: schedule.busy,
            peak: schedule.peak,
            moved: schedule.moved,
        }
    }
}

#[pymethods]
impl Cluster {
    /// Stands for "the scheduler decides" in placements.
    #[classattr]
    const NONE: u32 = NONE;

    #[new]
    #[pyo3(signature = (threads, machine, memory, bandwidth, latency))]
    fn new(
        threads: Vector<u32>,
        machine: Vector<u32>,
        memory: Vector<f64>,
        bandwidth: f64,
        latency: f64,
    ) -> PyResult<Self> {
        let refuse = |what: &str| Err(PyValueError::new_err(what.to_owned()));
        let workers = threads.0.len();
        if workers == 0 || threads.0.contains(&0) {
            return refuse("a cluster needs a worker, and each worker a thread");
        }
        if machine.0.len() != workers || memory.0.len() != workers {
            return refuse("`machine` and `memory` need one entry per worker");
        }
        if machine.0.iter().any(|&machine| machine as usize >= workers) {
            return refuse("machines are counted from 0, and are no more than workers");
        }
        if !memory.0.iter().all(|&bytes| bytes > 0.0) || bandwidth.is_nan() || bandwidth <= 0.0 {
            return refuse("`memory` and `bandwidth` must be positive");
        }
        if !(latency.is_finite() && latency >= 0.0) {
            return refuse("`latency` must not be negative");
        }
        Ok(Self(optimizer::Cluster {
            threads: threads.0,
            machine: machine.0,
            memory: memory.0,
            bandwidth,
            latency,
        }))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn floor(&self, py: Python<'_>, dag: &Dag, seconds: Vector<f64>) -> PyResult<f64> {
        dag.check_amounts("seconds", &seconds.0)?;
        Ok(py.detach(|| dag.dag.floor(&seconds.0, &self.0)))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one array per property of a node"
    )]
    fn simulate(
        &self,
        py: Python<'_>,
        dag: &Dag,
        seconds: Vector<f64>,
        bytes: Vector<f64>,
        output: Mask,
        rank: Vector<u32>,
        group: Vector<u32>,
        worker: Vector<u32>,
    ) -> PyResult<Schedule> {
        self.check(dag, &seconds.0, &bytes.0, &output.0, &rank.0, &group.0)?;
        dag.check_len("worker", worker.0.len())?;
        let missing = |&&worker: &&u32| worker != NONE && worker as usize >= self.0.len();
        if let Some(worker) = worker.0.iter().find(missing) {
            let workers = self.0.len();
            let message = format!("worker {worker} is not in a cluster of {workers} workers");
            return Err(PyValueError::new_err(message));
        }
        let costs = Costs {
            seconds: &seconds.0,
            bytes: &bytes.0,
            output: &output.0,
        };
        let plan = Plan {
            rank: &rank.0,
            group: &group.0,
            worker: &worker.0,
        };
        Ok(py
            .detach(|| dag.dag.simulate(&costs, &self.0, &plan))
            .into())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one array per property of a node"
    )]
    fn place(
        &self,
        py: Python<'_>,
        dag: &Dag,
        seconds: Vector<f64>,
        bytes: Vector<f64>,
        output: Mask,
        rank: Vector<u32>,
        group: Vector<u32>,
    ) -> PyResult<(Vec<u32>, Vec<u32>, Schedule, Schedule)> {
        self.check(dag, &seconds.0, &bytes.0, &output.0, &rank.0, &group.0)?;
        let costs = Costs {
            seconds: &seconds.0,
            bytes: &bytes.0,
            output: &output.0,
        };
        let best = py.detach(|| dag.dag.best_placement(&costs, &self.0, &rank.0, &group.0));
        Ok((
            best.worker,
            best.rank,
            best.schedule.into(),
            best.stock.into(),
        ))
    }
}

impl Cluster {
    fn check(
        &self,
        dag: &Dag,
        seconds: &[f64],
        bytes: &[f64],
        output: &[bool],
        rank: &[u32],
        group: &[u32],
    ) -> PyResult<()> {
        dag.check_amounts("seconds", seconds)?;
        dag.check_amounts("bytes", bytes)?;
        dag.check_len("output", output.len())?;
        dag.check_len("rank", rank.len())?;
        dag.check_len("group", group.len())?;
        if let Some(group) = group.iter().find(|&&group| group as usize >= dag.dag.len()) {
            let message = format!("groups are counted from 0, and are no more than nodes: {group}");
            return Err(PyValueError::new_err(message));
        }
        Ok(())
    }
}
