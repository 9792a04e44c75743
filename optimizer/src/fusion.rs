//! Fusion: groups of tasks that one kernel computes, of which one result is seen outside.

use crate::{Dag, NONE};

impl Dag {
    /// The maximal groups of fusable nodes of one color in which only the last is seen outside.
    ///
    /// Consumers first, a node joins the group of its consumers if it is no output and all of them
    /// are in that one group. So every path from a member stays in the group up to its last node:
    /// groups are convex, and replacing each by one node keeps the graph acyclic. Groups of one
    /// node are left out; members come in topological order, the groups in the order of their last
    /// members.
    pub fn fusion_groups(&self, fusable: &[bool], color: &[u32], output: &[bool]) -> Vec<Vec<u32>> {
        assert_eq!(fusable.len(), self.len(), "one entry of `fusable` per node");
        assert_eq!(color.len(), self.len(), "one color per node");
        assert_eq!(output.len(), self.len(), "one entry of `output` per node");

        // The group that a node belongs to, named by the group's last member.
        let mut sink = vec![NONE; self.len()];
        let mut size = vec![0u32; self.len()];
        for &node in self
            .order()
            .iter()
            .rev()
            .filter(|&&node| fusable[node as usize])
        {
            let joined = match self.dependents(node) {
                [first, others @ ..] if !output[node as usize] => {
                    let group = sink[*first as usize];
                    let join = group != NONE
                        && color[group as usize] == color[node as usize]
                        && others.iter().all(|&user| sink[user as usize] == group);
                    join.then_some(group)
                }
                _ => None,
            };
            let group = joined.unwrap_or(node);
            sink[node as usize] = group;
            size[group as usize] += 1;
        }
        collect_groups(self.order(), &sink, &size)
    }
}

/// Lists the members of each group of at least two, in `order`.
fn collect_groups(order: &[u32], sink: &[u32], size: &[u32]) -> Vec<Vec<u32>> {
    let mut groups = Vec::new();
    let mut slot = vec![NONE; order.len()];
    for &node in order
        .iter()
        .filter(|&&node| sink[node as usize] == node && size[node as usize] > 1)
    {
        slot[node as usize] = groups.len() as u32;
        groups.push(Vec::with_capacity(size[node as usize] as usize));
    }
    for &node in order.iter().filter(|&&node| sink[node as usize] != NONE) {
        let slot = slot[sink[node as usize] as usize];
        if slot != NONE {
            groups[slot as usize].push(node);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::testing::{
        Labelled, assert_contracts, depends_matrix, graph, is_visible, labelled, relabelled,
        sorted_groups,
    };

    const NO: bool = false;
    const YES: bool = true;

    #[test]
    fn a_diamond_of_column_operations_is_one_group() {
        //      .-> 1 -.
        //  0 --+      +-> 3 -> 4 (not fusable)
        //      '-> 2 -'
        let dag = graph(&[&[], &[0], &[0], &[1, 2], &[3]]);
        let fusable = [YES, YES, YES, YES, NO];
        assert_eq!(
            dag.fusion_groups(&fusable, &[0; 5], &[NO; 5]),
            [[0, 1, 2, 3]]
        );
    }

    #[test]
    fn cut_where_a_value_is_seen_outside() {
        //  0 -> 1 -> 2 -> 3
        //       '-> 4 (not fusable)
        let dag = graph(&[&[], &[0], &[1], &[2], &[1]]);
        let fusable = [YES, YES, YES, YES, NO];
        assert_eq!(
            dag.fusion_groups(&fusable, &[0; 5], &[NO; 5]),
            [[0, 1], [2, 3]]
        );
    }

    #[test]
    fn cut_at_an_output() {
        //  0 -> 1 (output) -> 2
        let dag = graph(&[&[], &[0], &[1]]);
        assert_eq!(
            dag.fusion_groups(&[YES; 3], &[0; 3], &[NO, YES, NO]),
            [[0, 1]]
        );
    }

    #[test]
    fn cut_where_consumers_are_in_two_groups() {
        //  0 -> 1 -> 2 (output)
        //  '--> 3 -> 4 (output)
        let dag = graph(&[&[], &[0], &[1], &[0], &[3]]);
        let output = [NO, NO, YES, NO, YES];
        assert_eq!(
            dag.fusion_groups(&[YES; 5], &[0; 5], &output),
            [[1, 2], [3, 4]]
        );
    }

    #[test]
    fn colors_never_mix() {
        //  0 -> 1 | 2 -> 3
        let dag = graph(&[&[], &[0], &[1], &[2]]);
        assert_eq!(
            dag.fusion_groups(&[YES; 4], &[5, 5, 9, 9], &[NO; 4]),
            [[0, 1], [2, 3]]
        );
    }

    #[test]
    fn a_group_does_not_reach_around_what_is_not_fusable() {
        //  0 -> 1 (not fusable) -> 2
        //  '-----------------------^
        let dag = graph(&[&[], &[0], &[0, 1]]);
        assert!(
            dag.fusion_groups(&[YES, NO, YES], &[0; 3], &[NO; 3])
                .is_empty()
        );
    }

    proptest! {
        #[test]
        fn groups_keep_their_promises(case in labelled()) {
            let Labelled { dag, able, color, output } = &case;
            let groups = dag.fusion_groups(able, color, output);
            let depends = depends_matrix(dag);
            assert_contracts(dag, &groups);
            for group in &groups {
                let (sink, inner) = group.split_last().unwrap();
                prop_assert!(!inner.is_empty());
                prop_assert!(group.iter().all(|&i| able[i as usize]));
                prop_assert!(group.iter().all(|&i| color[i as usize] == color[*sink as usize]));
                prop_assert!(!inner.iter().any(|&i| is_visible(dag, i, group, output)));
                prop_assert!(inner.iter().all(|&i| depends[*sink as usize][i as usize]));
                // Convex: nothing outside lies between two members.
                for outside in (0..dag.len()).filter(|&i| !group.contains(&(i as u32))) {
                    let after = group.iter().any(|&i| depends[outside][i as usize]);
                    let before = group.iter().any(|&i| depends[i as usize][outside]);
                    prop_assert!(!(after && before), "{outside} lies within {group:?}");
                }
            }
        }

        #[test]
        fn no_more_can_join(case in labelled()) {
            let Labelled { dag, able, color, output } = &case;
            let groups = dag.fusion_groups(able, color, output);
            let group_of = |node: u32| {
                groups.iter().find(|group| group.contains(&node)).cloned().unwrap_or(vec![node])
            };
            let mix = |a: u32, b: u32| {
                able[a as usize] && able[b as usize] && color[a as usize] == color[b as usize]
            };
            for node in 0..dag.len() as u32 {
                let Some(&user) = dag.dependents(node).first() else { continue };
                let others = group_of(user);
                // The node ends its group: had only one other group seen it, it would have joined.
                if mix(node, user) && group_of(node) != others {
                    prop_assert!(is_visible(dag, node, &others, output));
                }
            }
        }

        #[test]
        fn the_groups_do_not_depend_on_positions((case, ids) in relabelled()) {
            let there = case.permuted(&ids);
            let groups = case.dag.fusion_groups(&case.able, &case.color, &case.output);
            let moved = there.dag.fusion_groups(&there.able, &there.color, &there.output);
            prop_assert_eq!(sorted_groups(&groups, &ids), sorted_groups(&moved, &[]));
        }
    }
}
