//! What Dask's scheduler does by itself: where it sends nodes, which wait, which it moves.
//!
//! The rules are those of `distributed`'s `decide_worker`, of its queue of root tasks and of its
//! work stealing, with the expected seconds of a node being the mean of its group.

use crate::Dag;
use crate::NONE;
use crate::run::Run;

/// More room than threads, so that the next node is there when one ends.
const SATURATION: f64 = 1.1;
/// Groups that depend on this many others, or on groups with this many nodes, are no roots.
const ROOT_LIMIT: u32 = 5;
/// What Dask adds to the time of a transfer before it moves work, in seconds.
const STEAL_LATENCY: f64 = 0.1;
const STEAL_LEVELS: f64 = 15.0;
/// A worker is worth relieving if it has this much work, in seconds.
const WORTH_STEALING: f64 = 0.2;

/// What is known of the groups of nodes.
pub(crate) struct Groups {
    of: Vec<u32>,
    seconds: Vec<f64>,
    nodes: Vec<u32>,
    /// Whether a group depends on few groups of few nodes.
    shallow: Vec<bool>,
}

impl Groups {
    pub(crate) fn new(dag: &Dag, seconds: &[f64], group: &[u32]) -> Self {
        let groups = group.iter().max().map_or(0, |&last| last as usize + 1);
        let mut nodes = vec![0; groups];
        let mut sums = vec![0.0; groups];
        let mut edges: Vec<(u32, u32)> = Vec::new();
        for node in 0..dag.len() as u32 {
            let own = group[node as usize];
            nodes[own as usize] += 1;
            sums[own as usize] += seconds[node as usize];
            let inputs = dag.dependencies(node).iter();
            edges.extend(inputs.map(|&input| (own, group[input as usize])));
        }
        edges.sort_unstable();
        edges.dedup();
        let mut needs = vec![(0u32, 0u32); groups];
        for (own, other) in edges.into_iter().filter(|(own, other)| own != other) {
            let (count, size) = &mut needs[own as usize];
            *count += 1;
            *size = size.saturating_add(nodes[other as usize]);
        }
        let shallow = needs
            .iter()
            .map(|need| need.0 < ROOT_LIMIT && need.1 < ROOT_LIMIT);
        Self {
            of: group.to_vec(),
            seconds: sums
                .iter()
                .zip(&nodes)
                .map(|(s, &n)| s / f64::from(n.max(1)))
                .collect(),
            shallow: shallow.collect(),
            nodes,
        }
    }

    /// The seconds that are expected of a node.
    pub(crate) fn seconds(&self, node: u32) -> f64 {
        self.seconds[self.of[node as usize] as usize]
    }

    /// Whether a node is one of many that start the graph.
    fn is_root(&self, node: u32, slots: f64) -> bool {
        let group = self.of[node as usize] as usize;
        f64::from(self.nodes[group]) > 2.0 * slots && self.shallow[group]
    }
}

impl Run<'_> {
    /// The worker that a node goes to, or `None` if it waits for one with room.
    pub(crate) fn decide(&self, node: u32) -> Option<u32> {
        let meant = self.plan.worker[node as usize];
        if meant != NONE {
            return Some(meant);
        }
        if self.groups.is_root(node, self.cluster.slots()) {
            return if self.queue.is_empty() {
                self.with_room()
            } else {
                None
            };
        }
        let mut holders = Vec::new();
        for &input in self.dag.dependencies(node) {
            let there = self.copies[input as usize]
                .iter()
                .filter(|copy| copy.1 <= self.now);
            holders.extend(there.map(|copy| copy.0));
        }
        holders.sort_unstable();
        holders.dedup();
        match holders[..] {
            [] => Some(self.least_occupied()),
            [only] => Some(only),
            _ => holders
                .into_iter()
                .reduce(|a, b| if self.starts_sooner(node, b, a) { b } else { a }),
        }
    }

    /// The worker with the fewest nodes per thread that can take one more.
    pub(crate) fn with_room(&self) -> Option<u32> {
        let load = |i: u32| {
            let worker = &self.workers[i as usize];
            f64::from(worker.processing) / f64::from(worker.threads)
        };
        let workers = (0..self.workers.len() as u32).filter(|&i| self.has_room(i));
        workers.reduce(|a, b| if load(b) < load(a) { b } else { a })
    }

    pub(crate) fn has_room(&self, i: u32) -> bool {
        let worker = &self.workers[i as usize];
        f64::from(worker.processing) < (SATURATION * f64::from(worker.threads)).ceil()
    }

    fn least_occupied(&self) -> u32 {
        let workers = self.workers.len();
        let first = self.dag.len() % workers;
        let around = (first..workers).chain(0..first);
        let occupancy = |i: usize| self.workers[i].occupancy;
        let least = around.reduce(|a, b| if occupancy(b) < occupancy(a) { b } else { a });
        least.expect("a cluster of at least one worker") as u32
    }

    /// Dask's measure of a worker for a node: when it would start, then who holds less.
    fn starts_sooner(&self, node: u32, a: u32, b: u32) -> bool {
        let measure = |i: u32| {
            let worker = &self.workers[i as usize];
            let start = worker.occupancy / f64::from(worker.threads) + self.fetching(node, i);
            (start, worker.alive)
        };
        measure(a) < measure(b)
    }

    /// How dear it is to move a node, in powers of two; `None` if it stays where it is.
    pub(crate) fn steal_level(&self, node: u32) -> Option<u8> {
        if self.plan.worker[node as usize] != NONE {
            return None;
        }
        let inputs = self.dag.dependencies(node);
        if inputs.is_empty() {
            return Some(0);
        }
        let bytes: f64 = inputs
            .iter()
            .map(|&input| self.costs.bytes[input as usize])
            .sum();
        let transfer = bytes / self.cluster.bandwidth + STEAL_LATENCY;
        let level = ((transfer / self.groups.seconds(node)).log2() + 6.0)
            .round()
            .max(1.0);
        (level < STEAL_LEVELS).then_some(level as u8)
    }

    /// Moves nodes from workers with too much work to those with too little.
    pub(crate) fn balance(&mut self) {
        let all = 0..self.workers.len() as u32;
        let mut thieves: Vec<u32> = all.clone().filter(|&i| self.is_unoccupied(i)).collect();
        if thieves.is_empty() || thieves.len() == self.workers.len() {
            return;
        }
        let mut victims: Vec<u32> = all
            .filter(|i| {
                let worker = &self.workers[*i as usize];
                let loaded =
                    worker.occupancy > WORTH_STEALING && worker.processing > worker.threads;
                loaded && !thieves.contains(i)
            })
            .collect();
        victims.sort_by(|&a, &b| {
            self.workers[b as usize]
                .occupancy
                .total_cmp(&self.workers[a as usize].occupancy)
        });
        for level in 0..STEAL_LEVELS as u8 {
            for &victim in &victims {
                let nodes = self.workers[victim as usize]
                    .stealable
                    .range((level, 0, 0)..);
                let nodes: Vec<_> = nodes
                    .take_while(|entry| entry.0 == level)
                    .copied()
                    .collect();
                for entry in nodes {
                    if thieves.is_empty() {
                        return;
                    }
                    self.steal(entry, victim, &mut thieves);
                }
            }
        }
    }

    fn steal(&mut self, entry: (u8, u32, u32), victim: u32, thieves: &mut Vec<u32>) {
        let node = entry.2;
        let best = |a: u32, b: u32| if self.starts_sooner(node, b, a) { b } else { a };
        let thief = thieves.iter().copied().reduce(best).expect("a thief");
        let seconds = self.groups.seconds(node);
        let gain =
            self.workers[victim as usize].occupancy - (self.fetching(node, victim) + seconds) / 2.0;
        let cost = self.workers[thief as usize].occupancy + self.fetching(node, thief) + seconds;
        if cost > gain {
            return;
        }
        self.workers[victim as usize].stealable.remove(&entry);
        self.withdraw(node);
        self.assign(node, thief);
        if !self.is_unoccupied(thief) {
            thieves.retain(|&other| other != thief);
        }
    }

    fn is_unoccupied(&self, i: u32) -> bool {
        let worker = &self.workers[i as usize];
        let threads = f64::from(worker.threads);
        let total: f64 = self.workers.iter().map(|worker| worker.occupancy).sum();
        worker.processing < worker.threads
            || worker.occupancy < threads * (total / self.cluster.slots()) / 2.0
    }
}
