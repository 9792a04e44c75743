//! Programs against an evaluator that computes one whole column after the other.

use proptest::prelude::*;
use stratum_native_ops::{
    Arithmetic, Bool, Column, ColumnMut, Comparison, DType, Node, NodeId, Op, Program, Reduction,
    Scalar, Unary,
};

/// What a node is worth, written down as plainly as can be.
#[derive(Clone, Debug)]
enum Value {
    Column(Vec<f64>),
    Scalar(f64),
}

impl Value {
    fn at(&self, row: usize) -> f64 {
        match self {
            Self::Column(values) => values[row],
            Self::Scalar(value) => *value,
        }
    }

    fn zip(values: &[&Self], rows: usize, f: impl Fn(&[f64]) -> f64) -> Self {
        let row = |row: usize| f(&values.iter().map(|v| v.at(row)).collect::<Vec<_>>());
        if values.iter().any(|v| matches!(v, Self::Column(_))) {
            Self::Column((0..rows).map(row).collect())
        } else {
            Self::Scalar(row(0))
        }
    }
}

fn sorted(values: &Value) -> Vec<f64> {
    let Value::Column(values) = values else {
        panic!("reductions are of columns");
    };
    let mut present: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    present.sort_by(f64::total_cmp);
    present
}

fn evaluate(nodes: &[Node], inputs: &[Vec<f64>], rows: usize) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::new();
    for node in nodes {
        let zip2 = |a: NodeId, b: NodeId, f: fn(f64, f64) -> f64| {
            Value::zip(&[&values[a], &values[b]], rows, |v| f(v[0], v[1]))
        };
        let value = match node.op {
            Op::Input(index) => Value::Column(inputs[index].clone()),
            Op::Const(value) => Value::Scalar(value.get()),
            Op::Arithmetic(Arithmetic::Add, a, b) => zip2(a, b, |a, b| a + b),
            Op::Arithmetic(Arithmetic::Sub, a, b) => zip2(a, b, |a, b| a - b),
            Op::Arithmetic(Arithmetic::Mul, a, b) => zip2(a, b, |a, b| a * b),
            Op::Arithmetic(_, a, b) => zip2(a, b, |a, b| a / b),
            // Bools are 0 and 1 here.
            Op::Compare(_, a, b) => zip2(a, b, |a, b| f64::from(a < b)),
            Op::Unary(_, a) => Value::zip(&[&values[a]], rows, |v| -v[0]),
            Op::Select(c, a, b) => Value::zip(&[&values[c], &values[a], &values[b]], rows, |v| {
                if v[0] != 0.0 { v[1] } else { v[2] }
            }),
            Op::Reduce(reduction, a) => {
                let present = sorted(&values[a]);
                let (n, nan) = (present.len(), f64::NAN);
                Value::Scalar(match reduction {
                    Reduction::Min => present.first().copied().unwrap_or(nan),
                    Reduction::Max => present.last().copied().unwrap_or(nan),
                    _ if n == 0 => nan,
                    // NumPy takes the mean of the middle values, which it adds to 0.0: never -0.0.
                    _ if n % 2 == 1 => present[n / 2] + 0.0,
                    _ => (present[n / 2 - 1] + present[n / 2]) / 2.0 + 0.0,
                })
            }
            ref op => panic!("not generated: {op:?}"),
        };
        values.push(value);
    }
    values
}

/// Builds nodes from random numbers: any choice gives a well-formed program.
fn build(choices: &[(u8, u16, u16)]) -> Vec<Node> {
    let f64_node = |op| Node::new(op, DType::F64);
    let mut nodes: Vec<Node> = (0..3).map(|i| f64_node(Op::Input(i))).collect();
    nodes.push(f64_node(Op::Const(Scalar::new(1.5))));
    let mut columns = vec![true, true, true, false];
    for &(kind, a, b) in choices {
        let floats: Vec<NodeId> = (0..nodes.len())
            .filter(|&id| nodes[id].dtype == DType::F64)
            .collect();
        // Prefer recent nodes, so that programs grow deep.
        let pick =
            |choice: u16| floats[floats.len() - 1 - usize::from(choice) % floats.len().min(6)];
        let (a, b) = (pick(a), pick(b));
        let reduction = [Reduction::Min, Reduction::Max, Reduction::Median];
        match kind % 9 {
            0 | 1 => nodes.push(f64_node(Op::Arithmetic(Arithmetic::Add, a, b))),
            2 => nodes.push(f64_node(Op::Arithmetic(Arithmetic::Sub, a, b))),
            3 => nodes.push(f64_node(Op::Arithmetic(Arithmetic::Mul, a, b))),
            4 => nodes.push(f64_node(Op::Arithmetic(Arithmetic::TrueDiv, a, b))),
            5 => nodes.push(f64_node(Op::Unary(Unary::Neg, a))),
            6 => {
                nodes.push(Node::new(Op::Compare(Comparison::Lt, a, b), DType::Bool));
                columns.push(columns[a] || columns[b]);
                nodes.push(f64_node(Op::Select(nodes.len() - 1, b, a)));
            }
            _ if columns[a] => {
                let reduction = reduction[usize::from(kind) % 3];
                nodes.push(f64_node(Op::Reduce(reduction, a)));
                columns.push(false);
                continue;
            }
            _ => nodes.push(f64_node(Op::Unary(Unary::Neg, a))),
        }
        columns.push(
            columns[a]
                || columns[b]
                    && !matches!(
                        nodes.last(),
                        Some(Node {
                            op: Op::Unary(..),
                            ..
                        })
                    ),
        );
    }
    nodes
}

/// Equal, where zeros may differ in sign: which zero a median or an extreme is stays open.
fn equal(a: f64, b: f64) -> bool {
    a == b || a.is_nan() && b.is_nan()
}

fn column(rows: usize, seed: u64) -> Vec<f64> {
    let mut state = seed | 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    (0..rows)
        .map(|_| match next() % 16 {
            0 => f64::NAN,
            1 => 3.0,
            _ => 1.0 + next() as f64 / 1e8,
        })
        .collect()
}

fn check(nodes: &[Node], wanted: &[NodeId], rows: usize, seed: u64, threads: usize) {
    let inputs: Vec<Vec<f64>> = (0..3).map(|i| column(rows, seed ^ (i << 40))).collect();
    let program = Program::new(nodes, wanted).expect("well-formed");
    let dtypes = program.output_dtypes();
    let mut floats = vec![vec![f64::NAN; rows]; dtypes.len()];
    let mut bools = vec![vec![Bool(9); rows]; dtypes.len()];
    let read = nodes.iter().filter_map(|node| match node.op {
        Op::Input(index) => Some(index + 1),
        _ => None,
    });
    let columns: Vec<Column<'_>> = inputs[..read.max().unwrap_or(0)]
        .iter()
        .map(|c| c.as_slice().into())
        .collect();
    let mut outputs: Vec<ColumnMut<'_>> = (floats.iter_mut().zip(&mut bools))
        .zip(&dtypes)
        .map(|((float, bool), dtype)| match dtype {
            DType::Bool => bool.as_mut_slice().into(),
            _ => float.as_mut_slice().into(),
        })
        .collect();
    let outcome = program
        .run(&columns, &mut outputs, threads)
        .expect("fitting columns");
    let expected = evaluate(nodes, &inputs, rows);
    let mut scalars = outcome.scalars.iter();
    let mut position = 0;
    for &id in wanted {
        match &expected[id] {
            Value::Scalar(value) => {
                let ours = scalars.next().expect("a scalar output");
                let ours = match ours.dtype() {
                    DType::Bool => f64::from(u8::from(ours.get::<Bool>().get())),
                    _ => ours.get(),
                };
                assert!(equal(ours, *value), "scalar {id}: {ours} is not {value}");
            }
            Value::Column(values) => {
                for (row, &value) in values.iter().enumerate() {
                    let ours = match dtypes[position] {
                        DType::Bool => f64::from(u8::from(bools[position][row].get())),
                        _ => floats[position][row],
                    };
                    assert!(
                        equal(ours, value),
                        "node {id}, row {row}: {ours} is not {value}"
                    );
                }
                position += 1;
            }
        }
    }
}

proptest! {
    #[test]
    fn programs_compute_what_their_nodes_say(
        choices in prop::collection::vec(any::<(u8, u16, u16)>(), 1..40),
        wanted in prop::collection::vec(any::<prop::sample::Index>(), 1..8),
        rows in prop_oneof![0_usize..4, 2040_usize..2060, 4000_usize..10_000],
        threads in 1_usize..4,
        seed: u64,
    ) {
        let nodes = build(&choices);
        let wanted: Vec<NodeId> = wanted.iter().map(|index| index.index(nodes.len())).collect();
        check(&nodes, &wanted, rows, seed, threads);
    }
}

#[test]
fn nothing_in_nothing_out() {
    let program = Program::new(&[], &[]).expect("an empty program");
    let outcome = program.run(&[], &mut [], 2).expect("no columns to fit");
    assert!(outcome.scalars.is_empty() && outcome.flags.is_empty());
}

#[test]
fn variance_needs_more_values_than_degrees_of_freedom() {
    let nodes = [
        Node::new(Op::Input(0), DType::F64),
        Node::new(Op::Reduce(Reduction::Var(1), 0), DType::F64),
    ];
    let program = Program::new(&nodes, &[1]).expect("well-formed");
    let var = |values: &[f64]| {
        let outcome = program
            .run(&[values.into()], &mut [], 1)
            .expect("one column");
        outcome.scalars[0].get::<f64>()
    };
    assert!(var(&[]).is_nan());
    assert!(var(&[4.0]).is_nan());
    assert!(var(&[4.0, f64::NAN]).is_nan());
    assert_eq!(var(&[1.0, f64::NAN, 3.0]), 2.0);
}

#[test]
fn an_output_that_lent_its_memory_is_reduced_when_it_is_back() {
    // y is dear, so it is stored until its maximum is known: where z will be.
    let f64_node = |op| Node::new(op, DType::F64);
    let nodes = [
        f64_node(Op::Input(0)),
        f64_node(Op::Const(Scalar::new(7.0))),
        f64_node(Op::Arithmetic(Arithmetic::Mod, 0, 1)),
        f64_node(Op::Reduce(Reduction::Max, 2)),
        f64_node(Op::Arithmetic(Arithmetic::Sub, 2, 3)),
        f64_node(Op::Reduce(Reduction::Median, 4)),
    ];
    let program = Program::new(&nodes, &[4, 5]).expect("well-formed");
    for rows in [1, 10, 3000] {
        let x: Vec<f64> = (0..rows).map(f64::from).collect();
        let mut z = vec![0.0; x.len()];
        let columns = [x.as_slice().into()];
        let outcome = program
            .run(&columns, &mut [z.as_mut_slice().into()], 1)
            .expect("one column");
        let max = x.iter().map(|x| x % 7.0).fold(0.0, f64::max);
        assert!(z.iter().zip(&x).all(|(z, x)| *z == x % 7.0 - max));
        let mut sorted = z.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = (sorted[(x.len() - 1) / 2] + sorted[x.len() / 2]) / 2.0;
        assert_eq!(outcome.scalars[0].get::<f64>(), middle);
    }
}
