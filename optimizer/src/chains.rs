//! Chains: how long the rest takes after each node, and what no number of workers can beat.

use crate::Dag;
use crate::cluster::Cluster;

impl Dag {
    /// The seconds of the longest chain that starts with each node, its own included.
    pub fn remaining(&self, seconds: &[f64]) -> Vec<f64> {
        assert_eq!(seconds.len(), self.len(), "one entry of `seconds` per node");
        let mut remaining = vec![0.0f64; self.len()];
        for &node in self.order().iter().rev() {
            let after = self.dependents(node).iter();
            let longest = after
                .map(|&user| remaining[user as usize])
                .fold(0.0, f64::max);
            remaining[node as usize] = seconds[node as usize] + longest;
        }
        remaining
    }

    /// The longest chain of all, from its first node to its last; of equal ones the first.
    pub fn critical_path(&self, seconds: &[f64]) -> Vec<u32> {
        let remaining = self.remaining(seconds);
        let mut path = Vec::new();
        let mut step = longest(self.order(), &remaining);
        while let Some(node) = step {
            path.push(node);
            step = longest(self.dependents(node), &remaining);
        }
        path
    }

    /// The seconds below which no schedule gets: those of the longest chain, or all divided by the
    /// tasks that run at a time.
    pub fn floor(&self, seconds: &[f64], cluster: &Cluster) -> f64 {
        let chain = self.remaining(seconds).into_iter().fold(0.0, f64::max);
        chain.max(seconds.iter().sum::<f64>() / cluster.slots())
    }

    /// Ranks by longest remaining chain, the longest first, equal ones by `position`.
    ///
    /// No node ranks before one that it depends on.
    pub fn chain_rank(&self, seconds: &[f64], position: &[u32]) -> Vec<u32> {
        let remaining = self.remaining(seconds);
        let mut depth = vec![0u32; self.len()];
        for &node in self.order() {
            let before = self.dependencies(node).iter();
            depth[node as usize] = before.map(|&d| depth[d as usize] + 1).max().unwrap_or(0);
        }
        let mut nodes = self.order().to_vec();
        nodes.sort_by(|&a, &b| {
            let (i, j) = (a as usize, b as usize);
            let longer = remaining[j].total_cmp(&remaining[i]);
            longer.then((depth[i], position[i]).cmp(&(depth[j], position[j])))
        });
        let mut rank = vec![0; self.len()];
        for (place, &node) in (0..).zip(&nodes) {
            rank[node as usize] = place;
        }
        rank
    }
}

fn longest(nodes: &[u32], remaining: &[f64]) -> Option<u32> {
    let time = |node: u32| remaining[node as usize];
    nodes
        .iter()
        .copied()
        .reduce(|best, node| if time(node) > time(best) { node } else { best })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::testing::{dags, depends_matrix, graph, per_node};

    #[test]
    fn the_longest_chain_is_that_of_the_most_seconds() {
        //  0 (1) -> 1 (5) -> 3 (1)
        //  '------> 2 (3) ---'      4 (6)
        let dag = graph(&[&[], &[0], &[0], &[1, 2], &[]]);
        let seconds = [1., 5., 3., 1., 6.];
        assert_eq!(dag.remaining(&seconds), [7., 6., 4., 1., 6.]);
        assert_eq!(dag.critical_path(&seconds), [0, 1, 3]);
        assert_eq!(dag.chain_rank(&seconds, &[0, 1, 2, 3, 4]), [0, 2, 3, 4, 1]);
    }

    proptest! {
        #[test]
        fn the_critical_path_is_a_chain_of_the_most_seconds(
            (dag, seconds) in per_node(dags(), (0u32..5).prop_map(f64::from)),
        ) {
            let path = dag.critical_path(&seconds);
            for pair in path.windows(2) {
                prop_assert!(dag.dependencies(pair[1]).contains(&pair[0]));
            }
            let mut most = vec![0.0f64; dag.len()];
            for &node in dag.order() {
                let before = dag.dependencies(node).iter().map(|&d| most[d as usize]);
                most[node as usize] = before.fold(0.0, f64::max) + seconds[node as usize];
            }
            let longest = most.iter().copied().fold(0.0, f64::max);
            prop_assert_eq!(path.iter().map(|&node| seconds[node as usize]).sum::<f64>(), longest);
        }

        #[test]
        fn ranks_follow_dependencies(
            (dag, seconds) in per_node(dags(), (0u32..3).prop_map(f64::from)),
        ) {
            let position: Vec<u32> = (0..dag.len() as u32).collect();
            let rank = dag.chain_rank(&seconds, &position);
            let depends = depends_matrix(&dag);
            for a in 0..dag.len() {
                for b in 0..dag.len() {
                    prop_assert!(!depends[a][b] || rank[b] < rank[a]);
                }
            }
        }
    }
}
