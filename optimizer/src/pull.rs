//! Placement by pulling: a simulated run in which workers take nodes when they have room.
//!
//! A node that could run waits at the workers that hold most of its inputs. A worker takes first
//! what waits at itself, and only if there is nothing, from the worker with the most work ahead,
//! if what must move for that takes less than the wait. So values move only to keep threads busy.

use std::collections::BTreeSet;

use crate::Dag;
use crate::run::Run;

/// Nodes that wait for a worker.
pub(crate) struct Pool {
    /// How many seconds of waiting a second of moving is worth.
    price: f64,
    /// What is ahead with each node: its seconds, and its share of those of what follows.
    ahead: Vec<f64>,
    /// By node: the workers at which it waits; all of them if it has no inputs.
    homes: Vec<Vec<u32>>,
    is_waiting: Vec<bool>,
    waiting: Vec<Waiting>,
    /// Those that may run anywhere, by rank.
    anywhere: BTreeSet<(u32, u32)>,
}

/// What waits at a worker.
#[derive(Clone, Default)]
struct Waiting {
    by_rank: BTreeSet<(u32, u32)>,
    /// By the bits of what is ahead with them, and rank.
    by_ahead: BTreeSet<(u64, u32, u32)>,
    ahead: f64,
}

impl Pool {
    pub(crate) fn new(dag: &Dag, seconds: &[f64], workers: usize, price: f64) -> Self {
        let mut ahead = seconds.to_vec();
        for &node in dag.order().iter().rev() {
            let inputs = dag.dependencies(node);
            for &input in inputs {
                ahead[input as usize] += ahead[node as usize] / inputs.len() as f64;
            }
        }
        Self {
            price,
            ahead,
            homes: vec![Vec::new(); dag.len()],
            is_waiting: vec![false; dag.len()],
            waiting: vec![Waiting::default(); workers],
            anywhere: BTreeSet::new(),
        }
    }

    fn put(&mut self, node: u32, rank: u32, worker: u32) {
        let ahead = self.ahead[node as usize];
        let waiting = &mut self.waiting[worker as usize];
        waiting.by_rank.insert((rank, node));
        waiting.by_ahead.insert((ahead.to_bits(), rank, node));
        waiting.ahead += ahead;
        self.homes[node as usize].push(worker);
    }

    fn remove(&mut self, node: u32, rank: u32) {
        let ahead = self.ahead[node as usize];
        self.is_waiting[node as usize] = false;
        self.anywhere.remove(&(rank, node));
        for worker in std::mem::take(&mut self.homes[node as usize]) {
            let waiting = &mut self.waiting[worker as usize];
            waiting.by_rank.remove(&(rank, node));
            waiting.by_ahead.remove(&(ahead.to_bits(), rank, node));
            waiting.ahead -= ahead;
        }
    }
}

impl Run<'_> {
    /// Lets nodes wait at the workers that hold most of their inputs.
    pub(crate) fn offer(&mut self, nodes: &[u32]) {
        for &node in nodes {
            let inputs = self.dag.dependencies(node).iter();
            let copies = inputs.flat_map(|&input| &self.copies[input as usize]);
            let mut holders: Vec<u32> = copies.map(|copy| copy.0).collect();
            holders.sort_unstable();
            holders.dedup();
            let lacking: Vec<f64> = holders.iter().map(|&i| self.fetching(node, i)).collect();
            let least = lacking.iter().copied().fold(f64::INFINITY, f64::min);
            let rank = self.plan.rank[node as usize];
            let pool = self.pool.as_mut().expect("a run with a pool");
            pool.is_waiting[node as usize] = true;
            if holders.is_empty() {
                pool.anywhere.insert((rank, node));
            }
            for (&worker, &lacks) in holders.iter().zip(&lacking) {
                if lacks <= least {
                    pool.put(node, rank, worker);
                }
            }
        }
    }

    /// Lets nodes wait at a worker that now has all their inputs, too.
    pub(crate) fn offer_users(&mut self, value: u32, worker: u32) {
        for &user in self.dag.dependents(value) {
            let Some(pool) = &self.pool else { return };
            let waits = pool.is_waiting[user as usize];
            if waits && !pool.homes[user as usize].contains(&worker) {
                let inputs = self.dag.dependencies(user).iter();
                let mut copies = inputs.map(|&input| &self.copies[input as usize]);
                if copies.all(|copies| copies.iter().any(|copy| copy.0 == worker)) {
                    let rank = self.plan.rank[user as usize];
                    let pool = self.pool.as_mut().expect("a run with a pool");
                    pool.put(user, rank, worker);
                }
            }
        }
    }

    /// Has all workers take nodes, the given one first: for their free threads, then one more for
    /// what comes next, so that its inputs are there in time.
    pub(crate) fn pull(&mut self, first: u32) {
        for ahead in [false, true] {
            let others = (0..self.workers.len() as u32).filter(|&worker| worker != first);
            for worker in std::iter::once(first).chain(others) {
                while self.has_room(worker) && (ahead || self.has_free_thread(worker)) {
                    let Some(node) = self.choose(worker) else {
                        break;
                    };
                    let rank = self.plan.rank[node as usize];
                    self.pool
                        .as_mut()
                        .expect("a run with a pool")
                        .remove(node, rank);
                    self.assign(node, worker);
                }
            }
        }
    }

    fn has_free_thread(&self, worker: u32) -> bool {
        let worker = &self.workers[worker as usize];
        worker.processing < worker.threads
    }

    fn choose(&self, worker: u32) -> Option<u32> {
        let pool = self.pool.as_ref()?;
        let own = pool.waiting[worker as usize].by_rank.first();
        let next = own.into_iter().chain(pool.anywhere.first()).min();
        next.map(|entry| entry.1)
            .or_else(|| self.worth_moving(worker))
    }

    /// Of the nodes with most ahead at each other worker, the one that gains most.
    fn worth_moving(&self, thief: u32) -> Option<u32> {
        let pool = self.pool.as_ref()?;
        let memory = self.cluster.memory[thief as usize] - self.workers[thief as usize].alive;
        let mut best = (0.0, None);
        for (victim, waiting) in (0..).zip(&pool.waiting) {
            let Some(&(_, _, node)) = waiting.by_ahead.last() else {
                continue;
            };
            let wait = waiting.ahead / f64::from(self.workers[victim as usize].threads);
            if wait <= best.0 {
                continue; // whatever its inputs take to move
            }
            let (moving, bytes) = self.moving(node, thief);
            let gain = wait - self.price_of(moving);
            if gain > best.0 && bytes <= memory {
                best = (gain, Some(node));
            }
        }
        best.1
    }

    fn price_of(&self, seconds: f64) -> f64 {
        self.pool.as_ref().map_or(1.0, |pool| pool.price) * seconds
    }

    /// How long the inputs move that a worker lacks, and the bytes that it would hold.
    fn moving(&self, node: u32, worker: u32) -> (f64, f64) {
        let mut seconds = 0.0;
        let mut bytes = self.costs.bytes[node as usize];
        for &input in self.dag.dependencies(node) {
            let copies = &self.copies[input as usize];
            if !copies.iter().any(|copy| copy.0 == worker) {
                let size = self.costs.bytes[input as usize];
                let ways = copies
                    .iter()
                    .map(|copy| self.cluster.wire(copy.0, worker, size));
                seconds += ways.fold(f64::INFINITY, f64::min) + self.cluster.latency;
                bytes += size;
            }
        }
        (seconds, bytes)
    }
}
