//! Programs: checked and planned once, run many times.

use crate::buffer::Buffer;
use crate::column::{Column, ColumnMut};
use crate::compute::compute;
use crate::dtype::{Cell, DType, Scalar, with_any};
use crate::error::ProgramError;
use crate::fold::{finish, fold, reduce_whole};
use crate::memory::{Block, Memory};
use crate::node::{Node, NodeId, Op, Reduction, check};
use crate::plan::{Phase, Place, Plan, Step, plan};
use crate::pool::together;
use crate::reduce::Partial;
use crate::reduce::pairwise::{BLOCK, blocks};
use crate::stream::{LARGE, settle, write};
use crate::tabulate::tabulate;
use std::cell::UnsafeCell;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Blocks that a thread takes at a time, so that threads seldom meet.
const BLOCKS_AT_A_TIME: usize = 16;

/// A program of typed column expressions; see the [crate's documentation](crate).
#[derive(Debug)]
pub struct Program {
    nodes: Vec<Node>,
    /// The caller's number of each node.
    origin: Vec<NodeId>,
    plan: Plan,
    inputs: Vec<Option<DType>>,
    outputs: Vec<NodeId>,
    results: Vec<NodeId>,
}

/// What a run gives besides the columns it writes.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    /// The outputs that are scalars, in order.
    pub scalars: Vec<Scalar>,
    /// Nodes at which something happened, and what (see [`crate::flags`]).
    pub flags: Vec<(NodeId, u32)>,
}

impl Program {
    /// Checks and plans a list of nodes, each of which reads only nodes before it.
    ///
    /// # Errors
    ///
    /// When a node is malformed or not supported for its dtypes.
    pub fn new(nodes: &[Node], outputs: &[NodeId]) -> Result<Self, ProgramError> {
        check(nodes)?;
        if let Some(id) = outputs.iter().find(|&&id| id >= nodes.len()) {
            return Err(ProgramError(format!("output {id} is not a node")));
        }
        let inputs = inputs(nodes)?;
        let (mut nodes, origin, internal) = lower(nodes);
        tabulate(&mut nodes)?;
        let columns = check(&nodes)?;
        let (outputs, results): (Vec<_>, Vec<_>) = outputs
            .iter()
            .map(|&id| internal[id])
            .partition(|&id| columns[id]);
        let plan = plan(&nodes, &columns, &outputs, &results);
        Ok(Self {
            nodes,
            origin,
            plan,
            inputs,
            outputs,
            results,
        })
    }

    /// The dtypes of the outputs that are columns, in order.
    #[must_use]
    pub fn output_dtypes(&self) -> Vec<DType> {
        self.outputs
            .iter()
            .map(|&id| self.nodes[id].dtype)
            .collect()
    }

    /// Runs the program over columns of one length, on up to `threads` threads.
    ///
    /// # Errors
    ///
    /// When the columns don't fit the program; then nothing is written.
    pub fn run(
        &self,
        inputs: &[Column<'_>],
        outputs: &mut [ColumnMut<'_>],
        threads: usize,
    ) -> Result<Outcome, ProgramError> {
        let rows = self.check_columns(inputs, outputs)?;
        let mut memory = Memory {
            inputs: inputs.iter().map(Column::address).collect(),
            outputs: outputs.iter_mut().map(ColumnMut::address).collect(),
            scratch: (self.plan.scratch.iter())
                .map(|dtype| Buffer::new(dtype.size() * rows))
                .collect(),
            scalars: self.nodes.iter().map(|_| UnsafeCell::default()).collect(),
            rows,
            big: outputs
                .iter()
                .map(|out| out.dtype().size() * rows)
                .sum::<usize>()
                >= LARGE,
        };
        let blocks = blocks(rows);
        let mut flagged = vec![0; self.nodes.len()];
        for phase in &self.plan.phases {
            self.run_phase(phase, &mut memory, &blocks, threads, &mut flagged);
        }
        Ok(Outcome {
            scalars: (self.results.iter())
                .map(|&id| Scalar::from_cell(self.nodes[id].dtype, memory.scalar(id)))
                .collect(),
            flags: self.flags(&flagged),
        })
    }

    fn flags(&self, flagged: &[u32]) -> Vec<(NodeId, u32)> {
        let mut flags: Vec<(NodeId, u32)> = Vec::new();
        for (&id, &bits) in self.origin.iter().zip(flagged) {
            match flags.last_mut() {
                _ if bits == 0 => {}
                Some((last, all)) if *last == id => *all |= bits,
                _ => flags.push((id, bits)),
            }
        }
        flags
    }

    fn check_columns(
        &self,
        inputs: &[Column<'_>],
        outputs: &[ColumnMut<'_>],
    ) -> Result<usize, ProgramError> {
        let counts = [
            ("inputs", inputs.len(), self.inputs.len()),
            ("output columns", outputs.len(), self.outputs.len()),
        ];
        for (what, given, expected) in counts {
            if given != expected {
                return Err(ProgramError(format!("{given} {what}, expected {expected}")));
            }
        }
        let expected_inputs = self.inputs.iter().copied();
        let expected_outputs = self.output_dtypes().into_iter().map(Some);
        let given_inputs = inputs.iter().map(|c| (c.dtype(), c.rows()));
        let given_outputs = outputs.iter().map(|c| (c.dtype(), c.rows()));
        let mut rows = None;
        let given = given_inputs
            .zip(expected_inputs)
            .enumerate()
            .map(|(i, g)| ("input", i, g));
        let given = given.chain(
            given_outputs
                .zip(expected_outputs)
                .enumerate()
                .map(|(i, g)| ("output", i, g)),
        );
        for (what, index, ((dtype, length), expected)) in given {
            if let Some(expected) = expected.filter(|&expected| expected != dtype) {
                return Err(ProgramError(format!(
                    "{what} {index} is {dtype}, expected {expected}"
                )));
            }
            if *rows.get_or_insert(length) != length {
                return Err(ProgramError(format!(
                    "{what} {index} has {length} rows, others have {}",
                    rows.unwrap_or_default()
                )));
            }
        }
        Ok(rows.unwrap_or(0))
    }

    fn run_phase(
        &self,
        phase: &Phase,
        memory: &mut Memory,
        blocks: &[Range<usize>],
        threads: usize,
        flagged: &mut [u32],
    ) {
        let none = Buffer::new(0);
        for &id in &phase.scalars {
            // SAFETY: nothing else runs; scalars use no registers and read scalars only.
            unsafe {
                let block = memory.block(&phase.places, &none, 0..1);
                compute(&self.nodes, id, Place::Scalar, &block, &mut flagged[id]);
            }
        }
        let mut partials = vec![Partial::default(); phase.folds.len() * blocks.len()];
        if !phase.steps.is_empty() {
            self.walk(phase, memory, blocks, threads, &mut partials, flagged);
        }
        for (index, &id) in phase.folds.iter().enumerate() {
            let of_blocks = partials
                .iter()
                .skip(index)
                .step_by(phase.folds.len())
                .copied();
            let value = finish(&self.nodes, id, memory.rows, of_blocks, &mut flagged[id]);
            memory.set_scalar(id, value);
        }
        for (id, value, bits) in self.reduce_whole(phase, memory, threads) {
            memory.set_scalar(id, value);
            flagged[id] |= bits;
        }
    }

    /// Runs the phase's steps over all blocks.
    fn walk(
        &self,
        phase: &Phase,
        memory: &Memory,
        blocks: &[Range<usize>],
        threads: usize,
        partials: &mut [Partial],
        flagged: &mut [u32],
    ) {
        let folds = phase.folds.len();
        let mut chunks = Vec::with_capacity(blocks.len() / BLOCKS_AT_A_TIME + 1);
        let mut rest = partials;
        for blocks in blocks.chunks(BLOCKS_AT_A_TIME) {
            let (own, others) = rest.split_at_mut(folds * blocks.len());
            chunks.push(Mutex::new((blocks, own)));
            rest = others;
        }
        let next = AtomicUsize::new(0);
        let all = Mutex::new(flagged);
        together(threads.min(chunks.len()), || {
            let registers = Buffer::new(phase.registers * BLOCK * 8);
            let mut flagged = vec![0; self.nodes.len()];
            while let Some(chunk) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut chunk = chunk.lock().unwrap_or_else(PoisonError::into_inner);
                let (blocks, partials) = &mut *chunk;
                for (index, rows) in blocks.iter().enumerate() {
                    let partials = &mut partials[folds * index..][..folds];
                    // SAFETY: the plan was made for this memory, whose columns were checked;
                    // `next` gives each block to one thread, and registers are this thread's own.
                    let block = unsafe { memory.block(&phase.places, &registers, rows.clone()) };
                    self.run_block(phase, &block, partials, &mut flagged);
                }
            }
            settle();
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            for (all, own) in all.iter_mut().zip(flagged) {
                *all |= own;
            }
        });
    }

    fn run_block(
        &self,
        phase: &Phase,
        block: &Block<'_>,
        partials: &mut [Partial],
        flagged: &mut [u32],
    ) {
        for &step in &phase.steps {
            match step {
                // SAFETY: no slice outlives a step, and a plan never writes what a step reads.
                Step::Compute(id) => unsafe {
                    compute(&self.nodes, id, phase.places[id], block, &mut flagged[id]);
                },
                Step::Fold { node, index } => {
                    partials[index] = fold(&self.nodes, node, block, &mut flagged[node]);
                }
                Step::Copy { node, output } => with_any!(self.nodes[node].dtype, T => {
                    // SAFETY: as above; a column is never copied to where it is.
                    let out = unsafe { block.out::<T>(Place::Output(output), node) };
                    write(out, block.column(node), block.is_big());
                }),
                Step::Emit {
                    node,
                    output,
                    register,
                } if block.is_big() => with_any!(self.nodes[node].dtype, T => {
                    let register = Place::Register(register);
                    // SAFETY: as above; the plan leaves the register to this step alone.
                    unsafe {
                        compute(&self.nodes, node, register, block, &mut flagged[node]);
                        let values = &*block.out::<T>(register, node);
                        write(block.out(Place::Output(output), node), values, true);
                    }
                }),
                Step::Emit { node, output, .. } => {
                    let output = Place::Output(output);
                    // SAFETY: as above.
                    unsafe { compute(&self.nodes, node, output, block, &mut flagged[node]) };
                }
            }
        }
    }

    /// Makes the phase's reductions of whole columns, each on one thread.
    fn reduce_whole(
        &self,
        phase: &Phase,
        memory: &Memory,
        threads: usize,
    ) -> Vec<(NodeId, Cell, u32)> {
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::with_capacity(phase.whole.len()));
        together(threads.min(phase.whole.len()), || {
            let none = Buffer::new(0);
            while let Some(&id) = phase.whole.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut bits = 0;
                // SAFETY: the plan was made for this memory, and nobody writes now.
                let block = unsafe { memory.block(&self.plan.homes, &none, 0..memory.rows) };
                let value = reduce_whole(&self.nodes, id, &block, &mut bits);
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                done.push((id, value, bits));
            }
        });
        done.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The dtype of each input, where a node reads it.
fn inputs(nodes: &[Node]) -> Result<Vec<Option<DType>>, ProgramError> {
    let mut inputs: Vec<Option<DType>> = Vec::new();
    for (id, node) in nodes.iter().enumerate() {
        if let Op::Input(index) = node.op {
            // A limit that no frame reaches, so that a wrong number can't exhaust the memory.
            if index >= 1 << 20 {
                return Err(ProgramError(format!(
                    "node {id}: there is no input {index}"
                )));
            }
            if inputs.len() <= index {
                inputs.resize(index + 1, None);
            }
            if inputs[index]
                .replace(node.dtype)
                .is_some_and(|other| other != node.dtype)
            {
                return Err(ProgramError(format!(
                    "node {id}: input {index} has two dtypes"
                )));
            }
        }
    }
    Ok(inputs)
}

/// Writes variances as the passes that they take. Gives the new nodes, the old number of each,
/// and the new number of each old node.
fn lower(nodes: &[Node]) -> (Vec<Node>, Vec<NodeId>, Vec<NodeId>) {
    let mut lowered: Vec<Node> = Vec::with_capacity(nodes.len());
    let mut origin = Vec::with_capacity(nodes.len());
    let mut internal = Vec::with_capacity(nodes.len());
    for (id, node) in nodes.iter().enumerate() {
        let mut push = |op: Op, dtype: DType| {
            origin.push(id);
            lowered.push(Node::new(op, dtype));
            lowered.len() - 1
        };
        let op = node.op.map_operands(|a| internal[a]);
        internal.push(match op {
            Op::Reduce(Reduction::Var(ddof), a) => {
                let of = node.dtype;
                let count = push(Op::Reduce(Reduction::Count, a), DType::I64);
                let sum = push(Op::Reduce(Reduction::Sum, a), DType::F64);
                let mean = push(Op::Mean { sum, count, of }, DType::F64);
                let squares = Reduction::SquaredDistances(mean);
                let squares = push(Op::Reduce(squares, a), DType::F64);
                push(
                    Op::Variance {
                        squares,
                        count,
                        ddof,
                    },
                    of,
                )
            }
            op => push(op, node.dtype),
        });
    }
    (lowered, origin, internal)
}
