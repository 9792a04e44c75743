//! Plans a program: in which phase each node is computed, and where its values live.
//!
//! A reduction needs whole columns, so programs run in phases: all blocks of phase 0, then the
//! reductions whose operands phase 0 computed, then all blocks of phase 1, which may use their
//! results, and so on.
//!
//! ```text
//! phase 0   count(x), sum(x)          block by block
//! phase 1   squared_distances(x)      block by block; the mean is known
//! phase 2   out = (x - mean) / std    block by block
//! ```
//!
//! A column that several phases use is computed again when that is cheap, else stored. It is
//! stored in the memory of an output that is written later, if there is one: fresh memory costs
//! as much as the arithmetic. Other temporaries live in registers, which are blocks that are
//! reused as soon as their value is dead.

use crate::dtype::DType;
use crate::node::{Arithmetic, Node, NodeId, Op, Reduction};

/// Where the values of a node are during a phase.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    Nowhere,
    /// One value for all rows.
    Scalar,
    Input(usize),
    Output(usize),
    Scratch(usize),
    Register(usize),
}

/// A step that is repeated for each block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Compute a node into its place.
    Compute(NodeId),
    /// Reduce the block; the phase's `folds` say what to.
    Fold { node: NodeId, index: usize },
    /// Copy a column to an output.
    Copy { node: NodeId, output: usize },
    /// Compute a node into an output that no later step reads; the register is free for it.
    Emit {
        node: NodeId,
        output: usize,
        register: usize,
    },
}

/// One pass over all blocks and what frames it.
#[derive(Debug, Default)]
pub(crate) struct Phase {
    /// Scalars to compute before the pass.
    pub(crate) scalars: Vec<NodeId>,
    pub(crate) steps: Vec<Step>,
    pub(crate) places: Vec<Place>,
    pub(crate) registers: usize,
    /// The reductions that the pass makes block by block.
    pub(crate) folds: Vec<NodeId>,
    /// The reductions to make of whole columns after the pass.
    pub(crate) whole: Vec<NodeId>,
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) phases: Vec<Phase>,
    /// Where columns are between the passes.
    pub(crate) homes: Vec<Place>,
    /// The dtypes of the scratch columns.
    pub(crate) scratch: Vec<DType>,
}

/// Columns that cost at most this many simple steps are computed again in each phase.
pub(crate) const CHEAP: u32 = 6;
const EXPENSIVE: u32 = 100;

/// What a node costs by itself, in simple steps for a row.
pub(crate) fn own_cost(op: &Op) -> u32 {
    match op {
        Op::Input(_) | Op::Const(_) => 0,
        Op::Ufunc(..) | Op::IsIn(..) | Op::Lookup(..) => EXPENSIVE,
        Op::Arithmetic(Arithmetic::FloorDiv | Arithmetic::Mod | Arithmetic::Power, ..) => EXPENSIVE,
        Op::Date(..) => CHEAP,
        _ => 1,
    }
}

/// Whether a reduction needs its operand as a whole instead of block by block.
fn is_whole(nodes: &[Node], node: &Node) -> bool {
    match node.op {
        Op::Reduce(Reduction::Median | Reduction::Quantile(_) | Reduction::Mode, _) => true,
        // NumPy converts buffer by buffer, which doesn't fit the blocks.
        Op::Reduce(Reduction::Sum, a) => node.dtype.is_float() && nodes[a].dtype != node.dtype,
        _ => false,
    }
}

/// Plans the nodes, of which `columns` says which are columns; `outputs` are column nodes and
/// `results` scalar nodes.
pub(crate) fn plan(
    nodes: &[Node],
    columns: &[bool],
    outputs: &[NodeId],
    results: &[NodeId],
) -> Plan {
    Planner::new(nodes, columns, outputs, results).plan()
}

struct Planner<'a> {
    nodes: &'a [Node],
    columns: &'a [bool],
    outputs: &'a [NodeId],
    /// Whether anything asked for depends on the node.
    needed: Vec<bool>,
    /// For columns the first phase in which they can be computed, for reductions the phase that
    /// makes them, for other scalars the phase before which they are computed.
    phase: Vec<usize>,
    /// Where a column stays beyond the phase that computes it.
    home: Vec<Place>,
    /// The last phase that reads a column.
    last_use: Vec<usize>,
    scratch: Vec<DType>,
}

impl<'a> Planner<'a> {
    fn new(
        nodes: &'a [Node],
        columns: &'a [bool],
        outputs: &'a [NodeId],
        results: &[NodeId],
    ) -> Self {
        let mut needed = vec![false; nodes.len()];
        for &id in outputs.iter().chain(results) {
            needed[id] = true;
        }
        for id in (0..nodes.len())
            .rev()
            .filter(|&id| needed[id])
            .collect::<Vec<_>>()
        {
            mark(nodes, id, &mut needed);
        }
        let mut phase = vec![0; nodes.len()];
        for (id, node) in nodes.iter().enumerate() {
            // A reduction's result is there one phase after the one that makes it.
            let ready =
                |id: NodeId| phase[id] + usize::from(matches!(nodes[id].op, Op::Reduce(..)));
            phase[id] = node.op.operands().map(ready).max().unwrap_or(0);
        }
        Self {
            nodes,
            columns,
            outputs,
            needed,
            phase,
            home: vec![Place::Nowhere; nodes.len()],
            last_use: vec![0; nodes.len()],
            scratch: Vec::new(),
        }
    }

    fn plan(mut self) -> Plan {
        self.choose_homes();
        let count = (0..self.nodes.len())
            .filter(|&id| self.needed[id])
            .map(|id| self.phase[id] + 1)
            .max()
            .unwrap_or(0);
        let phases = (0..count).map(|phase| self.plan_phase(phase)).collect();
        Plan {
            phases,
            homes: self.homes(),
            scratch: self.scratch,
        }
    }

    fn homes(&self) -> Vec<Place> {
        (0..self.nodes.len())
            .map(|id| {
                if self.columns[id] {
                    self.home[id]
                } else {
                    Place::Scalar
                }
            })
            .collect()
    }

    /// Decides which columns are stored beyond their phase, and where.
    fn choose_homes(&mut self) {
        let mut cost = vec![0_u32; self.nodes.len()];
        for (id, node) in self.nodes.iter().enumerate() {
            // What is dear and was computed in an earlier phase is stored, whatever becomes of this.
            let again = |&a: &NodeId| {
                self.columns[a] && (self.phase[a] == self.phase[id] || cost[a] <= CHEAP)
            };
            let operands = node.op.operands().filter(again);
            let sum = operands.fold(own_cost(&node.op), |sum, a| sum.saturating_add(cost[a]));
            cost[id] = sum;
            if let Op::Input(index) = node.op {
                self.home[id] = Place::Input(index);
            }
        }
        for (output, &id) in self.outputs.iter().enumerate().rev() {
            if !matches!(self.nodes[id].op, Op::Input(_)) {
                self.home[id] = Place::Output(output);
            }
        }
        let mut store = Vec::new();
        // Consumers come first, so that it is known whether they are computed again.
        for id in (0..self.nodes.len()).rev() {
            if !self.needed[id] {
                continue;
            }
            let node = &self.nodes[id];
            let whole = is_whole(self.nodes, node);
            if self.columns[id] && self.home[id] == Place::Nowhere {
                let again = self.last_use[id] > self.phase[id];
                if again && cost[id] > CHEAP {
                    self.home[id] = Place::Scratch(usize::MAX);
                    store.push(id);
                }
            }
            let stays = self.home[id] != Place::Nowhere || !self.columns[id];
            // A whole reduction runs after its phase, so its operand must outlive the phase.
            let used = if stays {
                self.phase[id] + usize::from(whole)
            } else {
                self.last_use[id]
            };
            for a in node.op.operands().filter(|&a| self.columns[a]) {
                self.last_use[a] = self.last_use[a].max(used);
                if whole && self.home[a] == Place::Nowhere {
                    self.home[a] = Place::Scratch(usize::MAX);
                    store.push(a);
                }
            }
        }
        self.assign_memory(store);
    }

    /// Gives each stored column the memory of a later output, or else a scratch column.
    fn assign_memory(&mut self, mut store: Vec<NodeId>) {
        store.sort_unstable();
        let mut lent = vec![false; self.outputs.len()];
        for id in store {
            let fits = |&output: &usize| {
                let target = self.outputs[output];
                !lent[output]
                    && self.home[target] == Place::Output(output)
                    && self.nodes[target].dtype.size() == self.nodes[id].dtype.size()
                    && self.phase[target] > self.phase[id]
                    && self.phase[target] >= self.last_use[id]
            };
            self.home[id] = match (0..self.outputs.len()).find(fits) {
                Some(output) => {
                    lent[output] = true;
                    Place::Output(output)
                }
                None => {
                    self.scratch.push(self.nodes[id].dtype);
                    Place::Scratch(self.scratch.len() - 1)
                }
            };
        }
    }

    /// Whether another column that lives in the memory of this output is read in `phase`.
    fn occupied(&self, output: usize, owner: NodeId, phase: usize) -> bool {
        (0..self.nodes.len()).any(|id| {
            id != owner
                && self.home[id] == Place::Output(output)
                && self.needed[id]
                && self.last_use[id] >= phase
        })
    }

    fn plan_phase(&self, phase: usize) -> Phase {
        let mut plan = Phase::default();
        // What this phase must compute: homes to fill, folds, and what they need.
        let mut wanted = vec![false; self.nodes.len()];
        for id in (0..self.nodes.len()).rev().filter(|&id| self.needed[id]) {
            let node = &self.nodes[id];
            let here = self.phase[id] == phase;
            match node.op {
                Op::Input(_) => wanted[id] = false,
                _ if self.columns[id] => {
                    // Those with a home are computed once, others whenever they are wanted.
                    if self.home[id] != Place::Nowhere {
                        wanted[id] = here;
                    }
                }
                _ if !here => {}
                _ if is_whole(self.nodes, node) => plan.whole.push(id),
                Op::Reduce(..) => wanted[id] = true,
                _ => plan.scalars.push(id),
            }
            if wanted[id] {
                for a in node.op.operands().filter(|&a| self.columns[a]) {
                    wanted[a] = true;
                }
            }
        }
        plan.scalars.reverse();
        plan.whole.reverse();
        self.place(phase, &wanted, &mut plan);
        plan
    }

    /// Chooses registers and orders the steps.
    fn place(&self, phase: usize, wanted: &[bool], plan: &mut Phase) {
        let mut places = self.homes();
        let mut last_reader = vec![0; self.nodes.len()];
        for id in (0..self.nodes.len()).filter(|&id| wanted[id]) {
            for a in self.nodes[id].op.operands() {
                last_reader[a] = id;
            }
        }
        let mut free = Vec::new();
        let mut copies = Vec::new();
        for id in (0..self.nodes.len()).filter(|&id| wanted[id]) {
            if self.columns[id] {
                if let Place::Output(output) = self.home[id] {
                    let owner = self.outputs[output] == id;
                    if owner && self.occupied(output, id, phase) {
                        // Written when the block's other readers of that memory are done.
                        places[id] = Place::Nowhere;
                        last_reader[id] = usize::MAX;
                        copies.push(Step::Copy { node: id, output });
                    }
                }
                let read = last_reader[id] != 0 || self.last_use[id] > phase;
                let mut register = || {
                    free.pop().unwrap_or_else(|| {
                        plan.registers += 1;
                        plan.registers - 1
                    })
                };
                if places[id] == Place::Nowhere {
                    places[id] = Place::Register(register());
                }
                plan.steps.push(match places[id] {
                    Place::Output(output) if !read => {
                        let (node, register) = (id, register());
                        free.push(register);
                        Step::Emit {
                            node,
                            output,
                            register,
                        }
                    }
                    _ => Step::Compute(id),
                });
            } else {
                let index = plan.folds.len();
                plan.folds.push(id);
                plan.steps.push(Step::Fold { node: id, index });
            }
            // Operands that nobody reads any more leave their registers to later steps; the
            // node's own register was taken before, so that no step writes what it reads.
            for a in self.nodes[id].op.operands() {
                if let Place::Register(register) = places[a]
                    && last_reader[a] == id
                    && !free.contains(&register)
                {
                    free.push(register);
                }
            }
        }
        plan.steps.extend(copies);
        // Outputs that are inputs, or further copies of other outputs.
        for (output, &id) in self.outputs.iter().enumerate() {
            if self.home[id] != Place::Output(output) && self.phase[id] == phase {
                plan.steps.push(Step::Copy { node: id, output });
            }
        }
        plan.places = places;
    }
}

fn mark(nodes: &[Node], id: NodeId, needed: &mut [bool]) {
    let mut stack = vec![id];
    while let Some(id) = stack.pop() {
        for a in nodes[id].op.operands() {
            if !needed[a] {
                needed[a] = true;
                stack.push(a);
            }
        }
    }
}
