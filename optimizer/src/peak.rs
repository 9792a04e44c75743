//! Peak: how many bytes an execution order keeps alive at most.

use crate::Dag;

impl Dag {
    /// The most bytes alive at a time when the nodes run in `order`.
    ///
    /// While a node runs, its inputs and its result are alive; a result goes when its last consumer
    /// has run, at once if it has none, and never if it is an output.
    pub fn peak(&self, order: &[u32], output: &[bool], bytes: &[f64]) -> f64 {
        assert_eq!(output.len(), self.len(), "one entry of `output` per node");
        assert_eq!(bytes.len(), self.len(), "one entry of `bytes` per node");
        let mut users_left: Vec<u32> = (0..self.len() as u32)
            .map(|node| self.dependents.row_len(node))
            .collect();
        let mut alive = 0.0;
        let mut peak = 0.0f64;
        for &node in order {
            alive += bytes[node as usize];
            peak = peak.max(alive);
            for &input in self.dependencies(node) {
                users_left[input as usize] -= 1;
                if users_left[input as usize] == 0 && !output[input as usize] {
                    alive -= bytes[input as usize];
                }
            }
            if users_left[node as usize] == 0 && !output[node as usize] {
                alive -= bytes[node as usize];
            }
        }
        peak
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{dags, graph, per_node};

    #[test]
    fn kept_and_unused_results_are_counted() {
        //  0 (output) -> 1 (nobody takes it)       2 (output)
        let dag = graph(&[&[], &[0], &[]]);
        let output = [true, false, true];
        assert_eq!(dag.peak(&[0, 1, 2], &output, &[4., 8., 2.]), 12.);
        assert_eq!(dag.peak(&[0, 2, 1], &output, &[4., 8., 2.]), 14.);
    }

    /// A graph with whether it is an output and its bytes for each node.
    fn cases() -> impl Strategy<Value = (Dag, Vec<(bool, f64)>)> {
        per_node(dags(), (any::<bool>(), (0u32..6).prop_map(f64::from)))
    }

    proptest! {
        #[test]
        fn the_peak_is_the_most_ever_alive((dag, labels) in cases()) {
            let (output, bytes): (Vec<bool>, Vec<f64>) = labels.into_iter().unzip();
            let order = dag.order();
            let alive_after = |step: usize, node: u32| {
                let consumed = |user: &u32| order[..step].contains(user);
                output[node as usize] || !dag.dependents(node).iter().all(consumed)
            };
            let at_step = |step: usize| -> f64 {
                let before = order[..step].iter().filter(|&&node| alive_after(step, node));
                before.chain([&order[step]]).map(|&node| bytes[node as usize]).sum()
            };
            let most = (0..dag.len()).map(at_step).fold(0.0, f64::max);
            prop_assert_eq!(dag.peak(order, &output, &bytes), most);
        }
    }
}
