//! What splits are judged by: sums over samples that are exact, so that no order of them matters.

use crate::error::ProgramError;

/// Sums of whole numbers below this are exact as floats, with room for the error of adding up
/// their sizes.
const EXACT: f64 = (1_u64 << 52) as f64;

/// A measure of how samples differ, from a few sums over them.
pub(super) trait Criterion<const W: usize> {
    /// What a sample adds.
    type Term: Copy;

    /// What a row adds.
    fn term(&self, row: usize) -> Self::Term;

    fn add(&self, sums: &mut [f64; W], term: Self::Term);

    /// A term, or one that adds nothing.
    fn only_if(&self, condition: bool, term: Self::Term) -> Self::Term;

    fn weight(&self, sums: &[f64; W]) -> f64;

    /// What of the impurity is left to the sums of some rows' squares; nothing if there are none.
    fn squares(&self, rows: &[u32]) -> f64;

    fn impurity(&self, sums: &[f64; W], squares: f64) -> f64;

    /// A number that is largest where a split leaves least impurity.
    fn proxy(&self, left: &[f64; W], right: &[f64; W]) -> f64;

    /// What a node predicts.
    fn values(&self, sums: &[f64; W]) -> impl Iterator<Item = f64>;
}

/// Squared errors of numbers: sums of weights, and of weights times numbers.
pub(super) struct SquaredError<'a> {
    y: &'a [f64],
    weights: Option<&'a [f64]>,
}

impl<'a> SquaredError<'a> {
    /// Returns `None` if some sum might be rounded.
    pub(super) fn new(y: &'a [f64], weights: Option<&'a [f64]>) -> Option<Self> {
        let unit = unit(y)?;
        let weight_unit = weights.map_or(Some(1.0), self::unit)?;
        let mut sums = [0.0; 3];
        for (row, &y) in y.iter().enumerate() {
            let weight = weights.map_or(1.0, |weights| weights[row]) / weight_unit;
            let y = y / unit;
            sums[0] += weight.abs();
            sums[1] += (weight * y).abs();
            sums[2] += (weight * y * y).abs();
        }
        (sums.iter().all(|&sum| sum < EXACT)).then_some(Self { y, weights })
    }

    #[inline(always)]
    fn weight_of(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }
}

/// The largest power of two of which all numbers are multiples; `None` if there is none of an
/// ordinary size.
fn unit(numbers: &[f64]) -> Option<f64> {
    let mut least = 0_i32;
    for &number in numbers {
        if number == 0.0 {
            continue;
        }
        let bits = number.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as i32 - 1075;
        let lowest = exponent + (bits | 1 << 52).trailing_zeros() as i32;
        if !(-600..=0).contains(&exponent) {
            return None;
        }
        least = least.min(lowest);
    }
    (least > -200).then(|| 2.0_f64.powi(least))
}

impl Criterion<2> for SquaredError<'_> {
    type Term = [f64; 2];

    #[inline(always)]
    fn term(&self, row: usize) -> [f64; 2] {
        let weight = self.weight_of(row);
        [weight, weight * self.y[row]]
    }

    #[inline(always)]
    fn add(&self, sums: &mut [f64; 2], term: [f64; 2]) {
        sums[0] += term[0];
        sums[1] += term[1];
    }

    #[inline(always)]
    fn only_if(&self, condition: bool, term: [f64; 2]) -> [f64; 2] {
        let factor = f64::from(u8::from(condition));
        term.map(|part| part * factor)
    }

    #[inline(always)]
    fn weight(&self, sums: &[f64; 2]) -> f64 {
        sums[0]
    }

    fn squares(&self, rows: &[u32]) -> f64 {
        let square = |&row: &u32| {
            let y = self.y[row as usize];
            self.weight_of(row as usize) * y * y
        };
        rows.iter().map(square).sum()
    }

    fn impurity(&self, sums: &[f64; 2], squares: f64) -> f64 {
        let mean = sums[1] / sums[0];
        squares / sums[0] - mean * mean
    }

    #[inline(always)]
    fn proxy(&self, left: &[f64; 2], right: &[f64; 2]) -> f64 {
        left[1] * left[1] / left[0] + right[1] * right[1] / right[0]
    }

    fn values(&self, sums: &[f64; 2]) -> impl Iterator<Item = f64> {
        std::iter::once(sums[1] / sums[0])
    }
}

/// How mixed classes are: the sum of the weights of each. Sums of classes that are not there are 0,
/// which changes nothing.
pub(super) struct Classes<'a> {
    codes: Vec<u32>,
    weights: Option<&'a [f64]>,
    count: usize,
    kind: Impurity,
}

/// What impurity of classes means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Impurity {
    /// Gini's index.
    Gini,
    /// Entropy, in bits.
    Entropy,
}

impl<'a> Classes<'a> {
    /// Returns `None` if some sum might be rounded.
    pub(super) fn new(
        codes: &[f64],
        count: usize,
        weights: Option<&'a [f64]>,
        kind: Impurity,
    ) -> Result<Option<Self>, ProgramError> {
        let whole = |&code: &f64| {
            let known = code >= 0.0 && code < count as f64;
            known.then_some(code as u32)
        };
        let codes: Option<Vec<_>> = codes.iter().map(whole).collect();
        let codes = codes.ok_or_else(|| ProgramError("a class that is not there".to_owned()))?;
        let exact = weights.is_none_or(|weights| {
            let all: f64 = weights.iter().sum();
            unit(weights).is_some_and(|unit| all / unit < EXACT)
        });
        Ok(exact.then_some(Self {
            codes,
            weights,
            count,
            kind,
        }))
    }

    /// The impurity of a side, of which `weight` is the weight.
    #[inline(always)]
    fn of(&self, sums: &[f64], weight: f64) -> f64 {
        match self.kind {
            Impurity::Gini => {
                let squares = sums.iter().fold(0.0, |all, sum| all + sum * sum);
                1.0 - squares / (weight * weight)
            }
            Impurity::Entropy => sums.iter().filter(|&&sum| sum > 0.0).fold(0.0, |all, sum| {
                let share = sum / weight;
                all - share * (share.ln() / 2.0_f64.ln())
            }),
        }
    }
}

impl<const W: usize> Criterion<W> for Classes<'_> {
    type Term = (u32, f64);

    #[inline(always)]
    fn term(&self, row: usize) -> (u32, f64) {
        let weight = self.weights.map_or(1.0, |weights| weights[row]);
        (self.codes[row], weight)
    }

    #[inline(always)]
    fn add(&self, sums: &mut [f64; W], (class, weight): (u32, f64)) {
        sums[class as usize] += weight;
    }

    #[inline(always)]
    fn only_if(&self, condition: bool, (class, weight): (u32, f64)) -> (u32, f64) {
        (class, weight * f64::from(u8::from(condition)))
    }

    #[inline(always)]
    fn weight(&self, sums: &[f64; W]) -> f64 {
        sums.iter().sum()
    }

    fn squares(&self, _: &[u32]) -> f64 {
        0.0
    }

    fn impurity(&self, sums: &[f64; W], _: f64) -> f64 {
        self.of(sums, sums.iter().sum())
    }

    #[inline(always)]
    fn proxy(&self, left: &[f64; W], right: &[f64; W]) -> f64 {
        let [left_weight, right_weight] = [left, right].map(|sums| sums.iter().sum::<f64>());
        -right_weight * self.of(right, right_weight) - left_weight * self.of(left, left_weight)
    }

    fn values(&self, sums: &[f64; W]) -> impl Iterator<Item = f64> {
        let weight: f64 = sums.iter().sum();
        sums[..self.count].iter().map(move |sum| sum / weight)
    }
}
