//! Reductions as programs run them: of blocks, of the partial results, and of whole columns.

use crate::column::Arg;
use crate::dtype::{Cell, DType, Element, with_any, with_float};
use crate::flags;
use crate::fpenv::watch;
use crate::kernels::cast::CastTo;
use crate::memory::Block;
use crate::node::{Node, NodeId, Op, Reduction};
use crate::reduce::Partial;
use crate::reduce::extreme::{block_extreme, combine_extremes};
use crate::reduce::median::{median, quantile};
use crate::reduce::mode::mode;
use crate::reduce::pairwise::{combine, converted_sum, pairwise};

/// Reduces the block's rows of a column.
pub(crate) fn fold(nodes: &[Node], id: NodeId, block: &Block<'_>, flagged: &mut u32) -> Partial {
    let node = &nodes[id];
    let Op::Reduce(reduction, a) = node.op else {
        unreachable!("only reductions are folded");
    };
    let value = match reduction {
        Reduction::Count => with_any!(nodes[a].dtype, T => {
            let missing = |count: i64, v: &T| count + i64::from(!v.is_missing());
            Cell::new(block.column::<T>(a).iter().fold(0, missing))
        }),
        Reduction::Sum => watch(flagged, || block_sum(nodes, node, a, block)),
        Reduction::SquaredDistances(mean) => with_float!(nodes[a].dtype, T => {
            let Arg::Scalar(mean) = block.arg::<f64>(mean) else {
                unreachable!("checked when the program was built");
            };
            watch(flagged, || Cell::new(pairwise(block.column::<T>(a), |v| {
                let distance = mean - CastTo::<f64>::cast(v);
                if v.is_nan() { 0.0 } else { distance * distance }
            })))
        }),
        Reduction::Min | Reduction::Max => with_any!(nodes[a].dtype, T => {
            return block_extreme(block.column::<T>(a), reduction == Reduction::Min);
        }),
        Reduction::Median | Reduction::Quantile(_) | Reduction::Mode | Reduction::Var(_) => {
            unreachable!("not reduced block by block")
        }
    };
    Partial {
        value,
        ..Partial::default()
    }
}

fn block_sum(nodes: &[Node], node: &Node, a: NodeId, block: &Block<'_>) -> Cell {
    match node.dtype {
        DType::F64 => Cell::new(pairwise(block.column(a), present::<f64>)),
        DType::F32 => Cell::new(pairwise(block.column(a), present::<f32>)),
        // Integers wrap, so that the order doesn't matter and bits of either sign will do.
        _ => {
            macro_rules! sum {
                ($($name:ident => $T:ty),*) => {
                    match nodes[a].dtype {
                        $(DType::$name => block.column::<$T>(a).iter()
                            .fold(0_i64, |sum, &v| sum.wrapping_add(v as i64)),)*
                        _ => block.column::<crate::dtype::Bool>(a).iter()
                            .fold(0_i64, |sum, v| sum + i64::from(v.get())),
                    }
                };
            }
            Cell::new(sum!(I64 => i64, I32 => i32, I16 => i16, I8 => i8,
                           U64 => u64, U32 => u32, U16 => u16, U8 => u8))
        }
    }
}

/// The value, or 0 if it is missing.
#[inline(always)]
fn present<T: Element>(value: T) -> T {
    if value.is_missing() {
        T::default()
    } else {
        value
    }
}

/// Makes a reduction's result of what its blocks gave.
pub(crate) fn finish(
    nodes: &[Node],
    id: NodeId,
    rows: usize,
    partials: impl Iterator<Item = Partial>,
    flagged: &mut u32,
) -> Cell {
    let node = &nodes[id];
    let Op::Reduce(reduction, _) = node.op else {
        unreachable!("only reductions are folded");
    };
    match reduction {
        Reduction::Min | Reduction::Max => with_any!(node.dtype, T => {
            let best = combine_extremes::<T>(partials, reduction == Reduction::Min);
            if best.zeros == 3 {
                *flagged |= flags::AMBIGUOUS_ZERO;
            }
            if best.empty { nothing(node.dtype, flagged) } else { best.value }
        }),
        _ if node.dtype.is_float() => with_float!(node.dtype, T => {
            let mut sums = partials.map(|partial| partial.value.get::<T>());
            watch(flagged, || Cell::new(combine(rows, &mut sums)))
        }),
        _ => Cell::new(partials.fold(0_i64, |sum, partial| {
            sum.wrapping_add(partial.value.get::<i64>())
        })),
    }
}

/// Reduces a whole column.
pub(crate) fn reduce_whole(
    nodes: &[Node],
    id: NodeId,
    block: &Block<'_>,
    flagged: &mut u32,
) -> Cell {
    let node = &nodes[id];
    let Op::Reduce(reduction, a) = node.op else {
        unreachable!("only reductions reduce");
    };
    match reduction {
        Reduction::Median => with_float!(node.dtype, T => {
            Cell::new(median(block.column::<T>(a), flagged))
        }),
        Reduction::Quantile(fraction) => {
            Cell::new(quantile(block.column::<f64>(a), fraction, flagged))
        }
        Reduction::Mode => with_any!(node.dtype, T => {
            match mode(block.column::<T>(a), flagged) {
                Some(mode) => Cell::new(mode),
                None => {
                    *flagged |= flags::EMPTY;
                    Cell::default()
                }
            }
        }),
        Reduction::Sum => {
            macro_rules! sum {
                ($($name:ident => $T:ty),*) => {
                    match nodes[a].dtype {
                        $(DType::$name => converted_sum(block.column::<$T>(a), |v| present(v) as f64),)*
                        dtype => unreachable!("no converted sum of {dtype}"),
                    }
                };
            }
            watch(flagged, || {
                Cell::new(sum!(F32 => f32, I64 => i64, I32 => i32, I16 => i16,
                I8 => i8, U64 => u64, U32 => u32, U16 => u16, U8 => u8))
            })
        }
        _ => unreachable!("reduced block by block"),
    }
}

/// What pandas gives for the extreme of nothing: NaN, which only floats can hold.
fn nothing(dtype: DType, flagged: &mut u32) -> Cell {
    match dtype {
        DType::F64 => Cell::new(f64::NAN),
        DType::F32 => Cell::new(f32::NAN),
        _ => {
            *flagged |= flags::EMPTY;
            Cell::default()
        }
    }
}
