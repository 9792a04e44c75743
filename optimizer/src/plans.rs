//! Plans: several placements are made and simulated, and the best one is chosen.

use crate::cluster::{Cluster, Costs};
use crate::pull::Pool;
use crate::run::Run;
use crate::simulate::{Plan, Schedule};
use crate::{Dag, NONE};

/// Where and in which order nodes should run, and what that is predicted to give.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The worker that each node is meant for; all `NONE` if Dask places no worse by itself.
    pub worker: Vec<u32>,
    /// The order in which workers should take nodes.
    pub rank: Vec<u32>,
    /// What is predicted of it.
    pub schedule: Schedule,
    /// What is predicted without it.
    pub stock: Schedule,
}

/// How many seconds of waiting a second of moving is worth: what is tried.
const PRICES: [f64; 4] = [1.0, 8.0, 32.0, 128.0];
/// How often the gap is halved between the dearest moving that is soon enough and the next one.
const HALVINGS: u32 = 2;
/// In graphs with more nodes only one price is tried, for the time that planning takes.
const LARGE: usize = 20_000;
/// As near to the floor as this share, the order is good enough.
const NEAR: f64 = 0.05;
/// Schedules longer than Dask's by this share are no longer: estimates are no better.
const TOLERANCE: f64 = 0.01;
/// What moving as much as Dask counts, in makespans.
const MOVING: f64 = 0.5;
/// A plan that saves less than this share of Dask's time is not worth having wishes.
const WORTH: f64 = 0.05;
/// Nor one whose bytes that do not move would have taken less than this share of it to move.
const WORTH_MOVING: f64 = 0.005;

impl Dag {
    /// Finds a placement that is predicted to be better than what Dask does by itself, if any.
    ///
    /// Several are made, with moving more or less dear, and simulated under Dask's rules; more of them
    /// around the price from which on they take too long, since there least is moved. In the order `rank`, and if that is far from the least possible time, with the longest remaining
    /// chain first. Those are left that take no longer than Dask's own schedule, and need no more
    /// memory than there is (or than Dask would); of these the best has the least sum of its
    /// makespan and half of what it moves, both as shares of Dask's. One of them only orders nodes,
    /// the longest remaining chain first, and leaves the place to Dask. What saves next to nothing
    /// is left to Dask altogether: wishes stand in the way when things go otherwise.
    pub fn best_placement(
        &self,
        costs: &Costs<'_>,
        cluster: &Cluster,
        rank: &[u32],
        group: &[u32],
    ) -> Placement {
        let run = |worker: Vec<u32>, rank: Vec<u32>| {
            let plan = Plan {
                rank: &rank,
                group,
                worker: &worker,
            };
            let schedule = self.simulate(costs, cluster, &plan);
            (worker, rank, schedule)
        };
        let (nowhere, _, stock) = run(vec![NONE; self.len()], rank.to_vec());
        let prices = match (self.len(), cluster.len()) {
            (_, 1) => &PRICES[..0],
            (nodes, _) if nodes > LARGE => &PRICES[1..2],
            _ => &PRICES,
        };
        let chained = self.chain_rank(costs.seconds, rank);
        let is_soon = |ours: &Schedule| ours.makespan <= stock.makespan * (1.0 + TOLERANCE);
        let mut tried = Vec::new();
        let mut try_order = |rank: &[u32]| {
            let mut is_soon_at = |price: f64| {
                let (worker, rank) = self.place(costs, cluster, rank, group, price);
                let one = run(worker, rank);
                let soon = is_soon(&one.2);
                tried.push(one);
                soon
            };
            let soon: Vec<bool> = prices.iter().map(|&price| is_soon_at(price)).collect();
            let last = soon
                .iter()
                .rposition(|&soon| soon)
                .filter(|&i| i + 1 < prices.len());
            if let Some(i) = last {
                let (mut soon, mut late) = (prices[i], prices[i + 1]);
                for _ in 0..HALVINGS {
                    let middle = (soon * late).sqrt();
                    *(if is_soon_at(middle) {
                        &mut soon
                    } else {
                        &mut late
                    }) = middle;
                }
            }
            tried
                .iter()
                .map(|one| one.2.makespan)
                .fold(f64::INFINITY, f64::min)
        };
        let shortest = try_order(rank);
        if shortest > self.floor(costs.seconds, cluster) * (1.0 + NEAR) {
            try_order(&chained);
        }
        tried.push(run(nowhere.clone(), chained));
        tried.push((nowhere, rank.to_vec(), stock.clone()));
        let filled = |schedule: &Schedule| {
            let shares = schedule
                .peak
                .iter()
                .zip(&cluster.memory)
                .map(|(peak, all)| peak / all);
            shares.fold(0.0, f64::max)
        };
        let most = filled(&stock).max(1.0);
        let good = tried
            .into_iter()
            .filter(|(_, _, schedule)| is_soon(schedule) && filled(schedule) <= most);
        let share = |ours: f64, dasks: f64| {
            if dasks > 0.0 {
                ours / dasks
            } else {
                ours.min(1.0)
            }
        };
        let measure = |schedule: &Schedule| {
            share(schedule.makespan, stock.makespan) + MOVING * share(schedule.moved, stock.moved)
        };
        let is_worth = |ours: &Schedule| {
            let unmoved = cluster.wire(0, cluster.len() as u32 - 1, stock.moved - ours.moved);
            stock.makespan - ours.makespan > WORTH * stock.makespan
                || unmoved > WORTH_MOVING * stock.makespan
                || *ours == stock
        };
        let good = good.filter(|one| is_worth(&one.2));
        let best = good.reduce(|a, b| if measure(&b.2) < measure(&a.2) { b } else { a });
        let (worker, rank, schedule) = best.expect("Dask's own is as good as itself");
        Placement {
            worker,
            rank,
            schedule,
            stock,
        }
    }

    /// The worker for each node by pulling, where moving is `price` times as dear as waiting, and
    /// the order in which they then begin.
    fn place(
        &self,
        costs: &Costs<'_>,
        cluster: &Cluster,
        rank: &[u32],
        group: &[u32],
        price: f64,
    ) -> (Vec<u32>, Vec<u32>) {
        let worker = vec![NONE; self.len()];
        let plan = Plan {
            rank,
            group,
            worker: &worker,
        };
        let pool = Pool::new(self, costs.seconds, cluster.len(), price);
        let ran = Run::new(self, costs, cluster, &plan).finish(Some(pool));
        let mut nodes = self.order().to_vec();
        nodes.sort_by(|&a, &b| {
            let (i, j) = (a as usize, b as usize);
            ran.start[i]
                .total_cmp(&ran.start[j])
                .then(rank[i].cmp(&rank[j]))
        });
        let mut begins = vec![0; self.len()];
        for (place, &node) in (0..).zip(&nodes) {
            begins[node as usize] = place;
        }
        (ran.worker, begins)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{clusters, dags, graph, per_node, uniform};

    const SECOND: [f64; 9] = [1.0; 9];
    const IDS: [u32; 9] = [0, 1, 2, 3, 4, 5, 6, 7, 8];

    fn place(rows: &[&[u32]], bytes: &[f64], cluster: &Cluster) -> Vec<u32> {
        let dag = graph(rows);
        let nodes = dag.len();
        let output: Vec<bool> = (0..nodes as u32)
            .map(|i| dag.dependents(i).is_empty())
            .collect();
        let costs = Costs {
            seconds: &SECOND[..nodes],
            bytes,
            output: &output,
        };
        dag.place(&costs, cluster, &IDS[..nodes], &IDS[..nodes], 1.0)
            .0
    }

    #[test]
    fn users_go_where_big_values_are() {
        //  0 -> 1 (big) -> 3, 4      2 (big) -> 5, 6
        let rows: &[&[u32]] = &[&[], &[0], &[0], &[1], &[1], &[2], &[2]];
        let worker = place(rows, &[1., 50., 50., 1., 1., 1., 1.], &uniform(2, 1, 10.0));
        assert_ne!(worker[1], worker[2]);
        assert_eq!(worker[3..5], [worker[1]; 2]);
        assert_eq!(worker[5..7], [worker[2]; 2]);
    }

    #[test]
    fn a_chain_stays_on_one_worker() {
        let rows: &[&[u32]] = &[&[], &[0], &[1], &[2]];
        let worker = place(rows, &[1.0; 4], &uniform(4, 2, 1e9));
        assert_eq!(worker, [worker[0]; 4]);
    }

    #[test]
    fn nothing_moves_to_a_full_worker() {
        let rows: &[&[u32]] = &[&[], &[0], &[0], &[0], &[0]];
        let mut cluster = uniform(2, 1, 1e9);
        assert_ne!(place(rows, &[8., 1., 1., 1., 1.], &cluster), [0; 5]);
        cluster.memory = vec![20.0, 5.0];
        assert_eq!(place(rows, &[8., 1., 1., 1., 1.], &cluster), [0; 5]);
    }

    #[test]
    fn nothing_moves_that_takes_longer_than_the_wait() {
        let rows: &[&[u32]] = &[&[], &[0], &[0], &[0], &[0]];
        let worker = place(rows, &[50., 1., 1., 1., 1.], &uniform(2, 1, 10.0));
        assert_eq!(worker, [0; 5]);
    }

    #[test]
    fn on_one_worker_the_longest_chain_comes_first() {
        // 0 ... 3 by themselves      4 -> 5 -> 6 -> 7
        let rows: &[&[u32]] = &[&[], &[], &[], &[], &[], &[4], &[5], &[6]];
        let costs = Costs {
            seconds: &SECOND[..8],
            bytes: &[0.0; 8],
            output: &[true; 8],
        };
        let cluster = uniform(1, 2, 1e9);
        let best = graph(rows).best_placement(&costs, &cluster, &IDS[..8], &IDS[..8]);
        assert_eq!(best.worker, [NONE; 8]);
        assert_eq!((best.schedule.makespan, best.stock.makespan), (4.0, 6.0));
        assert!(best.rank[4] < 2);
    }

    #[test]
    fn what_saves_next_to_nothing_is_left_to_dask() {
        let rows: &[&[u32]] = &[&[], &[0], &[0], &[1], &[1], &[2], &[2]];
        let placed = |bytes: f64| {
            let costs = Costs {
                seconds: &SECOND[..7],
                bytes: &[bytes; 7],
                output: &[false; 7],
            };
            graph(rows).best_placement(
                &costs,
                &uniform(2, 1, 10.0),
                &IDS[..7],
                &[0, 1, 1, 2, 2, 2, 2],
            )
        };
        let dear = placed(5.0);
        assert!(dear.schedule == dear.stock || dear.worker.iter().all(|&worker| worker != NONE));
        let cheap = placed(1e-6);
        assert_eq!(cheap.worker, [NONE; 7]);
        assert_eq!(cheap.schedule, cheap.stock);
        assert_eq!(cheap.rank, IDS[..7]);
    }

    #[test]
    fn as_little_moves_as_the_time_allows() {
        // A table, ten variants of it, fifty users of each; sixteen workers.
        let rows: Vec<Vec<u32>> = (0..511)
            .map(|i| match i {
                0 => vec![],
                1..=10 => vec![0],
                _ => vec![1 + (i - 11) / 50],
            })
            .collect();
        let dag = crate::testing::try_graph(&rows).unwrap();
        let group: Vec<u32> = (0..511)
            .map(|i| u32::from(i > 0) + u32::from(i > 10))
            .collect();
        let of_group = |values: [f64; 3]| -> Vec<f64> {
            group.iter().map(|&one| values[one as usize]).collect()
        };
        let rank: Vec<u32> = {
            let mut rank = vec![0; 511];
            let variants =
                (0..10).flat_map(|i| std::iter::once(1 + i).chain(11 + 50 * i..61 + 50 * i));
            for (place, node) in (1..).zip(variants) {
                rank[node as usize] = place;
            }
            rank
        };
        let bytes = of_group([1.28e6, 1.76e6, 24.0]);
        let output: Vec<bool> = group.iter().map(|&one| one == 2).collect();
        for fit in [0.0036, 0.0042, 0.0048] {
            let seconds = of_group([0.047, 0.008, fit]);
            let costs = Costs {
                seconds: &seconds,
                bytes: &bytes,
                output: &output,
            };
            let best = dag.best_placement(&costs, &uniform(16, 1, 1e8), &rank, &group);
            let (ours, stock) = (&best.schedule, &best.stock);
            assert!(
                ours.moved * 1.9 < stock.moved,
                "{fit}: {} {}",
                ours.moved,
                stock.moved
            );
            assert!(
                ours.makespan <= stock.makespan,
                "{fit}: {} {}",
                ours.makespan,
                stock.makespan
            );
        }
    }

    proptest! {
        #[test]
        fn the_best_takes_about_as_long_as_dask_at_most(
            (dag, nodes) in per_node(dags(), (0u32..4, 0u32..9, any::<bool>(), 0u32..3)),
            cluster in clusters(),
        ) {
            let seconds: Vec<f64> = nodes.iter().map(|node| f64::from(node.0) / 2.0).collect();
            let bytes: Vec<f64> = nodes.iter().map(|node| f64::from(node.1)).collect();
            let output: Vec<bool> = nodes.iter().map(|node| node.2).collect();
            let group: Vec<u32> = nodes.iter().map(|node| node.3).collect();
            let mut rank = vec![0; dag.len()];
            for (place, &node) in (0..).zip(dag.order()) {
                rank[node as usize] = place;
            }
            let costs = Costs { seconds: &seconds, bytes: &bytes, output: &output };
            let best = dag.best_placement(&costs, &cluster, &rank, &group);
            let (worker, rank) = (&best.worker, &best.rank);
            let plan = Plan { rank, group: &group, worker };
            prop_assert_eq!(&dag.simulate(&costs, &cluster, &plan), &best.schedule);
            prop_assert!(best.schedule.makespan <= best.stock.makespan * (1.0 + TOLERANCE));
            let workers = cluster.len() as u32;
            let placed = best.worker.iter().all(|&worker| worker < workers);
            prop_assert!(placed || best.worker.iter().all(|&worker| worker == NONE));
            let mut ranks = best.rank.clone();
            ranks.sort_unstable();
            prop_assert!(ranks.iter().copied().eq(0..dag.len() as u32));
        }
    }
}
