//! The graph: what each node depends on, what depends on it, and one topological order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;

use crate::NONE;
use crate::csr::Csr;

/// A directed acyclic graph of tasks.
///
/// # Examples
///
/// ```
/// use stratum_optimizer::Dag;
///
/// // 2 depends on 0 and 1.
/// let dag = Dag::new(&[0, 0, 0, 2], &[0, 1])?;
/// assert_eq!(dag.dependencies(2), [0, 1]);
/// assert_eq!(dag.dependents(0), [2]);
/// # Ok::<(), stratum_optimizer::DagError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dag {
    pub(crate) dependencies: Csr,
    pub(crate) dependents: Csr,
    order: Vec<u32>,
}

/// Why input is not a [`Dag`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DagError {
    /// These nodes depend on each other in a circle: each on the next, the last on the first.
    Cycle(Vec<u32>),
    /// A node depends on an id that is not in the graph.
    BadIndex {
        /// The node that has the dependency.
        node: u32,
        /// The id that does not exist.
        dependency: u32,
    },
    /// The row pointers do not ascend from 0 to the number of edges.
    BadPointers,
}

impl fmt::Display for DagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cycle(ids) => write!(f, "a cycle of {} nodes, from node {}", ids.len(), ids[0]),
            Self::BadIndex { node, dependency } => {
                write!(
                    f,
                    "node {node} depends on node {dependency}, which does not exist"
                )
            }
            Self::BadPointers => {
                f.write_str("the row pointers must ascend from 0 to the number of edges")
            }
        }
    }
}

impl std::error::Error for DagError {}

impl Dag {
    /// Builds the graph in which node `i` depends on `indices[indptr[i]..indptr[i + 1]]`.
    ///
    /// A dependency that is named twice (`add(x, x)`) counts once.
    ///
    /// # Errors
    ///
    /// If the rows are malformed, name a node that does not exist, or hold a cycle.
    pub fn new(indptr: &[u32], indices: &[u32]) -> Result<Self, DagError> {
        let dependencies = distinct_rows(indptr, indices)?;
        let dependents = dependencies.transposed();
        let order = topological_order(&dependencies, &dependents)?;
        Ok(Self {
            dependencies,
            dependents,
            order,
        })
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.dependencies.rows()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What `node` depends on, each once, in the order of the input.
    pub fn dependencies(&self, node: u32) -> &[u32] {
        self.dependencies.row(node)
    }

    /// What depends on `node`, each once, ascending.
    pub fn dependents(&self, node: u32) -> &[u32] {
        self.dependents.row(node)
    }

    /// All nodes, dependencies first; of all such orders the lexicographically smallest, so that
    /// nodes keep their input positions where they are free to.
    pub fn order(&self) -> &[u32] {
        &self.order
    }
}

/// Checks the rows and drops repeated entries of a row.
fn distinct_rows(indptr: &[u32], indices: &[u32]) -> Result<Csr, DagError> {
    let ascend = indptr.first() == Some(&0)
        && indptr.is_sorted()
        && indptr.last().copied().map(|end| end as usize) == Some(indices.len())
        && indptr.len() <= NONE as usize;
    if !ascend {
        return Err(DagError::BadPointers);
    }
    let nodes = indptr.len() - 1;
    let mut distinct = Csr::with_capacity(nodes, indices.len());
    let mut last_user = vec![NONE; nodes];
    for (node, ends) in (0u32..).zip(indptr.windows(2)) {
        let row = &indices[ends[0] as usize..ends[1] as usize];
        if let Some(&dependency) = row.iter().find(|&&dependency| dependency as usize >= nodes) {
            return Err(DagError::BadIndex { node, dependency });
        }
        let is_new = |dependency: &u32| {
            std::mem::replace(&mut last_user[*dependency as usize], node) != node
        };
        distinct.push_row(row.iter().copied().filter(is_new));
    }
    Ok(distinct)
}

/// The lexicographically smallest topological order.
///
/// A cursor runs over the nodes by position and takes the ready ones; the heap holds only nodes
/// that became ready behind it. Input that already is in topological order never touches the heap.
fn topological_order(dependencies: &Csr, dependents: &Csr) -> Result<Vec<u32>, DagError> {
    let nodes = dependencies.rows() as u32;
    let mut waiting: Vec<u32> = (0..nodes).map(|node| dependencies.row_len(node)).collect();
    let mut behind = BinaryHeap::new();
    let mut cursor = 0;
    let mut order = Vec::with_capacity(nodes as usize);
    loop {
        let node = if let Some(Reverse(node)) = behind.pop() {
            node
        } else {
            let Some(ready) = (cursor..nodes).find(|&node| waiting[node as usize] == 0) else {
                break;
            };
            cursor = ready + 1;
            ready
        };
        order.push(node);
        for &user in dependents.row(node) {
            waiting[user as usize] -= 1;
            if waiting[user as usize] == 0 && user < cursor {
                behind.push(Reverse(user));
            }
        }
    }
    if order.len() == nodes as usize {
        Ok(order)
    } else {
        Err(DagError::Cycle(find_cycle(dependencies, &waiting)))
    }
}

/// Walks from one waiting node to a waiting dependency until a node comes back.
fn find_cycle(dependencies: &Csr, waiting: &[u32]) -> Vec<u32> {
    let is_waiting = |&node: &u32| waiting[node as usize] > 0;
    let mut step = vec![NONE; waiting.len()];
    let mut path = Vec::new();
    let mut node = (0..waiting.len() as u32)
        .find(is_waiting)
        .expect("a node on or after a cycle");
    while step[node as usize] == NONE {
        step[node as usize] = path.len() as u32;
        path.push(node);
        let unmet = dependencies.row(node).iter().copied().find(is_waiting);
        node = unmet.expect("a waiting node has a waiting dependency");
    }
    path.split_off(step[node as usize] as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{assert_topological, dags, depends_matrix, graph, pick, try_graph};

    #[test]
    fn nodes_keep_their_positions_where_they_are_free_to() {
        //  3 -> 0 -> 4      1    2
        let dag = graph(&[&[3], &[], &[], &[], &[0]]);
        assert_eq!(dag.order(), [1, 2, 3, 0, 4]);
    }

    #[test]
    fn a_repeated_dependency_counts_once() {
        let dag = graph(&[&[], &[0, 0], &[1, 0, 1]]);
        assert_eq!(dag.dependencies(1), [0]);
        assert_eq!(dag.dependencies(2), [1, 0]);
        assert_eq!(dag.dependents(0), [1, 2]);
    }

    #[test]
    fn the_empty_graph_is_a_graph() {
        let dag = graph(&[]);
        assert!(dag.is_empty());
        assert_eq!(dag.order(), []);
    }

    #[test]
    fn a_cycle_is_reported_without_what_leads_to_it() {
        //  0 -> 1 -> 2 -> 3 -> 4
        //       ^---------'
        let error = Dag::new(&[0, 0, 2, 3, 4, 5], &[0, 3, 1, 2, 3]).unwrap_err();
        assert_eq!(error, DagError::Cycle(vec![1, 3, 2]));
        assert_eq!(error.to_string(), "a cycle of 3 nodes, from node 1");
    }

    #[test]
    fn a_node_that_depends_on_itself_is_a_cycle() {
        assert_eq!(
            Dag::new(&[0, 0, 1], &[1]).unwrap_err(),
            DagError::Cycle(vec![1])
        );
    }

    #[test]
    fn malformed_rows_are_refused() {
        let missing = DagError::BadIndex {
            node: 1,
            dependency: 2,
        };
        assert_eq!(Dag::new(&[0, 0, 1], &[2]).unwrap_err(), missing);
        for (indptr, indices) in [
            (&[][..], &[][..]),
            (&[1, 1], &[0]),
            (&[0, 2], &[0]),
            (&[0, 1, 0, 1], &[0]),
        ] {
            assert_eq!(
                Dag::new(indptr, indices).unwrap_err(),
                DagError::BadPointers
            );
        }
    }

    proptest! {
        #[test]
        fn the_order_is_the_smallest_topological_one(dag in dags()) {
            assert_topological(&dag, dag.order());
            let mut done = vec![false; dag.len()];
            for &node in dag.order() {
                let ready = |&i: &u32| {
                    !done[i as usize] && dag.dependencies(i).iter().all(|&d| done[d as usize])
                };
                prop_assert_eq!((0..dag.len() as u32).find(ready), Some(node));
                done[node as usize] = true;
            }
        }

        #[test]
        fn closing_a_circle_is_found(
            (dag, nodes) in pick(dags()),
            to in any::<prop::sample::Index>(),
        ) {
            let Some(&from) = nodes.first() else { return Ok(()) };
            let depends = depends_matrix(&dag);
            let mut behind: Vec<u32> = (0..dag.len() as u32).collect();
            behind.retain(|&i| i == from || depends[i as usize][from as usize]);
            let to = behind[to.index(behind.len())];
            let mut rows: Vec<Vec<u32>> =
                (0..dag.len() as u32).map(|i| dag.dependencies(i).to_vec()).collect();
            rows[from as usize].push(to);
            let Err(DagError::Cycle(cycle)) = try_graph(&rows) else {
                return Err(TestCaseError::fail("no cycle reported"));
            };
            prop_assert!(cycle.contains(&from) && cycle.contains(&to));
            for (i, node) in cycle.iter().enumerate() {
                prop_assert!(rows[*node as usize].contains(&cycle[(i + 1) % cycle.len()]));
            }
        }
    }
}
