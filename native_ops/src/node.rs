//! The nodes of a program and the rules that make them well-formed.

use crate::dates::DatePart;
use crate::dtype::{DType, Scalar};
use crate::error::ProgramError;
use crate::kernels::ufunc::UfuncLoop;
use crate::listed::Listed;
use crate::table::{LookupTable, Set};
/// Index of a node in its program.
pub type NodeId = usize;

/// Arithmetic on two operands of the node's dtype.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Arithmetic {
    Add,
    Sub,
    Mul,
    TrueDiv,
    FloorDiv,
    Mod,
    /// Integer power; floats go through NumPy's loop.
    Power,
}

/// Comparison of two operands of one dtype.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// Logic on bools, bitwise on integers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Logic {
    And,
    Or,
    Xor,
}

/// A function of one operand of the node's dtype.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Unary {
    Neg,
    Abs,
    Not,
    Rint,
    Sqrt,
}

/// A reduction of a column to a scalar, in which missing values are skipped as pandas does.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Reduction {
    /// The number of values that are not missing (i64).
    Count,
    /// The sum, in NumPy's pairwise order.
    Sum,
    /// The median.
    Median,
    /// The quantile of this fraction, between two values as NumPy interpolates linearly (f64).
    Quantile(f64),
    /// The smallest value.
    Min,
    /// The largest value.
    Max,
    /// The variance with this number of lost degrees of freedom.
    Var(i64),
    /// The smallest of the most frequent values.
    Mode,
    /// The sum of squared distances from a scalar, the second pass of a variance (f64).
    SquaredDistances(NodeId),
}

/// What a node computes.
#[derive(Clone, Debug)]
pub enum Op {
    /// The input column of this index.
    Input(usize),
    /// A constant.
    Const(Scalar),
    /// The operand converted to the node's dtype, as `ndarray.astype`.
    Cast(NodeId),
    /// Arithmetic.
    Arithmetic(Arithmetic, NodeId, NodeId),
    /// A comparison; the node is bool.
    Compare(Comparison, NodeId, NodeId),
    /// Logic.
    Logic(Logic, NodeId, NodeId),
    /// A function of one operand.
    Unary(Unary, NodeId),
    /// Whether the operand is NaN; the node is bool.
    IsNan(NodeId),
    /// The second operand where the first, a bool, is true, else the third.
    Select(NodeId, NodeId, NodeId),
    /// One of NumPy's own inner loops, with one or two operands of the node's dtype.
    Ufunc(UfuncLoop, NodeId, Option<NodeId>),
    /// Whether the operand is in the set; the node is bool.
    IsIn(NodeId, Set),
    /// The value that the table has for the operand.
    Lookup(NodeId, LookupTable),
    /// The value that the list has at the operand, an i32.
    Listed(NodeId, Listed),
    /// A part of a date: i64, or days as i32, to i32.
    Date(DatePart, NodeId),
    /// A reduction of a column.
    Reduce(Reduction, NodeId),
    /// A sum (f64) over a count (i64), as the first pass of a variance of `of` divides them.
    Mean {
        /// The sum.
        sum: NodeId,
        /// The count.
        count: NodeId,
        /// The dtype of what was summed, which is the dtype of NumPy's divisor.
        of: DType,
    },
    /// A sum of squared distances (f64) over the degrees of freedom.
    Variance {
        /// The sum of squared distances.
        squares: NodeId,
        /// The number of values.
        count: NodeId,
        /// The degrees of freedom that are lost.
        ddof: i64,
    },
}

impl Op {
    /// The same operation on other operands.
    pub(crate) fn map_operands(&self, to: impl Fn(NodeId) -> NodeId) -> Self {
        let mut op = self.clone();
        match &mut op {
            Self::Input(_) | Self::Const(_) => {}
            Self::Cast(a) | Self::Unary(_, a) | Self::IsNan(a) => *a = to(*a),
            Self::IsIn(a, _) | Self::Lookup(a, _) | Self::Listed(a, _) | Self::Date(_, a) => {
                *a = to(*a);
            }
            Self::Arithmetic(_, a, b) | Self::Compare(_, a, b) | Self::Logic(_, a, b) => {
                (*a, *b) = (to(*a), to(*b));
            }
            Self::Select(a, b, c) => (*a, *b, *c) = (to(*a), to(*b), to(*c)),
            Self::Ufunc(_, a, b) => (*a, *b) = (to(*a), b.map(to)),
            Self::Reduce(reduction, a) => {
                *a = to(*a);
                if let Reduction::SquaredDistances(mean) = reduction {
                    *mean = to(*mean);
                }
            }
            Self::Mean { sum, count, .. } => (*sum, *count) = (to(*sum), to(*count)),
            Self::Variance { squares, count, .. } => {
                (*squares, *count) = (to(*squares), to(*count));
            }
        }
        op
    }

    /// The nodes that this one reads.
    pub(crate) fn operands(&self) -> impl Iterator<Item = NodeId> + use<> {
        let ids = match *self {
            Self::Input(_) | Self::Const(_) => [None; 3],
            Self::Cast(a)
            | Self::Unary(_, a)
            | Self::IsNan(a)
            | Self::IsIn(a, _)
            | Self::Lookup(a, _)
            | Self::Listed(a, _)
            | Self::Date(_, a) => [Some(a), None, None],
            Self::Reduce(Reduction::SquaredDistances(mean), a) => [Some(a), Some(mean), None],
            Self::Reduce(_, a) => [Some(a), None, None],
            Self::Arithmetic(_, a, b) | Self::Compare(_, a, b) | Self::Logic(_, a, b) => {
                [Some(a), Some(b), None]
            }
            Self::Ufunc(_, a, b) => [Some(a), b, None],
            Self::Mean { sum, count, .. } => [Some(sum), Some(count), None],
            Self::Variance { squares, count, .. } => [Some(squares), Some(count), None],
            Self::Select(a, b, c) => [Some(a), Some(b), Some(c)],
        };
        ids.into_iter().flatten()
    }
}

/// A node: what it computes and the dtype of the result.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it computes.
    pub op: Op,
    /// The dtype of the result.
    pub dtype: DType,
}

impl Node {
    /// A node.
    #[must_use]
    pub fn new(op: Op, dtype: DType) -> Self {
        Self { op, dtype }
    }
}

/// Whether each node is a column (else a scalar), if all nodes are well-formed.
pub(crate) fn check(nodes: &[Node]) -> Result<Vec<bool>, ProgramError> {
    let mut columns = Vec::with_capacity(nodes.len());
    for (id, node) in nodes.iter().enumerate() {
        if let Some(operand) = node.op.operands().find(|&operand| operand >= id) {
            return Err(ProgramError(format!(
                "node {id} reads node {operand}, which does not come before it"
            )));
        }
        check_dtypes(nodes, node).map_err(|why| ProgramError(format!("node {id}: {why}")))?;
        let any_column = node.op.operands().any(|operand| columns[operand]);
        columns.push(match node.op {
            Op::Input(_) => true,
            Op::Reduce(..) if !any_column => {
                return Err(ProgramError(format!("node {id} reduces a scalar")));
            }
            Op::Reduce(..) => false,
            _ => any_column,
        });
    }
    Ok(columns)
}

fn check_dtypes(nodes: &[Node], node: &Node) -> Result<(), String> {
    let of = |id: NodeId| nodes[id].dtype;
    let dtype = node.dtype;
    let same = |ids: &[NodeId], expected: DType| match ids.iter().find(|&&id| of(id) != expected) {
        Some(&id) => Err(format!("operand {id} is {}, expected {expected}", of(id))),
        None => Ok(()),
    };
    let require = |holds: bool| {
        if holds {
            Ok(())
        } else {
            Err(format!("not supported for {dtype}"))
        }
    };
    match node.op {
        Op::Input(_) | Op::Cast(_) => Ok(()),
        Op::Const(value) => require(value.dtype() == dtype),
        Op::Arithmetic(op, a, b) => {
            same(&[a, b], dtype)?;
            require(match op {
                Arithmetic::TrueDiv => dtype.is_float(),
                Arithmetic::Power => dtype.is_integer(),
                _ => dtype != DType::Bool,
            })
        }
        Op::Compare(_, a, b) => {
            same(&[b], of(a))?;
            require(dtype == DType::Bool)
        }
        Op::Logic(_, a, b) => {
            same(&[a, b], dtype)?;
            require(!dtype.is_float())
        }
        Op::Unary(op, a) => {
            same(&[a], dtype)?;
            require(match op {
                Unary::Neg | Unary::Abs => dtype != DType::Bool,
                Unary::Not => !dtype.is_float(),
                Unary::Rint | Unary::Sqrt => dtype.is_float(),
            })
        }
        Op::IsNan(a) => require(dtype == DType::Bool && of(a).is_float()),
        Op::Select(condition, a, b) => {
            same(&[condition], DType::Bool)?;
            same(&[a, b], dtype)
        }
        Op::Ufunc(ref function, a, b) => {
            same(&[a], dtype)?;
            if let Some(b) = b {
                same(&[b], dtype)?;
            }
            require(function.dtype() == dtype)?;
            if function.operands() == 1 + usize::from(b.is_some()) {
                Ok(())
            } else {
                Err(format!("the loop takes {} operands", function.operands()))
            }
        }
        Op::IsIn(a, ref set) => {
            same(&[a], set.dtype())?;
            require(dtype == DType::Bool)
        }
        Op::Lookup(a, ref table) => {
            same(&[a], table.key_dtype())?;
            require(dtype == table.value_dtype())
        }
        Op::Listed(a, ref values) => {
            same(&[a], DType::I32)?;
            require(dtype == values.dtype())
        }
        Op::Date(part, a) => {
            same(&[a], part.reads())?;
            require(dtype == DType::I32)
        }
        Op::Mean { sum, count, .. } => {
            same(&[sum], DType::F64)?;
            same(&[count], DType::I64)?;
            require(dtype == DType::F64)
        }
        Op::Variance { squares, count, .. } => {
            same(&[squares], DType::F64)?;
            same(&[count], DType::I64)?;
            require(dtype.is_float())
        }
        Op::Reduce(reduction, a) => {
            let from = of(a);
            let supported = match reduction {
                Reduction::Count => dtype == DType::I64,
                Reduction::Sum => match dtype {
                    DType::F64 => from != DType::Bool,
                    DType::F32 => from == DType::F32,
                    DType::I64 => !from.is_float() && !is_unsigned(from),
                    DType::U64 => is_unsigned(from),
                    _ => false,
                },
                Reduction::Median | Reduction::Var(_) => from.is_float() && dtype == from,
                Reduction::Quantile(fraction) => {
                    from == DType::F64 && dtype == from && (0.0..=1.0).contains(&fraction)
                }
                Reduction::SquaredDistances(mean) => {
                    from.is_float() && dtype == DType::F64 && of(mean) == DType::F64
                }
                Reduction::Min | Reduction::Max | Reduction::Mode => dtype == from,
            };
            if supported {
                Ok(())
            } else {
                Err(format!("no such reduction from {from} to {dtype}"))
            }
        }
    }
}

fn is_unsigned(dtype: DType) -> bool {
    matches!(dtype, DType::U64 | DType::U32 | DType::U16 | DType::U8)
}
