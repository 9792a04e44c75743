//! Packing: chains of tasks that become one Dask task, since each task costs the scheduler time.

use crate::{Dag, NONE};

impl Dag {
    /// The maximal chains of at least two nodes, each the only consumer of the one before.
    ///
    /// A *candidate* of node `v` is a dependency that has no other consumer, is no output, has
    /// `v`'s color and, like `v`, may be packed. If `v` has exactly one candidate, that one and `v`
    /// are links of a chain. With two candidates or more none is, so that branches that can run
    /// side by side stay so; this is the only guard against lost parallelism. Chains come in the
    /// order of their first members.
    pub fn chains(&self, packable: &[bool], color: &[u32], output: &[bool]) -> Vec<Vec<u32>> {
        assert_eq!(
            packable.len(),
            self.len(),
            "one entry of `packable` per node"
        );
        assert_eq!(color.len(), self.len(), "one color per node");
        assert_eq!(output.len(), self.len(), "one entry of `output` per node");

        let mut next = vec![NONE; self.len()];
        let mut is_first = vec![true; self.len()];
        for node in (0..self.len() as u32).filter(|&node| packable[node as usize]) {
            let mut candidates = self.dependencies(node).iter().filter(|&&input| {
                let i = input as usize;
                self.dependents(input).len() == 1
                    && !output[i]
                    && packable[i]
                    && color[i] == color[node as usize]
            });
            if let (Some(&only), None) = (candidates.next(), candidates.next()) {
                next[only as usize] = node;
                is_first[node as usize] = false;
            }
        }

        let begins = |&&node: &&u32| is_first[node as usize] && next[node as usize] != NONE;
        self.order()
            .iter()
            .filter(begins)
            .map(|&first| {
                let link = |&node: &u32| Some(next[node as usize]).filter(|&user| user != NONE);
                std::iter::successors(Some(first), link).collect()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::testing::{Labelled, assert_contracts, graph, labelled, relabelled, sorted_groups};

    const NO: bool = false;
    const YES: bool = true;

    #[test]
    fn a_chain_is_packed_up_to_the_output() {
        //  0 -> 1 -> 2 (output) -> 3 -> 4
        let dag = graph(&[&[], &[0], &[1], &[2], &[3]]);
        let output = [NO, NO, YES, NO, YES];
        let chains = dag.chains(&[YES; 5], &[0; 5], &output);
        assert_eq!(chains, [vec![0, 1, 2], vec![3, 4]]);
    }

    #[test]
    fn parallel_branches_stay_parallel() {
        //  0 -> 1 -.
        //          +-> 4 -> 5
        //  2 -> 3 -'
        let dag = graph(&[&[], &[0], &[], &[2], &[1, 3], &[4]]);
        let chains = dag.chains(&[YES; 6], &[0; 6], &[NO; 6]);
        assert_eq!(chains, [[0, 1], [2, 3], [4, 5]]);
    }

    #[test]
    fn shared_inputs_do_not_hinder() {
        //  0 -----.-> 2 -> 3        0 is shared by 2 and 4, 1 is used by 2 alone
        //  1 -----'
        //  0 -------> 4
        let dag = graph(&[&[], &[], &[0, 1], &[2], &[0]]);
        assert_eq!(dag.chains(&[YES; 5], &[0; 5], &[NO; 5]), [[1, 2, 3]]);
    }

    #[test]
    fn colors_and_what_may_not_be_packed_cut() {
        //  0 -> 1 | 2 -> 3 -> 4 (not packable) -> 5
        let dag = graph(&[&[], &[0], &[1], &[2], &[3], &[4]]);
        let packable = [YES, YES, YES, YES, NO, YES];
        let chains = dag.chains(&packable, &[0, 0, 1, 1, 1, 1], &[NO; 6]);
        assert_eq!(chains, [[0, 1], [2, 3]]);
    }

    #[test]
    fn a_million_links_are_no_problem() {
        let nodes = 1_000_000;
        let rows: Vec<Vec<u32>> = (0..nodes)
            .map(|i: u32| i.checked_sub(1).into_iter().collect())
            .collect();
        let dag = crate::testing::try_graph(&rows).unwrap();
        let none = vec![NO; nodes as usize];
        let chains = dag.chains(&vec![YES; nodes as usize], &vec![0; nodes as usize], &none);
        assert_eq!(chains, [(0..nodes).collect::<Vec<u32>>()]);
    }

    proptest! {
        #[test]
        fn chains_keep_their_promises(case in labelled()) {
            let Labelled { dag, able, color, output } = &case;
            let chains = dag.chains(able, color, output);
            assert_contracts(dag, &chains);
            let candidates = |user: u32| -> Vec<u32> {
                (0..dag.len() as u32)
                    .filter(|&i| dag.dependents(i) == [user] && !output[i as usize])
                    .filter(|&i| able[i as usize] && able[user as usize])
                    .filter(|&i| color[i as usize] == color[user as usize])
                    .collect()
            };
            let links: Vec<(u32, u32)> =
                chains.iter().flat_map(|chain| chain.windows(2).map(|w| (w[0], w[1]))).collect();
            for user in 0..dag.len() as u32 {
                let linked = links.iter().find(|link| link.1 == user).map(|link| link.0);
                let expected = match candidates(user)[..] { [only] => Some(only), _ => None };
                prop_assert_eq!(linked, expected);
            }
        }

        #[test]
        fn the_chains_do_not_depend_on_positions((case, ids) in relabelled()) {
            let there = case.permuted(&ids);
            let chains = case.dag.chains(&case.able, &case.color, &case.output);
            let moved = there.dag.chains(&there.able, &there.color, &there.output);
            prop_assert_eq!(sorted_groups(&chains, &ids), sorted_groups(&moved, &[]));
        }
    }
}
