//! Simulation: how a graph would run on a cluster.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use crate::cluster::{Cluster, Costs};
use crate::pull::Pool;
use crate::{Dag, NONE};

/// What a scheduler is told of each node; one entry per node.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// Of the nodes that could run, that with the lowest rank does.
    pub rank: &'a [u32],
    /// Nodes of one group have one name: schedulers expect the same of them.
    pub group: &'a [u32],
    /// The worker that a node is meant for, `NONE` where the scheduler decides.
    pub worker: &'a [u32],
}

/// How a graph ran; one entry per node unless said otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// When the last node finished, in seconds.
    pub makespan: f64,
    /// Where each node ran.
    pub worker: Vec<u32>,
    /// On which of its worker's threads.
    pub thread: Vec<u32>,
    /// When it began, in seconds.
    pub start: Vec<f64>,
    /// By worker: the seconds in which its threads ran nodes.
    pub busy: Vec<f64>,
    /// By worker: the most bytes that it held.
    pub peak: Vec<f64>,
    /// Bytes that moved between workers.
    pub moved: f64,
}

impl Dag {
    /// Runs the graph as `distributed` would, event by event.
    ///
    /// Nodes go to a worker as soon as all their inputs exist: to the one they are meant for, else to
    /// where Dask sends them. Inputs are fetched at once, one after the other over each worker's
    /// connection, and stay until their last use anywhere. Workers without work take it from
    /// others by Dask's rules, but not what is meant for one. Deterministic.
    ///
    /// # Panics
    ///
    /// If a slice has a wrong length, or a worker does not exist.
    pub fn simulate(&self, costs: &Costs<'_>, cluster: &Cluster, plan: &Plan<'_>) -> Schedule {
        costs.check(self.len());
        cluster.check();
        assert_eq!(plan.rank.len(), self.len(), "one rank per node");
        assert_eq!(plan.group.len(), self.len(), "one group per node");
        assert_eq!(plan.worker.len(), self.len(), "one worker per node");
        Run::new(self, costs, cluster, plan).finish(None)
    }
}

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
    pub(crate) groups: crate::stock::Groups,
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
            groups: crate::stock::Groups::new(dag, costs.seconds, plan.group),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{clusters, dags, graph, per_node, uniform};

    /// Five nodes of a second each: one, then three side by side, then one that takes them all.
    fn fan() -> Dag {
        graph(&[&[], &[0], &[0], &[0], &[1, 2, 3]])
    }

    const ORDER: [u32; 5] = [0, 1, 2, 3, 4];

    #[test]
    fn values_move_once_to_each_worker_and_take_time() {
        let (dag, cluster) = (fan(), uniform(3, 1, 10.0));
        let costs = Costs {
            seconds: &[1.0; 5],
            bytes: &[20., 5., 5., 5., 1.],
            output: &[false, false, false, false, true],
        };
        let plan = Plan {
            rank: &ORDER,
            group: &ORDER,
            worker: &[0, 0, 1, 2, 0],
        };
        let schedule = dag.simulate(&costs, &cluster, &plan);
        // 20 bytes take 2 seconds, and worker 0 sends one after the other; what the last node needs
        // is fetched when all of it exists, each half a second.
        assert_eq!(schedule.start, [0., 1., 3., 5., 7.]);
        assert_eq!((schedule.makespan, schedule.moved), (8., 50.));
        assert_eq!(schedule.busy, [3., 1., 1.]);
        assert_eq!(schedule.peak, [25., 25., 25.]);
    }

    #[test]
    fn dask_keeps_nodes_where_their_inputs_are_until_others_have_nothing_to_do() {
        let rows: Vec<Vec<u32>> = (0..101)
            .map(|i| if i == 0 { vec![] } else { vec![0] })
            .collect();
        let dag = crate::testing::try_graph(&rows).unwrap();
        let group: Vec<u32> = (0..101).map(|i| u32::from(i > 0)).collect();
        let rank: Vec<u32> = (0..101).collect();
        let costs = Costs {
            seconds: &[1.0; 101],
            bytes: &[1.0; 101],
            output: &[false; 101],
        };
        let plan = Plan {
            rank: &rank,
            group: &group,
            worker: &[NONE; 101],
        };
        // A group of many on one value is handed out node by node.
        let schedule = dag.simulate(&costs, &uniform(2, 1, 1e9), &plan);
        assert!(schedule.makespan < 52.1, "{}", schedule.makespan);
        // Each in a group of its own stays with its input, and is then stolen.
        let plan = Plan {
            group: &rank,
            ..plan
        };
        let schedule = dag.simulate(&costs, &uniform(2, 1, 1e9), &plan);
        assert!(schedule.makespan < 60.0, "{}", schedule.makespan);
        assert_eq!(schedule.moved, 1.0);
    }

    proptest! {
        #[test]
        fn schedules_are_possible(
            (dag, nodes) in per_node(
                dags(),
                (0u32..4, 0u32..4, any::<bool>(), 0u32..3, prop::option::of(0u32..4)),
            ),
            cluster in clusters(),
        ) {
            let seconds: Vec<f64> = nodes.iter().map(|node| f64::from(node.0) / 2.0).collect();
            let bytes: Vec<f64> = nodes.iter().map(|node| f64::from(node.1)).collect();
            let output: Vec<bool> = nodes.iter().map(|node| node.2).collect();
            let group: Vec<u32> = nodes.iter().map(|node| node.3).collect();
            let worker: Vec<u32> = nodes
                .iter()
                .map(|node| node.4.map_or(NONE, |worker| worker % cluster.len() as u32))
                .collect();
            let rank: Vec<u32> = (0..dag.len() as u32).collect();
            let costs = Costs { seconds: &seconds, bytes: &bytes, output: &output };
            let plan = Plan { rank: &rank, group: &group, worker: &worker };
            let ran = dag.simulate(&costs, &cluster, &plan);
            let end = |i: usize| ran.start[i] + seconds[i];
            let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
            let mut needed = std::collections::BTreeMap::new();
            for user in 0..dag.len() {
                for &input in dag.dependencies(user as u32) {
                    let i = input as usize;
                    let (from, to) = (ran.worker[i], ran.worker[user]);
                    let wire = if from == to { 0.0 } else {
                        needed.insert((i, to), bytes[i]);
                        cluster.latency
                    };
                    prop_assert!(ran.start[user] + 1e-9 >= end(i) + wire);
                }
                for other in 0..user {
                    let same = (ran.worker[user], ran.thread[user])
                        == (ran.worker[other], ran.thread[other]);
                    prop_assert!(
                        !same
                            || ran.start[user] + 1e-9 >= end(other)
                            || ran.start[other] + 1e-9 >= end(user)
                    );
                }
            }
            // What was stolen may have been fetched twice.
            prop_assert!(ran.moved + 1e-9 >= needed.values().sum::<f64>());
            prop_assert!(close(ran.makespan, (0..dag.len()).map(end).fold(0.0, f64::max)));
            prop_assert!(ran.makespan + 1e-9 >= dag.floor(&seconds, &cluster));
            prop_assert!(close(ran.busy.iter().sum(), seconds.iter().sum()));
            if cluster.len() == 1 && cluster.threads[0] == 1 {
                prop_assert!(close(ran.makespan, seconds.iter().sum()));
                prop_assert_eq!(ran.moved, 0.0);
            }
        }

        #[test]
        fn one_thread_holds_what_its_order_needs(
            (dag, nodes) in per_node(dags(), (1u32..4, 0u32..4, any::<bool>())),
        ) {
            let seconds: Vec<f64> = nodes.iter().map(|node| f64::from(node.0)).collect();
            let bytes: Vec<f64> = nodes.iter().map(|node| f64::from(node.1)).collect();
            let output: Vec<bool> = nodes.iter().map(|node| node.2).collect();
            let rank: Vec<u32> = (0..dag.len() as u32).collect();
            let costs = Costs { seconds: &seconds, bytes: &bytes, output: &output };
            let plan = Plan { rank: &rank, group: &rank, worker: &vec![0; dag.len()] };
            let ran = dag.simulate(&costs, &uniform(1, 1, 1.0), &plan);
            let mut order = rank.clone();
            order.sort_by(|&a, &b| ran.start[a as usize].total_cmp(&ran.start[b as usize]));
            prop_assert_eq!(ran.peak[0], dag.peak(&order, &output, &bytes));
        }
    }
}
