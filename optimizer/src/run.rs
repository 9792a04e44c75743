//! One simulated run, event by event: nodes are sent to workers, become ready, start and are done.
//!
//! Where nodes are sent is in `stock` (Dask's rules) and `pull` (ours), how values move in `transfers`.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use crate::cluster::{Cluster, Costs};
use crate::pull::Pool;
use crate::simulate::{Plan, Schedule};
use crate::stock::Groups;
use crate::{Dag, NONE};

pub(crate) enum Event {
    Ready { node: u32, worker: u32 },
    Done { node: u32 },
    Balance,
}

/// A worker during a run.
pub(crate) struct Worker {
    pub(crate) threads: u32,
    /// Nodes that were sent to it and are not done, and the seconds that Dask expects of them.
    pub(crate) processing: u32,
    pub(crate) occupancy: f64,
    /// Nodes that could be taken from it: how dear that would be, rank, id.
    pub(crate) stealable: BTreeSet<(u8, u32, u32)>,
    pub(crate) alive: f64,
    free: Vec<u32>,
    ready: BinaryHeap<Reverse<(u32, u32)>>,
    /// When its connection is free to receive, and to send.
    pub(crate) receives: f64,
    pub(crate) sends: f64,
}

pub(crate) struct Run<'a> {
    pub(crate) dag: &'a Dag,
    pub(crate) costs: &'a Costs<'a>,
    pub(crate) cluster: &'a Cluster,
    pub(crate) plan: &'a Plan<'a>,
    pub(crate) now: f64,
    pub(crate) workers: Vec<Worker>,
    /// By value: the workers that have it or will, and since when.
    pub(crate) copies: Vec<Vec<(u32, f64)>>,
    pub(crate) groups: Groups,
    /// Nodes that wait for a worker with room.
    pub(crate) queue: BinaryHeap<Reverse<(u32, u32)>>,
    /// What workers take nodes from, if they do instead of being sent them.
    pub(crate) pool: Option<Pool>,
    pub(crate) schedule: Schedule,
    /// What each node adds to its worker's occupancy.
    weight: Vec<f64>,
    events: BinaryHeap<Reverse<(u64, u32)>>,
    happening: Vec<Event>,
    inputs_left: Vec<u32>,
    pub(crate) users_left: Vec<u32>,
    is_balancing: bool,
}

/// Seconds between two looks at who has too much work.
const BALANCE_EVERY: f64 = 0.1;

impl<'a> Run<'a> {
    pub(crate) fn new(
        dag: &'a Dag,
        costs: &'a Costs<'a>,
        cluster: &'a Cluster,
        plan: &'a Plan<'a>,
    ) -> Self {
        let nodes = dag.len();
        let worker = |&threads: &u32| Worker {
            threads,
            processing: 0,
            occupancy: 0.0,
            stealable: BTreeSet::new(),
            alive: 0.0,
            free: (0..threads).rev().collect(),
            ready: BinaryHeap::new(),
            receives: 0.0,
            sends: 0.0,
        };
        Self {
            dag,
            costs,
            cluster,
            plan,
            now: 0.0,
            workers: cluster.threads.iter().map(worker).collect(),
            copies: vec![Vec::new(); nodes],
            groups: Groups::new(dag, costs.seconds, plan.group),
            queue: BinaryHeap::new(),
            pool: None,
            schedule: Schedule {
                makespan: 0.0,
                worker: vec![NONE; nodes],
                thread: vec![NONE; nodes],
                start: vec![f64::INFINITY; nodes],
                busy: vec![0.0; cluster.len()],
                peak: vec![0.0; cluster.len()],
                moved: 0.0,
            },
            weight: vec![0.0; nodes],
            events: BinaryHeap::new(),
            happening: Vec::new(),
            inputs_left: (0..nodes as u32)
                .map(|node| dag.dependencies.row_len(node))
                .collect(),
            users_left: (0..nodes as u32)
                .map(|node| dag.dependents.row_len(node))
                .collect(),
            is_balancing: false,
        }
    }

    pub(crate) fn finish(mut self, pool: Option<Pool>) -> Schedule {
        self.pool = pool;
        let roots = (0..self.dag.len() as u32).filter(|&i| self.inputs_left[i as usize] == 0);
        let roots = roots.collect();
        self.send(roots, 0);
        while let Some(Reverse((time, id))) = self.events.pop() {
            self.now = f64::from_bits(time);
            match self.happening[id as usize] {
                Event::Ready { node, worker } => self.ready(node, worker),
                Event::Done { node } => self.done(node),
                Event::Balance => {
                    self.is_balancing = false;
                    self.balance();
                }
            }
        }
        self.schedule
    }

    /// Times are not negative, so their bits compare as they do.
    fn at(&mut self, time: f64, event: Event) {
        self.events
            .push(Reverse((time.to_bits(), self.happening.len() as u32)));
        self.happening.push(event);
    }

    /// Sends nodes whose inputs exist to workers, and fills these with what waits, `first` first.
    fn send(&mut self, mut nodes: Vec<u32>, first: u32) {
        if self.pool.is_some() {
            self.offer(&nodes);
            self.pull(first);
            return;
        }
        nodes.sort_unstable_by_key(|&node| self.plan.rank[node as usize]);
        for node in nodes {
            match self.decide(node) {
                Some(worker) => self.assign(node, worker),
                None => self
                    .queue
                    .push(Reverse((self.plan.rank[node as usize], node))),
            }
        }
        while let Some(&Reverse((_, node))) = self.queue.peek() {
            let Some(worker) = self.with_room() else {
                break;
            };
            self.queue.pop();
            self.assign(node, worker);
        }
        if !self.is_balancing
            && self
                .workers
                .iter()
                .any(|worker| !worker.stealable.is_empty())
        {
            self.is_balancing = true;
            let tick = (self.now / BALANCE_EVERY).floor() + 1.0;
            self.at(tick * BALANCE_EVERY, Event::Balance);
        }
    }

    /// Sends a node to a worker, which fetches what it lacks.
    pub(crate) fn assign(&mut self, node: u32, worker: u32) {
        let expected = self.groups.seconds(node) + self.fetching(node, worker);
        self.weight[node as usize] = expected;
        let state = &mut self.workers[worker as usize];
        state.processing += 1;
        state.occupancy += expected;
        if let Some(level) = self.steal_level(node) {
            let rank = self.plan.rank[node as usize];
            self.workers[worker as usize]
                .stealable
                .insert((level, rank, node));
        }
        self.schedule.worker[node as usize] = worker;
        let dag = self.dag;
        let mut time = self.now;
        for &input in dag.dependencies(node) {
            time = time.max(self.fetch(input, worker));
        }
        if time > self.now {
            self.at(time, Event::Ready { node, worker });
        } else {
            self.ready(node, worker);
        }
    }

    /// Takes a node that has not begun off its worker.
    pub(crate) fn withdraw(&mut self, node: u32) {
        let worker = &mut self.workers[self.schedule.worker[node as usize] as usize];
        worker.processing -= 1;
        worker.occupancy = (worker.occupancy - self.weight[node as usize]).max(0.0);
    }

    fn ready(&mut self, node: u32, worker: u32) {
        let rank = self.plan.rank[node as usize];
        self.workers[worker as usize]
            .ready
            .push(Reverse((rank, node)));
        self.start(worker);
    }

    /// Runs what is ready on the free threads of a worker.
    fn start(&mut self, worker: u32) {
        let i = worker as usize;
        while !self.workers[i].free.is_empty() {
            let Some(Reverse((rank, node))) = self.workers[i].ready.pop() else {
                break;
            };
            let n = node as usize;
            if self.schedule.worker[n] != worker || self.schedule.start[n] <= self.now {
                continue; // taken away, or back again and running
            }
            if let Some(level) = self.steal_level(node) {
                self.workers[i].stealable.remove(&(level, rank, node));
            }
            self.schedule.thread[n] = self.workers[i].free.pop().expect("a free thread");
            self.schedule.start[n] = self.now;
            self.schedule.busy[i] += self.costs.seconds[n];
            self.hold(worker, self.costs.bytes[n]);
            self.at(self.now + self.costs.seconds[n], Event::Done { node });
        }
    }

    fn done(&mut self, node: u32) {
        let worker = self.schedule.worker[node as usize];
        self.withdraw(node);
        self.workers[worker as usize]
            .free
            .push(self.schedule.thread[node as usize]);
        self.schedule.makespan = self.schedule.makespan.max(self.now);
        self.copies[node as usize].push((worker, self.now));
        let dag = self.dag;
        for &input in dag.dependencies(node) {
            self.users_left[input as usize] -= 1;
            self.release(input);
        }
        self.release(node);
        let mut runnable = Vec::new();
        for &user in dag.dependents(node) {
            self.inputs_left[user as usize] -= 1;
            if self.inputs_left[user as usize] == 0 {
                runnable.push(user);
            }
        }
        self.send(runnable, worker);
        self.start(worker);
    }
}
