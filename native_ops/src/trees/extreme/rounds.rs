//! Rounds: each tree is grown for what those before it leave over.

use super::grow::{Grower, Node};
use super::rule::Rule;
use crate::error::ProgramError;
use crate::trees::histogram::Term;
use crate::trees::rows::BinnedRows;

/// What predictions lose.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    /// Half the square of what they miss.
    Squares,
    /// The logarithm of what they take for unlikely.
    Logistic,
}

impl Loss {
    /// The gradient and the hessian of a row.
    #[inline(always)]
    fn of(self, prediction: f32, label: f32, weight: f32) -> Term<2> {
        let (gradient, hessian) = match self {
            Self::Squares => (prediction - label, 1.0),
            Self::Logistic => {
                let chance = sigmoid(prediction);
                (chance - label, (chance * (1.0 - chance)).max(1e-16))
            }
        };
        [f64::from(gradient * weight), f64::from(hessian * weight)]
    }

    /// What is predicted before the first round, given what it means.
    fn margin(self, score: f32) -> f32 {
        match self {
            Self::Squares => score,
            Self::Logistic => -(1.0 / score.clamp(1e-6, 1.0 - 1e-6) - 1.0).ln(),
        }
    }
}

/// As the C library computes it for XGBoost, too; without overflow.
fn sigmoid(margin: f32) -> f32 {
    1.0 / ((-margin).min(88.7).exp() + 1.0 + 1e-16)
}

/// Grows trees round by round, from one score on for all rows.
///
/// `binned` is what `rows` were made of. No weights stand for 1 each.
///
/// # Errors
///
/// When lengths differ, or no split is allowed.
///
/// ```
/// use stratum_native_ops::{BinnedRows, Loss, Rule, boost};
///
/// // Four rows of one feature, which has three bins.
/// let binned = [0, 1, 2, 0];
/// let rows = BinnedRows::new(&binned, &[3], &[0], 255)?;
/// let rule = Rule {
///     max_depth: 1,
///     eta: 1.0,
///     gamma: 0.0,
///     min_child_weight: 1.0,
///     lambda: 0.0,
///     alpha: 0.0,
///     by_weight: false,
/// };
/// let labels = [1.0, 4.0, 4.0, 3.0];
/// let trees = boost(&rows, &binned, &labels, &[], 0.0, Loss::Squares, &rule, 1)?;
/// assert_eq!((trees[0][0].bins, trees[0][1].value, trees[0][2].value), (1, 2.0, 4.0));
/// # Ok::<(), stratum_native_ops::ProgramError>(())
/// ```
#[expect(clippy::too_many_arguments, reason = "each is one of XGBoost's")]
pub fn boost(
    rows: &BinnedRows,
    binned: &[u8],
    labels: &[f32],
    weights: &[f32],
    score: f32,
    loss: Loss,
    rule: &Rule,
    rounds: usize,
) -> Result<Vec<Vec<Node>>, ProgramError> {
    let count = rows.rows;
    if binned.len() != count * rows.features.len()
        || labels.len() != count
        || ![0, count].contains(&weights.len())
    {
        return Err(ProgramError("lengths of rows differ".to_owned()));
    }
    if rule.max_depth == 0 {
        return Err(ProgramError("no split is allowed".to_owned()));
    }
    let mut predictions = vec![loss.margin(score); count];
    let mut terms = vec![[0.0; 2]; count];
    let mut grower = Grower::new(rows, binned, *rule);
    let trees = (0..rounds).map(|_| {
        for (row, term) in terms.iter_mut().enumerate() {
            let weight = weights.get(row).copied().unwrap_or(1.0);
            *term = loss.of(predictions[row], labels[row], weight);
        }
        grower.grow(&terms, &mut predictions)
    });
    Ok(trees.collect())
}
