//! Bottlenecks: nodes beside which nothing else can run.

use crate::Dag;

impl Dag {
    /// The nodes that every other one either leads to or depends on, ascending.
    ///
    /// Nodes in `free` take no time and don't count; they must depend on nothing.
    ///
    /// ```text
    /// 0 -> 1 -> 2 -> 4        0, 1 and 4
    ///       '-> 3 -'
    /// ```
    ///
    /// In a topological order all nodes before a bottleneck lead to it exactly if each of them is
    /// used by one that comes no later than the bottleneck: following these uses ends there. All
    /// after it depend on it exactly if each of them uses one that comes no earlier.
    pub fn bottlenecks(&self, free: &[bool]) -> Vec<u32> {
        assert_eq!(free.len(), self.len(), "one flag per node");
        let counts = |&&node: &&u32| !free[node as usize];
        let order: Vec<u32> = self.order().iter().filter(counts).copied().collect();
        let mut position = vec![0; self.len()];
        for (at, &node) in order.iter().enumerate() {
            position[node as usize] = at;
        }
        // By position, the first use of each node, and the last that each node uses.
        let first_use = |&node: &u32| {
            let users = self.dependents(node).iter();
            users.map(|&user| position[user as usize]).min()
        };
        let last_used = |&node: &u32| {
            let used = self.dependencies(node).iter().filter(counts);
            used.map(|&used| position[used as usize]).max()
        };
        let mut found = vec![true; order.len()];
        let mut reached = 0; // where all before lead to
        for (at, node) in order.iter().enumerate() {
            found[at] &= reached <= at;
            reached = reached.max(first_use(node).unwrap_or(usize::MAX));
        }
        let mut reached = Some(usize::MAX); // where all after come from, if from somewhere
        for (at, node) in order.iter().enumerate().rev() {
            found[at] &= reached >= Some(at);
            reached = reached.min(last_used(node));
        }
        let mut nodes: Vec<u32> = (order.iter().zip(found))
            .filter_map(|(&node, found)| found.then_some(node))
            .collect();
        nodes.sort_unstable();
        nodes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::testing::{dags, depends_matrix, graph};

    #[test]
    fn branches_run_side_by_side() {
        //  0 -> 1 -> 2 -> 4
        //        '-> 3 -'
        let dag = graph(&[&[], &[0], &[1], &[1], &[2, 3]]);
        assert_eq!(dag.bottlenecks(&[false; 5]), [0, 1, 4]);
    }

    #[test]
    fn what_is_free_does_not_count() {
        //  0 -> 2 -> 3
        //       1 ---'
        let dag = graph(&[&[], &[], &[0], &[1, 2]]);
        assert_eq!(dag.bottlenecks(&[false; 4]), [3]);
        assert_eq!(dag.bottlenecks(&[false, true, false, false]), [0, 2, 3]);
    }

    proptest! {
        #[test]
        fn all_others_come_before_or_after(
            dag in dags(),
            free in prop::collection::vec(any::<bool>(), 32),
        ) {
            let depends = depends_matrix(&dag);
            let free: Vec<bool> = (0..dag.len() as u32)
                .map(|i| free[i as usize % 32] && dag.dependencies(i).is_empty())
                .collect();
            let counting: Vec<usize> = (0..dag.len()).filter(|&i| !free[i]).collect();
            let expected: Vec<u32> = (counting.iter())
                .filter(|&&i| counting.iter().all(|&j| i == j || depends[i][j] || depends[j][i]))
                .map(|&i| i as u32)
                .collect();
            prop_assert_eq!(dag.bottlenecks(&free), expected);
        }
    }
}
