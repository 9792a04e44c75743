//! The memory that a running program reads and writes: the one place that turns places to slices.

use crate::buffer::Buffer;
use crate::column::Arg;
use crate::dtype::{Cell, Element};
use crate::node::NodeId;
use crate::plan::Place;
use crate::reduce::pairwise::BLOCK;
use std::cell::UnsafeCell;
use std::ops::Range;

/// The columns and scalars of one run.
pub(crate) struct Memory {
    pub(crate) inputs: Vec<*const u8>,
    pub(crate) outputs: Vec<*mut u8>,
    pub(crate) scratch: Vec<Buffer>,
    /// One for each node, used by scalar nodes.
    pub(crate) scalars: Vec<UnsafeCell<Cell>>,
    pub(crate) rows: usize,
    /// Whether what is written will not stay in the caches.
    pub(crate) big: bool,
}

// SAFETY: threads share it only while they walk over blocks: each writes rows that no other thread
// touches, and scalars are written between the walks (see `Block`).
unsafe impl Sync for Memory {}

impl Memory {
    pub(crate) fn scalar(&self, node: NodeId) -> Cell {
        // SAFETY: cells are written only by `Block::out`, whose contract forbids that now.
        unsafe { *self.scalars[node].get() }
    }

    /// Stores a scalar; the borrow shows that no walk is going on.
    pub(crate) fn set_scalar(&mut self, node: NodeId, value: Cell) {
        *self.scalars[node].get_mut() = value;
    }

    /// A block of rows seen by one thread, with the thread's own registers.
    ///
    /// # Safety
    ///
    /// `places` and the dtypes that the block is asked for are those of a plan for this memory:
    /// every column holds as many elements of its dtype as the memory has rows, and no other
    /// thread has a block with the same rows or the same registers.
    pub(crate) unsafe fn block<'a>(
        &'a self,
        places: &'a [Place],
        registers: &'a Buffer,
        rows: Range<usize>,
    ) -> Block<'a> {
        Block {
            memory: self,
            places,
            registers,
            rows,
        }
    }
}

/// Some rows of all columns.
pub(crate) struct Block<'a> {
    memory: &'a Memory,
    places: &'a [Place],
    registers: &'a Buffer,
    rows: Range<usize>,
}

impl Block<'_> {
    /// Whether the program runs over a single row, or this is the evaluation of a scalar.
    pub(crate) fn is_single(&self) -> bool {
        self.memory.rows == 1
    }

    /// Whether the run writes so much that it will not stay in the caches.
    pub(crate) fn is_big(&self) -> bool {
        self.memory.big
    }

    fn address<T: Element>(&self, place: Place) -> *mut T {
        let column = match place {
            Place::Input(index) => self.memory.inputs[index].cast_mut(),
            Place::Output(index) => self.memory.outputs[index],
            Place::Scratch(index) => self.memory.scratch[index].start(),
            Place::Register(index) => {
                let start = index * BLOCK * 8;
                assert!(self.rows.len() <= BLOCK && start + BLOCK * 8 <= self.registers.bytes());
                // SAFETY: the register is inside the buffer (asserted).
                return unsafe { self.registers.start().add(start).cast() };
            }
            Place::Scalar | Place::Nowhere => unreachable!("not a column"),
        };
        assert!(self.rows.end <= self.memory.rows);
        // SAFETY: `block`'s contract: the column has all of the memory's rows.
        unsafe { column.cast::<T>().add(self.rows.start) }
    }

    /// The values of a node.
    pub(crate) fn arg<T: Element>(&self, node: NodeId) -> Arg<'_, T> {
        match self.places[node] {
            Place::Scalar => Arg::Scalar(self.memory.scalar(node).get()),
            _ => Arg::Column(self.column(node)),
        }
    }

    /// The values of a node that is a column.
    pub(crate) fn column<T: Element>(&self, node: NodeId) -> &[T] {
        let start = self.address::<T>(self.places[node]);
        // SAFETY: `block`'s contract, and no step writes what it reads (see `out`).
        unsafe { std::slice::from_raw_parts(start, self.rows.len()) }
    }

    /// Where to write the values of a node.
    ///
    /// # Safety
    ///
    /// No other slice of the same place may be alive: a plan never gives a node the place of one
    /// of its operands, and slices live only as long as a step.
    #[expect(clippy::mut_from_ref, reason = "the contract makes it exclusive")]
    pub(crate) unsafe fn out<T: Element>(&self, place: Place, node: NodeId) -> &mut [T] {
        if place == Place::Scalar {
            let cell = self.memory.scalars[node].get();
            // SAFETY: a cell has room for any element; the contract makes the slice exclusive.
            return unsafe { std::slice::from_raw_parts_mut(cell.cast(), 1) };
        }
        let start = self.address::<T>(place);
        // SAFETY: `block`'s contract and this function's.
        unsafe { std::slice::from_raw_parts_mut(start, self.rows.len()) }
    }
}
