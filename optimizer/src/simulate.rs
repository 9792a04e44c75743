//! Simulation: how a graph would run on a cluster.

use crate::Dag;
use crate::cluster::{Cluster, Costs};
use crate::run::Run;

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::NONE;
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
