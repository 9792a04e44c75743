//! Packing: chains of tasks that become one Dask task, since each task costs the scheduler time.

use crate::{Dag, NONE};

impl Dag {
    /// The maximal chains of at least two nodes that only feed each other.
    ///
    /// A chain grows upwards from its last node. A *candidate* is a node whose consumers are all in
    /// the chain; it is no output, has the chain's color and may be packed. If a link leaves exactly
    /// one candidate, that one joins. With two or more the chain ends, so that branches that can run
    /// side by side stay so; this is the only guard against lost parallelism. Chains come in the
    /// order of their first members. Linear in nodes and edges.
    pub fn chains(&self, packable: &[bool], color: &[u32], output: &[bool]) -> Vec<Vec<u32>> {
        assert_eq!(
            packable.len(),
            self.len(),
            "one entry of `packable` per node"
        );
        assert_eq!(color.len(), self.len(), "one color per node");
        assert_eq!(output.len(), self.len(), "one entry of `output` per node");

        let mut growing = Growing::new(self);
        let mut beginning_at = vec![Vec::new(); self.len()];
        let mut joined = vec![false; self.len()];
        for &last in self.order().iter().rev() {
            if !packable[last as usize] || joined[last as usize] {
                continue;
            }
            let may_join = |node: u32| {
                let i = node as usize;
                !output[i] && packable[i] && color[i] == color[last as usize]
            };
            let mut chain = vec![last];
            let mut link = last;
            while let Some(only) = growing.only_candidate(last, link, may_join) {
                joined[only as usize] = true;
                chain.push(only);
                link = only;
            }
            if chain.len() > 1 {
                chain.reverse();
                beginning_at[link as usize] = chain;
            }
        }
        let at = |&node: &u32| std::mem::take(&mut beginning_at[node as usize]);
        let found = self.order().iter().map(at);
        found.filter(|chain| !chain.is_empty()).collect()
    }
}

/// What chains need to know of the nodes above them while they grow.
struct Growing<'a> {
    dag: &'a Dag,
    /// The last node of the chain that reached a node first; no other can hold all its consumers.
    reached_by: Vec<u32>,
    /// How many of a node's consumers are not in that chain.
    outside: Vec<usize>,
}

impl<'a> Growing<'a> {
    fn new(dag: &'a Dag) -> Self {
        let nodes = 0..dag.len() as u32;
        Self {
            dag,
            reached_by: vec![NONE; dag.len()],
            outside: nodes.map(|node| dag.dependents(node).len()).collect(),
        }
    }

    /// Tells the nodes above its new `link` of the chain; returns the candidate if there is one.
    fn only_candidate(
        &mut self,
        last: u32,
        link: u32,
        may_join: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let mut candidates = Vec::new();
        for &input in self.dag.dependencies(link) {
            let (by, outside) = (
                &mut self.reached_by[input as usize],
                &mut self.outside[input as usize],
            );
            if *by == NONE {
                *by = last;
            }
            if *by == last {
                *outside -= 1;
                if *outside == 0 && may_join(input) {
                    candidates.push(input);
                }
            }
        }
        match candidates[..] {
            [only] => Some(only),
            _ => None,
        }
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
    fn a_value_that_only_its_own_chain_uses_joins_it() {
        //  0 -> 1 -> 2 -> 3        a model, what it predicts, and their score
        //  '---------'
        let dag = graph(&[&[], &[0], &[0, 1], &[2]]);
        assert_eq!(dag.chains(&[YES; 4], &[0; 4], &[NO; 4]), [[0, 1, 2, 3]]);
        //  the same, but two predictions that could run side by side
        let dag = graph(&[&[], &[0], &[0], &[0, 1, 2], &[3]]);
        assert_eq!(dag.chains(&[YES; 5], &[0; 5], &[NO; 5]), [[3, 4]]);
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
            // What could join the links from one on, of the nodes above that one.
            let candidates = |links: &[u32]| -> Vec<u32> {
                (0..dag.len() as u32)
                    .filter(|&i| dag.dependents(i).contains(&links[0]))
                    .filter(|&i| dag.dependents(i).iter().all(|user| links.contains(user)))
                    .filter(|&i| !output[i as usize] && able[i as usize])
                    .filter(|&i| color[i as usize] == color[links[0] as usize])
                    .collect()
            };
            let mut alone = vec![true; dag.len()];
            for chain in &chains {
                chain.iter().for_each(|&node| alone[node as usize] = false);
                for at in 1..chain.len() {
                    prop_assert_eq!(candidates(&chain[at..]), [chain[at - 1]]);
                }
                prop_assert_ne!(candidates(chain).len(), 1);
            }
            for node in (0..dag.len() as u32).filter(|&i| alone[i as usize] && able[i as usize]) {
                prop_assert_ne!(candidates(&[node]).len(), 1);
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
