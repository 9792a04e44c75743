//! Sections: which nodes to emit together, so that each output's layers hold what it needs.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::csr::Csr;
use crate::{Dag, NONE};

/// A partition of the nodes, from [`Dag::sections`].
#[derive(Clone, Debug)]
pub struct Sections {
    /// The section of each node.
    pub section_of: Vec<u32>,
    dependencies: Csr,
}

impl Sections {
    /// The number of sections.
    pub fn len(&self) -> usize {
        self.dependencies.rows()
    }

    /// Whether there are no sections, which is so if there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sections that `section` depends on, ascending. All have higher numbers.
    pub fn dependencies(&self, section: u32) -> &[u32] {
        self.dependencies.row(section)
    }
}

impl Dag {
    /// Partitions the nodes by which groups of outputs need them.
    ///
    /// `group` names the output group of each node, [`NONE`] for interior nodes; nodes of different
    /// `color` (annotations) never share a section. Consumers first, a node is in the section of
    /// its consumers if all of them are in one of the same color and the node belongs to no other
    /// output group; else in the section of all nodes of its color and group whose consumers lie
    /// in the same set of sections.
    ///
    /// All nodes of a section are needed by the same groups. So the sections of a group's nodes,
    /// with all the sections that those depend on, hold exactly what the group needs: the same
    /// nodes as [`Dag::cull`].
    pub fn sections(&self, group: &[u32], color: &[u32]) -> Sections {
        assert_eq!(group.len(), self.len(), "one group per node");
        assert_eq!(color.len(), self.len(), "one color per node");

        // A section's name: the sections of its consumers, its group and its color.
        let mut users = Csr::with_capacity(0, 0);
        let mut labels: Vec<(u32, u32)> = Vec::new();
        let hasher = DefaultHashBuilder::default();
        let mut by_name: HashTable<u32> = HashTable::new();

        let mut section_of = vec![NONE; self.len()];
        let mut user_sections = Vec::new();
        for &node in self.order().iter().rev() {
            user_sections.clear();
            user_sections.extend(
                self.dependents(node)
                    .iter()
                    .map(|&user| section_of[user as usize]),
            );
            user_sections.sort_unstable();
            user_sections.dedup();
            let (group, color) = (group[node as usize], color[node as usize]);
            if let [only] = user_sections[..] {
                let (its_group, its_color) = labels[only as usize];
                if its_color == color && (group == NONE || group == its_group) {
                    section_of[node as usize] = only;
                    continue;
                }
            }
            let label = (group, color);
            let hash = hasher.hash_one((user_sections.as_slice(), label));
            let same = |&section: &u32| {
                labels[section as usize] == label && *users.row(section) == user_sections
            };
            let known = by_name.find(hash, same).copied();
            section_of[node as usize] = known.unwrap_or_else(|| {
                let new = labels.len() as u32;
                labels.push(label);
                users.push_row(user_sections.iter().copied());
                by_name.insert_unique(hash, new, |&section| {
                    hasher.hash_one((users.row(section), labels[section as usize]))
                });
                new
            });
        }
        Sections {
            section_of,
            dependencies: users.transposed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{dags, graph, per_node};

    #[test]
    fn shared_nodes_get_a_section_of_their_own() {
        //  0 -> 1 -.-> 2 -> 3 (output of group 0)
        //          '-> 4 -> 5 (output of group 1)
        let dag = graph(&[&[], &[0], &[1], &[2], &[1], &[4]]);
        let sections = dag.sections(&[NONE, NONE, NONE, 0, NONE, 1], &[0; 6]);
        assert_eq!(sections.section_of, [2, 2, 1, 1, 0, 0]);
        assert_eq!(rows(&sections), [&[2][..], &[2], &[]]);
    }

    #[test]
    fn an_output_inside_another_groups_graph_starts_a_section() {
        //  0 -> 1 (group 1) -> 2 -> 3 (group 0)
        let dag = graph(&[&[], &[0], &[1], &[2]]);
        let sections = dag.sections(&[NONE, 1, NONE, 0], &[0; 4]);
        assert_eq!(sections.section_of, [1, 1, 0, 0]);
        assert_eq!(rows(&sections), [&[1][..], &[]]);
    }

    #[test]
    fn outputs_of_one_group_stay_together() {
        //  0 -> 1 (group 0) -> 2 (group 0)
        //  '--> 3 (group 0)
        let dag = graph(&[&[], &[0], &[1], &[0]]);
        let sections = dag.sections(&[NONE, 0, 0, 0], &[0; 4]);
        assert_eq!(sections.section_of, [0; 4]);
    }

    #[test]
    fn annotations_split_sections() {
        //  0 -> 1 (color 7) -> 2 (group 0)
        let dag = graph(&[&[], &[0], &[1]]);
        let sections = dag.sections(&[NONE, NONE, 0], &[0, 7, 0]);
        assert_eq!(sections.section_of, [2, 1, 0]);
        assert_eq!(rows(&sections), [&[1][..], &[2], &[]]);
    }

    /// A graph with an output group and a color per node.
    fn cases() -> impl Strategy<Value = (Dag, Vec<(u32, u32)>)> {
        let group = prop_oneof![3 => Just(NONE), 1 => 0u32..4];
        per_node(
            dags(),
            (group, prop::bool::weighted(0.1).prop_map(u32::from)),
        )
    }

    fn rows(sections: &Sections) -> Vec<&[u32]> {
        (0..sections.len() as u32)
            .map(|section| sections.dependencies(section))
            .collect()
    }

    fn closure(sections: &Sections, from: impl Iterator<Item = u32>) -> Vec<bool> {
        let mut reached = vec![false; sections.len()];
        let mut stack: Vec<u32> = from.collect();
        while let Some(section) = stack.pop() {
            reached[section as usize] = true;
            stack.extend(sections.dependencies(section));
        }
        reached
    }

    proptest! {
        #[test]
        fn each_groups_sections_hold_exactly_what_it_needs((dag, labels) in cases()) {
            let (group, color): (Vec<u32>, Vec<u32>) = labels.into_iter().unzip();
            let sections = dag.sections(&group, &color);
            for wanted in 0..4 {
                let outputs: Vec<u32> =
                    (0..dag.len() as u32).filter(|&i| group[i as usize] == wanted).collect();
                let of = |node: usize| sections.section_of[node];
                let reached = closure(&sections, outputs.iter().map(|&i| of(i as usize)));
                let emitted: Vec<bool> = (0..dag.len()).map(|i| reached[of(i) as usize]).collect();
                prop_assert_eq!(emitted, dag.cull(&outputs));
            }
        }

        #[test]
        fn dependencies_are_those_of_the_members((dag, labels) in cases()) {
            let (group, color): (Vec<u32>, Vec<u32>) = labels.into_iter().unzip();
            let sections = dag.sections(&group, &color);
            let section_of = &sections.section_of;
            let mut expected = vec![vec![]; sections.len()];
            for node in 0..dag.len() {
                let own = section_of[node];
                let others = dag.dependencies(node as u32).iter().map(|&d| section_of[d as usize]);
                expected[own as usize].extend(others.filter(|&section| section != own));
            }
            for (section, row) in expected.iter_mut().enumerate() {
                row.sort_unstable();
                row.dedup();
                prop_assert!(row.iter().all(|&higher| higher as usize > section));
                let members: Vec<usize> =
                    (0..dag.len()).filter(|&i| section_of[i] as usize == section).collect();
                prop_assert!(!members.is_empty());
                prop_assert!(members.iter().all(|&i| color[i] == color[members[0]]));
            }
            prop_assert_eq!(rows(&sections), expected);
        }
    }
}
