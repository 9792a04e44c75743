//! Reachability: which of a few nodes depend on another one.

use crate::Dag;

impl Dag {
    /// Those of `targets` that depend on `from`, directly or not, in the given order.
    ///
    /// No node depends on itself. Walks the dependents of `from` until all targets are found, at
    /// worst all of them: a question for a few nodes, not for each.
    pub fn reaches(&self, from: u32, targets: &[u32]) -> Vec<u32> {
        let mut sought = vec![false; self.len()];
        let mut left = 0;
        for &target in targets {
            left += usize::from(!std::mem::replace(&mut sought[target as usize], true));
        }
        let mut seen = vec![false; self.len()];
        let mut stack = vec![from];
        while let Some(node) = stack.pop().filter(|_| left > 0) {
            for &user in self.dependents(node) {
                if !std::mem::replace(&mut seen[user as usize], true) {
                    left -= usize::from(sought[user as usize]);
                    stack.push(user);
                }
            }
        }
        targets
            .iter()
            .copied()
            .filter(|&target| seen[target as usize])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::testing::{dags, depends_matrix, graph, pick};

    #[test]
    fn only_what_lies_behind_the_node_depends_on_it() {
        //  0 -> 1 -> 3
        //  2 --------'
        let dag = graph(&[&[], &[0], &[], &[1, 2]]);
        assert_eq!(dag.reaches(0, &[3, 2, 1, 0]), [3, 1]);
        assert_eq!(dag.reaches(3, &[0, 1, 2, 3]), []);
        assert_eq!(dag.reaches(2, &[3, 3]), [3, 3]);
    }

    proptest! {
        #[test]
        fn agrees_with_the_transitive_closure((dag, targets) in pick(dags())) {
            let depends = depends_matrix(&dag);
            for from in 0..dag.len() as u32 {
                let mut expected = targets.clone();
                expected.retain(|&target| depends[target as usize][from as usize]);
                prop_assert_eq!(dag.reaches(from, &targets), expected);
            }
        }
    }
}
