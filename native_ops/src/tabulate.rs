//! Functions of a field of dates that has few values: looked up instead of computed.
//!
//! `sin(hour * c)` has 24 values. What follows from such a field alone, and costs more than looking
//! it up, is computed for all its values when the program is made, by the same kernels.

use crate::column::ColumnMut;
use crate::dtype::{DType, with_any};
use crate::error::ProgramError;
use crate::listed::{LISTED, Listed};
use crate::node::{Node, NodeId, Op};
use crate::plan::{CHEAP, own_cost};
use crate::program::Program;

/// Puts lists in place of nodes.
///
/// # Errors
///
/// When the nodes are no program.
pub(crate) fn tabulate(nodes: &mut [Node]) -> Result<(), ProgramError> {
    for root in 0..nodes.len() {
        if let Op::Date(part, _) = nodes[root].op
            && let Some(count) = part.count().filter(|&count| count <= LISTED)
        {
            tabulate_field(nodes, root, count)?;
        }
    }
    Ok(())
}

/// Puts lists in place of what follows from the field `root` alone, which is below `count`.
fn tabulate_field(nodes: &mut [Node], root: NodeId, count: usize) -> Result<(), ProgramError> {
    let mut own = vec![Node::new(Op::Input(0), DType::I32)];
    // By node that is a constant or follows from the field: its number among `own`.
    let mut known: Vec<Option<NodeId>> = vec![None; nodes.len()];
    // What it costs to compute where it follows from the field.
    let mut cost: Vec<Option<u32>> = vec![None; nodes.len()];
    (known[root], cost[root]) = (Some(0), Some(0));
    for (id, node) in nodes.iter().enumerate() {
        let mut costs = node.op.operands().filter_map(|a| cost[a]).peekable();
        if costs.peek().is_some() {
            if !is_elementwise(&node.op) || node.op.operands().any(|a| known[a].is_none()) {
                continue;
            }
            cost[id] = Some(costs.fold(own_cost(&node.op), u32::saturating_add));
        } else if !matches!(node.op, Op::Const(_)) {
            continue;
        }
        known[id] = Some(own.len());
        let op = (node.op).map_operands(|a| known[a].expect("operands are known"));
        own.push(Node::new(op, node.dtype));
    }
    for (id, node) in nodes.iter_mut().enumerate() {
        if let (Some(number), Some(cost)) = (known[id], cost[id])
            && cost > CHEAP
            && let Some(values) = list(&own, number, count)?
        {
            node.op = Op::Listed(root, values);
        }
    }
    Ok(())
}

/// Whether each value follows from those of the operands in the same row, wherever that is.
fn is_elementwise(op: &Op) -> bool {
    match op {
        // NumPy's loops of two operands may treat a column of one row differently.
        Op::Ufunc(_, _, second) => second.is_none(),
        Op::Input(_) | Op::Date(..) | Op::Reduce(..) | Op::Mean { .. } | Op::Variance { .. } => {
            false
        }
        _ => true,
    }
}

/// The values of a node, unless something happens on the way that a run has to tell.
fn list(nodes: &[Node], id: NodeId, count: usize) -> Result<Option<Listed>, ProgramError> {
    let numbers: Vec<i32> = (0..).take(count).collect();
    with_any!(nodes[id].dtype, T => {
        let mut out = vec![<T>::default(); count];
        let program = Program::new(nodes, &[id])?;
        let columns: &mut [ColumnMut<'_>] = &mut [out.as_mut_slice().into()];
        let flags = program.run(&[numbers.as_slice().into()], columns, 1)?.flags;
        Ok(flags.is_empty().then(|| Listed::new(out.as_slice().into())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dates::{DatePart, Field, TimeUnit};
    use crate::dtype::Scalar;
    use crate::node::{Arithmetic, Unary};

    /// The root of the hour, or of the hour less 30, as nodes that come after the times.
    fn roots(less: f64) -> Vec<Node> {
        let hour = DatePart::of(Field::Hour, TimeUnit::Second);
        vec![
            Node::new(Op::Input(0), DType::I64),
            Node::new(Op::Date(hour, 0), DType::I32),
            Node::new(Op::Cast(1), DType::F64),
            Node::new(Op::Const(Scalar::new(less)), DType::F64),
            Node::new(Op::Arithmetic(Arithmetic::Sub, 2, 3), DType::F64),
            Node::new(Op::Unary(Unary::Sqrt, 4), DType::F64),
            Node::new(Op::Const(Scalar::new(7.0)), DType::F64),
            Node::new(Op::Arithmetic(Arithmetic::Mod, 5, 6), DType::F64),
        ]
    }

    #[test]
    fn what_follows_from_the_hour_is_looked_up() {
        let mut nodes = roots(0.0);
        tabulate(&mut nodes).unwrap();
        assert!(matches!(nodes[7].op, Op::Listed(1, _)));
        let program = Program::new(&roots(0.0), &[7]).unwrap();
        let times: Vec<i64> = (0..5_000).map(|i| i * 1_801).collect();
        let mut out = vec![0.0_f64; times.len()];
        let columns: &mut [ColumnMut<'_>] = &mut [out.as_mut_slice().into()];
        let found = program.run(&[times.as_slice().into()], columns, 1).unwrap();
        assert!(found.flags.is_empty());
        for (time, value) in times.iter().zip(out) {
            let hour = (time / 3_600 % 24) as f64;
            assert_eq!(value.to_bits(), (hour.sqrt() % 7.0).to_bits());
        }
    }

    #[test]
    fn exceptions_come_from_rows_that_are_there() {
        let mut nodes = roots(5.0); // roots of negative numbers
        tabulate(&mut nodes).unwrap();
        assert!(!nodes.iter().any(|node| matches!(node.op, Op::Listed(..))));
    }
}
