//! Cull: the nodes that the wanted ones need.

use crate::Dag;

impl Dag {
    /// Marks the wanted nodes and everything that they depend on, directly or not.
    pub fn cull(&self, wanted: &[u32]) -> Vec<bool> {
        let mut needed = vec![false; self.len()];
        let mut stack = wanted.to_vec();
        while let Some(node) = stack.pop() {
            if !needed[node as usize] {
                needed[node as usize] = true;
                stack.extend(self.dependencies(node));
            }
        }
        needed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::testing::{dags, depends_matrix, graph, pick};

    #[test]
    fn what_nobody_wants_goes() {
        //  0 -> 1 -> 2 (wanted)
        //  '--> 3 -> 4
        let dag = graph(&[&[], &[0], &[1], &[0], &[3]]);
        assert_eq!(dag.cull(&[2]), [true, true, true, false, false]);
        assert_eq!(dag.cull(&[]), [false; 5]);
        assert_eq!(dag.cull(&[2, 4, 2]), [true; 5]);
    }

    proptest! {
        #[test]
        fn exactly_the_wanted_and_what_they_reach((dag, wanted) in pick(dags())) {
            let depends = depends_matrix(&dag);
            let needed = dag.cull(&wanted);
            for node in 0..dag.len() {
                let needs_it = |&w: &u32| w as usize == node || depends[w as usize][node];
                prop_assert_eq!(needed[node], wanted.iter().any(needs_it));
            }
        }
    }
}
