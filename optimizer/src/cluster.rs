//! What tasks cost, and the workers that they run on.

/// What each task takes and leaves; one entry per node.
#[derive(Clone, Copy, Debug)]
pub struct Costs<'a> {
    /// How long it runs; not negative.
    pub seconds: &'a [f64],
    /// The size of its result; not negative.
    pub bytes: &'a [f64],
    /// Whether its result is kept to the end.
    pub output: &'a [bool],
}

/// Workers, and what it takes to move values between them.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// How many tasks each worker runs at a time.
    pub threads: Vec<u32>,
    /// On which machine each worker is.
    pub machine: Vec<u32>,
    /// The bytes that each worker may hold; infinite where there is no limit.
    pub memory: Vec<f64>,
    /// Bytes per second between machines.
    pub bandwidth: f64,
    /// Seconds before a value begins to arrive.
    pub latency: f64,
}

/// What moving a value inside a machine takes of what it takes between machines.
const INSIDE: f64 = 0.1;

impl Cluster {
    /// The number of workers.
    pub fn len(&self) -> usize {
        self.threads.len()
    }

    /// Whether there are no workers.
    pub fn is_empty(&self) -> bool {
        self.threads.is_empty()
    }

    /// The tasks that run at a time.
    pub fn slots(&self) -> f64 {
        self.threads.iter().map(|&threads| f64::from(threads)).sum()
    }

    /// How long the connections of both workers are taken by a value that moves.
    pub(crate) fn wire(&self, from: u32, to: u32, bytes: f64) -> f64 {
        let near = self.machine[from as usize] == self.machine[to as usize];
        bytes / self.bandwidth * if near { INSIDE } else { 1.0 }
    }

    pub(crate) fn check(&self) {
        assert!(!self.is_empty(), "a cluster of no workers");
        assert_eq!(self.machine.len(), self.len(), "one machine per worker");
        assert_eq!(self.memory.len(), self.len(), "one limit per worker");
        assert!(self.threads.iter().all(|&threads| threads > 0));
    }
}

impl Costs<'_> {
    pub(crate) fn check(&self, nodes: usize) {
        assert_eq!(self.seconds.len(), nodes, "one entry of `seconds` per node");
        assert_eq!(self.bytes.len(), nodes, "one entry of `bytes` per node");
        assert_eq!(self.output.len(), nodes, "one entry of `output` per node");
    }
}
