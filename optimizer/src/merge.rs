//! Merge: one node stands for all nodes of the same value.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::{Dag, NONE};

impl Dag {
    /// The representative of each node: the first in topological order with the same token.
    ///
    /// Equal tokens mean equal values. Representatives stand for themselves, and since none comes
    /// after a node that it stands for, the graph stays acyclic when dependencies are redirected.
    pub fn merge(&self, tokens: &[u128]) -> Vec<u32> {
        assert_eq!(tokens.len(), self.len(), "one token per node");
        let hasher = DefaultHashBuilder::default();
        let hash = |&node: &u32| hasher.hash_one(tokens[node as usize]);
        let mut first: HashTable<u32> = HashTable::with_capacity(self.len());
        let mut representative = vec![NONE; self.len()];
        for &node in self.order() {
            let token = tokens[node as usize];
            let same = |&other: &u32| tokens[other as usize] == token;
            let entry = first.entry(hash(&node), same, hash).or_insert(node);
            representative[node as usize] = *entry.get();
        }
        representative
    }

    /// The dependencies whose token another dependency of the same node has, too, each with that
    /// node: all but the one with the smallest id.
    pub fn doubled(&self, tokens: &[u128]) -> Vec<(u32, u32)> {
        assert_eq!(tokens.len(), self.len(), "one token per node");
        let mut found = vec![];
        let mut sorted = vec![];
        for node in 0..self.len() as u32 {
            let dependencies = self.dependencies(node);
            if dependencies.len() < 2 {
                continue;
            }
            sorted.clear();
            sorted.extend(dependencies.iter().map(|&d| (tokens[d as usize], d)));
            sorted.sort_unstable();
            let twins = sorted.windows(2).filter(|pair| pair[0].0 == pair[1].0);
            found.extend(twins.map(|pair| (node, pair[1].1)));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::testing::{assert_acyclic_after, dags, graph, per_node};

    #[test]
    fn the_first_in_topological_order_stands_for_its_twins() {
        //  3:a -> 0:b        1:a -> 2:b -> 4:c
        let dag = graph(&[&[3], &[], &[1], &[], &[2]]);
        assert_eq!(dag.order(), [1, 2, 3, 0, 4]);
        assert_eq!(dag.merge(&[11, 10, 11, 10, 12]), [2, 1, 2, 1, 4]);
    }

    #[test]
    fn nothing_equal_leaves_all_as_they_are() {
        let dag = graph(&[&[], &[0], &[1]]);
        assert_eq!(dag.merge(&[1, 2, 1 << 64]), [0, 1, 2]);
    }

    #[test]
    fn equal_dependencies_of_one_node_are_doubled() {
        let dag = graph(&[&[], &[], &[0, 1], &[], &[3, 1, 0], &[2, 3]]);
        assert_eq!(dag.doubled(&[7, 7, 8, 7, 9, 6]), [(2, 1), (4, 1), (4, 3)]);
        assert_eq!(dag.doubled(&[1, 2, 3, 4, 5, 5]), []);
    }

    #[test]
    fn an_alias_merges_into_its_own_dependency() {
        let dag = graph(&[&[], &[0], &[1]]);
        assert_eq!(dag.merge(&[7, 7, 8]), [0, 0, 2]);
    }

    proptest! {
        #[test]
        fn one_representative_per_token((dag, tokens) in per_node(dags(), 0u128..6)) {
            let merged = dag.merge(&tokens);
            for node in 0..dag.len() {
                let first = dag.order().iter().find(|&&i| tokens[i as usize] == tokens[node]);
                prop_assert_eq!(Some(&merged[node]), first);
            }
        }

        #[test]
        fn redirecting_dependencies_keeps_it_acyclic((dag, tokens) in per_node(dags(), 0u128..6)) {
            let merged = dag.merge(&tokens);
            let rows: Vec<Vec<u32>> = (0..dag.len() as u32)
                .map(|node| match merged[node as usize] == node {
                    true => dag.dependencies(node).iter().map(|&d| merged[d as usize]).collect(),
                    false => vec![],
                })
                .collect();
            assert_acyclic_after(&rows);
        }
    }
}
