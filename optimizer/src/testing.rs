//! Random graphs and slow but obvious reference answers for the tests.

use std::fmt::Debug;

use proptest::prelude::*;

use crate::{Cluster, Dag, DagError};

/// A graph from one row of dependencies per node.
pub(crate) fn try_graph<Row: AsRef<[u32]>>(rows: &[Row]) -> Result<Dag, DagError> {
    let mut indptr = vec![0];
    let mut indices = Vec::new();
    for row in rows {
        indices.extend(row.as_ref());
        indptr.push(indices.len() as u32);
    }
    Dag::new(&indptr, &indices)
}

pub(crate) fn graph(rows: &[&[u32]]) -> Dag {
    try_graph(rows).unwrap()
}

/// Random graphs of up to 24 nodes whose positions say nothing about their order.
pub(crate) fn dags() -> impl Strategy<Value = Dag> {
    let rows = (0..24usize).prop_flat_map(|nodes| {
        // Node i may depend on earlier ones, more likely on close ones, so that chains come up.
        let row =
            |i: usize| prop::collection::vec((1..=i.max(1)).prop_map(|d| d * d / 9 + 1), 0..4);
        ((0..nodes).map(row).collect::<Vec<_>>(), shuffled(nodes))
    });
    rows.prop_map(|(rows, ids)| {
        let mut moved = vec![vec![]; ids.len()];
        for (i, row) in rows.iter().enumerate() {
            let earlier = row.iter().filter_map(|&back| i.checked_sub(back));
            moved[ids[i] as usize] = earlier.map(|j| ids[j]).collect();
        }
        try_graph(&moved).unwrap()
    })
}

fn shuffled(nodes: usize) -> impl Strategy<Value = Vec<u32>> {
    Just((0..nodes as u32).collect::<Vec<u32>>()).prop_shuffle()
}

/// A graph with a few of its nodes.
pub(crate) fn pick(dags: impl Strategy<Value = Dag>) -> impl Strategy<Value = (Dag, Vec<u32>)> {
    (
        dags,
        prop::collection::vec(any::<prop::sample::Index>(), 0..5),
    )
        .prop_map(|(dag, picks)| {
            let picks = if dag.is_empty() { vec![] } else { picks };
            let nodes = picks
                .iter()
                .map(|pick| pick.index(dag.len()) as u32)
                .collect();
            (dag, nodes)
        })
}

/// A graph with one random value per node.
pub(crate) fn per_node<T: Debug>(
    dags: impl Strategy<Value = Dag>,
    value: impl Strategy<Value = T> + Clone,
) -> impl Strategy<Value = (Dag, Vec<T>)> {
    dags.prop_flat_map(move |dag| {
        let nodes = dag.len();
        (Just(dag), prop::collection::vec(value.clone(), nodes))
    })
}

/// A graph with what the grouping rules ask about each node.
#[derive(Clone, Debug)]
pub(crate) struct Labelled {
    pub(crate) dag: Dag,
    pub(crate) able: Vec<bool>,
    pub(crate) color: Vec<u32>,
    pub(crate) output: Vec<bool>,
}

pub(crate) fn labelled() -> impl Strategy<Value = Labelled> {
    let label = (
        prop::bool::weighted(0.9),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
    );
    per_node(dags(), label).prop_map(|(dag, labels)| Labelled {
        dag,
        able: labels.iter().map(|label| label.0).collect(),
        color: labels.iter().map(|label| label.1.into()).collect(),
        output: labels.iter().map(|label| label.2).collect(),
    })
}

/// A labelled graph and new ids for its nodes.
pub(crate) fn relabelled() -> impl Strategy<Value = (Labelled, Vec<u32>)> {
    labelled().prop_flat_map(|case| {
        let ids = shuffled(case.dag.len());
        (Just(case), ids)
    })
}

impl Labelled {
    /// The same graph with node `i` at position `ids[i]`.
    pub(crate) fn permuted(&self, ids: &[u32]) -> Self {
        let mut there = self.clone();
        let mut rows = vec![vec![]; ids.len()];
        for (node, &id) in ids.iter().enumerate() {
            let row = self.dag.dependencies(node as u32);
            rows[id as usize] = row.iter().map(|&d| ids[d as usize]).collect();
            there.able[id as usize] = self.able[node];
            there.color[id as usize] = self.color[node];
            there.output[id as usize] = self.output[node];
        }
        there.dag = try_graph(&rows).unwrap();
        there
    }
}

/// Groups as sorted lists of sorted ids, renamed by `ids` unless empty.
pub(crate) fn sorted_groups(groups: &[Vec<u32>], ids: &[u32]) -> Vec<Vec<u32>> {
    let rename = |&node: &u32| ids.get(node as usize).copied().unwrap_or(node);
    let mut sorted: Vec<Vec<u32>> = groups
        .iter()
        .map(|group| group.iter().map(rename).collect())
        .collect();
    sorted.iter_mut().for_each(|group| group.sort_unstable());
    sorted.sort();
    sorted
}

/// `matrix[a][b]`: whether `a` depends on `b`, directly or not.
pub(crate) fn depends_matrix(dag: &Dag) -> Vec<Vec<bool>> {
    let mut matrix = vec![vec![false; dag.len()]; dag.len()];
    for &node in dag.order() {
        for &dependency in dag.dependencies(node) {
            let inherited = matrix[dependency as usize].clone();
            let row = &mut matrix[node as usize];
            row.iter_mut()
                .zip(inherited)
                .for_each(|(mine, theirs)| *mine |= theirs);
            row[dependency as usize] = true;
        }
    }
    matrix
}

/// Whether something outside the group, or the user, sees the node's value.
pub(crate) fn is_visible(dag: &Dag, node: u32, group: &[u32], output: &[bool]) -> bool {
    output[node as usize]
        || dag
            .dependents(node)
            .iter()
            .any(|user| !group.contains(user))
}

/// `order` holds each node once, after its dependencies.
pub(crate) fn assert_topological(dag: &Dag, order: &[u32]) {
    let mut done = vec![false; dag.len()];
    for &node in order {
        assert!(!done[node as usize], "{node} comes twice");
        let met = dag.dependencies(node).iter().all(|&d| done[d as usize]);
        assert!(met, "{node} comes before a dependency");
        done[node as usize] = true;
    }
    assert_eq!(order.len(), dag.len());
}

pub(crate) fn assert_acyclic_after(rows: &[Vec<u32>]) {
    if let Err(error) = try_graph(rows) {
        panic!("{error}");
    }
}

/// The groups share no member, list theirs in topological order, and can each become one node.
pub(crate) fn assert_contracts(dag: &Dag, groups: &[Vec<u32>]) {
    let mut position = vec![0; dag.len()];
    for (i, &node) in dag.order().iter().enumerate() {
        position[node as usize] = i;
    }
    let mut name: Vec<u32> = (0..dag.len() as u32).collect();
    let mut grouped = vec![false; dag.len()];
    for group in groups {
        assert!(group.is_sorted_by_key(|&node| position[node as usize]));
        for &node in group {
            assert!(
                !std::mem::replace(&mut grouped[node as usize], true),
                "{node} is in two"
            );
            name[node as usize] = *group.last().unwrap();
        }
    }
    let mut rows = vec![vec![]; dag.len()];
    for node in 0..dag.len() as u32 {
        let outside = dag.dependencies(node).iter().map(|&d| name[d as usize]);
        rows[name[node as usize] as usize].extend(outside.filter(|&d| d != name[node as usize]));
    }
    assert_acyclic_after(&rows);
}

/// Workers with as many threads each, every one on a machine of its own.
pub(crate) fn uniform(workers: u32, threads: u32, bandwidth: f64) -> Cluster {
    Cluster {
        threads: vec![threads; workers as usize],
        machine: (0..workers).collect(),
        memory: vec![f64::INFINITY; workers as usize],
        bandwidth,
        latency: 0.0,
    }
}

/// Clusters of up to four workers on up to three machines.
pub(crate) fn clusters() -> impl Strategy<Value = Cluster> {
    let workers = prop::collection::vec((1u32..3, 0u32..3, prop::option::of(1u32..20)), 1..5);
    (workers, 1u32..9, 0u32..3).prop_map(|(workers, bandwidth, latency)| Cluster {
        threads: workers.iter().map(|worker| worker.0).collect(),
        machine: workers.iter().map(|worker| worker.1).collect(),
        memory: workers
            .iter()
            .map(|worker| worker.2.map_or(f64::INFINITY, f64::from))
            .collect(),
        bandwidth: f64::from(bandwidth),
        latency: f64::from(latency) / 10.0,
    })
}
