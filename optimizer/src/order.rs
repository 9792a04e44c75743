//! Order: run the tasks so that few bytes are alive at a time.

use std::ops::Range;

use crate::Dag;

impl Dag {
    /// An execution order that keeps few bytes alive, and the most that are ever alive in it.
    ///
    /// `bytes` estimates the size of each result (not negative); results of `output` nodes are kept
    /// to the end. Finding the best order is NP-hard; this one goes depth first from the outputs
    /// and, before it turns to the next output, finishes what is alive, the newest value first. If
    /// it needs more than the plain topological order, that one is returned.
    pub fn memory_order(&self, output: &[bool], bytes: &[f64]) -> (Vec<u32>, f64) {
        let order = Walk::new(self, output, bytes).run();
        let peak = self.peak(&order, output, bytes);
        let plain = self.peak(self.order(), output, bytes);
        if plain < peak {
            (self.order().to_vec(), plain)
        } else {
            (order, peak)
        }
    }
}

/// The state of one depth-first walk that builds a memory order.
///
/// - To *produce* a node, first produce its missing inputs, the one with the largest need on top of
///   its own result first (the best order for trees: what comes later runs beside the results of
///   what came earlier).
/// - Next is a consumer of the newest value that is alive, so that this can go; the one that adds
///   least comes first: fits on the variant that is already there before those that first need
///   another variant, even if both wait for the same small value.
/// - When all remaining consumers of a value could run, and take less than the value, they run at
///   once and it goes: all fits on one fold's training data before the next fold is cut out.
struct Walk<'a> {
    dag: &'a Dag,
    output: &'a [bool],
    nodes: Vec<Node>,
    /// The rows of the graph in the order of preference.
    inputs: Vec<u32>,
    users: Vec<u32>,
    order: Vec<u32>,
    /// Values with consumers to come, the newest last.
    alive: Vec<u32>,
    /// Nodes to run at once.
    bargains: Vec<u32>,
}

/// What the walk knows of a node; one struct, so that a step along an edge is one cache miss.
struct Node {
    bytes: f64,
    /// Inputs that are still to come, and their bytes.
    inputs_left: u32,
    missing: f64,
    /// Consumers that lack an input, and the bytes of those that are still to come.
    users_waiting: u32,
    adding: f64,
    /// Cursors in `inputs` and `users`.
    next_input: u32,
    next_user: u32,
    done: bool,
    offered: bool,
}

impl<'a> Walk<'a> {
    fn new(dag: &'a Dag, output: &'a [bool], bytes: &[f64]) -> Self {
        assert_eq!(output.len(), dag.len(), "one entry of `output` per node");
        assert_eq!(bytes.len(), dag.len(), "one entry of `bytes` per node");
        let sum = |row: &[u32]| row.iter().map(|&other| bytes[other as usize]).sum();
        let start = |node: u32| Node {
            bytes: bytes[node as usize],
            missing: sum(dag.dependencies(node)),
            adding: sum(dag.dependents(node)),
            inputs_left: dag.dependencies.row_len(node),
            users_waiting: dag.dependents.row_len(node),
            next_input: dag.dependencies.range(node).start as u32,
            next_user: dag.dependents.range(node).start as u32,
            done: false,
            offered: false,
        };
        Self {
            dag,
            output,
            nodes: (0..dag.len() as u32).map(start).collect(),
            inputs: neediest_first(dag, bytes),
            users: dag.dependents.indices.clone(),
            order: Vec::with_capacity(dag.len()),
            alive: Vec::new(),
            bargains: Vec::new(),
        }
    }

    fn run(mut self) -> Vec<u32> {
        let nodes = 0..self.dag.len() as u32;
        let outputs = nodes.clone().filter(|&node| self.output[node as usize]);
        let unused = nodes.filter(|&node| self.dag.dependents(node).is_empty());
        for target in outputs.chain(unused) {
            self.produce(target);
            while let Some(user) = self.user_of_newest() {
                self.produce(user);
            }
        }
        self.order
    }

    /// Executes `target` after everything that it still needs.
    fn produce(&mut self, target: u32) {
        let mut path = vec![target];
        while let Some(&node) = path.last() {
            if self.nodes[node as usize].done {
                path.pop();
            } else if let Some(input) = self.missing_input(node) {
                path.push(input);
            } else {
                self.execute(node);
                while let Some(bargain) = self.bargains.pop() {
                    if !self.nodes[bargain as usize].done {
                        self.execute(bargain);
                    }
                }
            }
        }
    }

    fn missing_input(&mut self, node: u32) -> Option<u32> {
        let cursor = self.nodes[node as usize].next_input as usize;
        let end = self.dag.dependencies.range(node).end;
        let found = self.first_undone(&self.inputs, cursor..end)?;
        self.nodes[node as usize].next_input = found as u32;
        Some(self.inputs[found])
    }

    /// The next consumer of the newest value that has any left.
    fn user_of_newest(&mut self) -> Option<u32> {
        while let Some(&value) = self.alive.last() {
            let cursor = self.nodes[value as usize].next_user as usize;
            let end = self.dag.dependents.range(value).end;
            if let Some(found) = self.first_undone(&self.users, cursor..end) {
                self.nodes[value as usize].next_user = found as u32;
                return Some(self.users[found]);
            }
            self.alive.pop();
        }
        None
    }

    fn first_undone(&self, ids: &[u32], mut places: Range<usize>) -> Option<usize> {
        places.find(|&place| !self.nodes[ids[place] as usize].done)
    }

    fn execute(&mut self, node: u32) {
        let dag = self.dag;
        let users = dag.dependents(node);
        let bytes = self.nodes[node as usize].bytes;
        self.order.push(node);
        self.nodes[node as usize].done = true;
        for &input in dag.dependencies(node) {
            self.nodes[input as usize].adding -= bytes;
            self.weigh(input);
        }
        // After the inputs: of several bargains those that use the newer value run first.
        for &user in users {
            let state = &mut self.nodes[user as usize];
            state.missing -= bytes;
            state.inputs_left -= 1;
            if state.inputs_left == 0 {
                for &input in dag.dependencies(user) {
                    self.nodes[input as usize].users_waiting -= 1;
                    self.weigh(input);
                }
            }
        }
        if !users.is_empty() {
            self.alive.push(node);
            let nodes = &self.nodes;
            let cost = |user: u32| nodes[user as usize].missing + nodes[user as usize].bytes;
            self.users[dag.dependents.range(node)]
                .sort_by(|&a, &b| cost(a).total_cmp(&cost(b)).then(a.cmp(&b)));
        }
    }

    /// Puts the remaining consumers of a value down to run at once, if that frees memory.
    fn weigh(&mut self, value: u32) {
        let state = &mut self.nodes[value as usize];
        let frees = !self.output[value as usize] && state.adding < state.bytes;
        if frees && state.users_waiting == 0 && !state.offered {
            state.offered = true;
            let users = self.dag.dependents(value).iter().rev();
            self.bargains
                .extend(users.filter(|&&user| !self.nodes[user as usize].done));
        }
    }
}

/// The dependencies of each node (flat, as in the graph), those with the largest need on top of
/// their own result first.
fn neediest_first(dag: &Dag, bytes: &[f64]) -> Vec<u32> {
    let mut inputs = dag.dependencies.indices.clone();
    // The bytes that it takes to compute a node if nothing is shared.
    let mut need = vec![0.0f64; dag.len()];
    for &node in dag.order() {
        let row = &mut inputs[dag.dependencies.range(node)];
        let excess = |input: u32| need[input as usize] - bytes[input as usize];
        row.sort_by(|&a, &b| excess(b).total_cmp(&excess(a)).then(a.cmp(&b)));
        let mut held = 0.0;
        let mut most = 0.0f64;
        for &input in row.iter() {
            most = most.max(held + need[input as usize]);
            held += bytes[input as usize];
        }
        need[node as usize] = most.max(held + bytes[node as usize]);
    }
    inputs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{assert_topological, dags, graph, per_node, try_graph};

    /// The best peak over all topological orders.
    fn best_peak(dag: &Dag, output: &[bool], bytes: &[f64]) -> f64 {
        fn extend(dag: &Dag, output: &[bool], bytes: &[f64], order: &mut Vec<u32>, best: &mut f64) {
            if order.len() == dag.len() {
                *best = best.min(dag.peak(order, output, bytes));
            }
            for node in 0..dag.len() as u32 {
                let met = dag.dependencies(node).iter().all(|d| order.contains(d));
                if met && !order.contains(&node) {
                    order.push(node);
                    extend(dag, output, bytes, order, best);
                    order.pop();
                }
            }
        }
        let mut best = f64::INFINITY;
        extend(dag, output, bytes, &mut vec![], &mut best);
        best
    }

    #[test]
    fn branches_are_finished_one_after_another() {
        //  0 -> 3 -.
        //  1 -> 4 -+-> 6       three big reads, reduced to little
        //  2 -> 5 -'
        let dag = graph(&[&[], &[], &[], &[0], &[1], &[2], &[3, 4, 5]]);
        let bytes = [100., 100., 100., 1., 1., 1., 1.];
        let output = [false; 7];
        assert_eq!(dag.peak(dag.order(), &output, &bytes), 301.);
        assert_eq!(
            dag.memory_order(&output, &bytes),
            (vec![0, 3, 1, 4, 2, 5, 6], 103.)
        );
    }

    #[test]
    fn the_hungriest_branch_comes_first() {
        //  0 (9) -> 1 (5) -.
        //                  +-> 4
        //  2 (50) -> 3 (1) '
        let dag = graph(&[&[], &[0], &[], &[2], &[1, 3]]);
        let (order, peak) = dag.memory_order(&[false; 5], &[9., 5., 50., 1., 1.]);
        assert_eq!((order, peak), (vec![2, 3, 0, 1, 4], 51.));
    }

    #[test]
    fn candidates_of_one_variant_run_together() {
        //  0 -> 1 (variant) -> 4, 6, 8 (outputs), which also take the small 3
        //  '--> 2 (variant) -> 5, 7, 9 (outputs), which also take the small 3
        let fit_on = |variant: u32| [variant, 3];
        let (a, b) = (fit_on(1), fit_on(2));
        let dag = graph(&[&[], &[0], &[0], &[], &a, &b, &a, &b, &a, &b]);
        let bytes = [10., 100., 100., 1., 1., 1., 1., 1., 1., 1.];
        let output = [
            false, false, false, false, true, true, true, true, true, true,
        ];
        let (order, peak) = dag.memory_order(&output, &bytes);
        assert_eq!(order, [0, 1, 3, 4, 6, 8, 2, 5, 7, 9]);
        assert_eq!(peak, 114.);
        assert_eq!(peak, best_peak(&dag, &output, &bytes));
    }

    #[test]
    fn all_fits_on_a_fold_run_before_the_next_fold_is_cut_out() {
        //  0 -> 1 (fold) -> 3 (fit of a), 5 (fit of b)      3, 4 -> 7 (a, output)
        //  '--> 2 (fold) -> 4 (fit of a), 6 (fit of b)      5, 6 -> 8 (b, output)
        let dag = graph(&[&[], &[0], &[0], &[1], &[2], &[1], &[2], &[3, 4], &[5, 6]]);
        let bytes = [100., 80., 80., 1., 1., 1., 1., 1., 1.];
        let output = [false, false, false, false, false, false, false, true, true];
        let (order, peak) = dag.memory_order(&output, &bytes);
        assert_eq!((order, peak), (vec![0, 1, 3, 5, 2, 4, 6, 7, 8], 182.));
        assert_eq!(peak, best_peak(&dag, &output, &bytes));
    }

    #[test]
    fn what_frees_a_big_value_runs_at_once() {
        //  0 (big) -> 1 -> 2 -> 3 (big) -> 4 (output)
        //  '--> 5 (small output)
        let dag = graph(&[&[], &[0], &[1], &[2], &[3], &[0]]);
        let output = [false, false, false, false, true, true];
        let (order, peak) = dag.memory_order(&output, &[100., 10., 10., 100., 1., 1.]);
        assert_eq!((order, peak), (vec![0, 1, 5, 2, 3, 4], 111.));
    }

    /// A graph with whether it is an output and its bytes for each node.
    fn cases() -> impl Strategy<Value = (Dag, Vec<(bool, f64)>)> {
        per_node(
            dags(),
            (prop::bool::weighted(0.2), (0u32..6).prop_map(f64::from)),
        )
    }

    proptest! {
        #[test]
        fn each_node_once_after_its_inputs((dag, labels) in cases()) {
            let (output, bytes): (Vec<bool>, Vec<f64>) = labels.into_iter().unzip();
            assert_topological(&dag, &Walk::new(&dag, &output, &bytes).run());
        }

        #[test]
        fn never_more_than_the_plain_order((dag, labels) in cases()) {
            let (output, bytes): (Vec<bool>, Vec<f64>) = labels.into_iter().unzip();
            let (order, peak) = dag.memory_order(&output, &bytes);
            assert_topological(&dag, &order);
            prop_assert_eq!(peak, dag.peak(&order, &output, &bytes));
            prop_assert!(peak <= dag.peak(dag.order(), &output, &bytes));
        }

        #[test]
        fn trees_get_the_best_depth_first_order(
            (tree, bytes) in per_node(trees(), (0u32..9).prop_map(f64::from)),
        ) {
            let (_, peak) = tree.memory_order(&vec![false; tree.len()], &bytes);
            prop_assert!(peak <= best_postorder_peak(&tree, &bytes, 0));
        }
    }

    /// Trees in which node 0 is the root and each other node feeds one of a lower number.
    fn trees() -> impl Strategy<Value = Dag> {
        prop::collection::vec(any::<prop::sample::Index>(), 0..7).prop_map(|parents| {
            let mut rows = vec![vec![]; parents.len() + 1];
            for (node, parent) in (1u32..).zip(parents) {
                rows[parent.index(node as usize)].push(node);
            }
            try_graph(&rows).unwrap()
        })
    }

    /// The best peak over all orders that finish a subtree before they start its sibling.
    fn best_postorder_peak(tree: &Dag, bytes: &[f64], root: u32) -> f64 {
        fn place(tree: &Dag, bytes: &[f64], left: &[u32], held: f64) -> f64 {
            let rest = |i: usize| [&left[..i], &left[i + 1..]].concat();
            let best = (0..left.len()).map(|i| {
                let own = held + best_postorder_peak(tree, bytes, left[i]);
                own.max(place(tree, bytes, &rest(i), held + bytes[left[i] as usize]))
            });
            best.reduce(f64::min).unwrap_or(0.0)
        }
        let inputs = tree.dependencies(root);
        let held: f64 = inputs.iter().map(|&input| bytes[input as usize]).sum();
        place(tree, bytes, inputs, 0.0).max(held + bytes[root as usize])
    }
}
