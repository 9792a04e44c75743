//! Ranks of values, of whole columns or inside groups, as pandas counts them.

use crate::column::Column;
use crate::error::ProgramError;

/// The rank of equal values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ties {
    /// The mean of the ranks that they share.
    Average,
    /// The smallest of these.
    Min,
    /// The largest of these.
    Max,
    /// One rank each, in the order of the rows.
    First,
    /// The number of different values up to theirs.
    Dense,
}

/// How to rank.
#[derive(Clone, Copy, Debug)]
pub struct Ranking {
    /// What equal values get.
    pub ties: Ties,
    /// Whether the smallest value has rank 1, else the largest.
    pub ascending: bool,
    /// Whether ranks are given as shares of the largest.
    pub share: bool,
}

/// Writes the rank of each value, NaN for missing values and rows without a group.
///
/// # Errors
///
/// When the lengths or dtypes don't fit.
///
/// ```
/// use stratum_native_ops::{Ranking, Ties, rank};
/// let how = Ranking { ties: Ties::Average, ascending: true, share: false };
/// let mut ranks = [0.0; 4];
/// rank([2.0, 1.0, 2.0, f64::NAN].as_slice().into(), None, how, &mut ranks)?;
/// assert_eq!(ranks[..3], [2.5, 1.0, 2.5]);
/// assert!(ranks[3].is_nan());
/// # Ok::<(), stratum_native_ops::ProgramError>(())
/// ```
pub fn rank(
    values: Column<'_>,
    codes: Option<&[i64]>,
    how: Ranking,
    out: &mut [f64],
) -> Result<(), ProgramError> {
    let rows = values.rows();
    if out.len() != rows || codes.is_some_and(|codes| codes.len() != rows) {
        return Err(ProgramError("the lengths differ".to_owned()));
    }
    if u32::try_from(rows).is_err() {
        return Err(ProgramError("more rows than can be ranked".to_owned()));
    }
    let mut keys = match values {
        Column::F64(values) => keys(values, codes, how.ascending, |v| {
            (!v.is_nan()).then(|| of_float(v))
        }),
        Column::I64(values) => keys(values, codes, how.ascending, |v| Some((v as u64) ^ 1 << 63)),
        _ => return Err(ProgramError("only float64 and int64 are ranked".to_owned())),
    };
    sort(&mut keys);
    if let Some(codes) = codes {
        keys = by_group(&keys, codes);
    }
    out.fill(f64::NAN);
    let group = |key: &Key| codes.map_or(0, |codes| codes[key.row as usize]);
    for keys in keys.chunk_by(|a, b| group(a) == group(b)) {
        rank_group(keys, how, out);
    }
    Ok(())
}

/// A value as a number in whose order values are, and its row.
#[derive(Clone, Copy, Default)]
struct Key {
    value: u64,
    row: u32,
}

/// The bits of a float in the order of floats; both zeros are equal.
fn of_float(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 {
        !bits
    } else {
        bits | 1 << 63
    }
}

fn keys<T: Copy>(
    values: &[T],
    codes: Option<&[i64]>,
    ascending: bool,
    key: impl Fn(T) -> Option<u64>,
) -> Vec<Key> {
    let flip = if ascending { 0 } else { u64::MAX };
    (values.iter().enumerate())
        .filter(|&(row, _)| codes.is_none_or(|codes| codes[row] >= 0))
        .filter_map(|(row, &value)| {
            Some(Key {
                value: key(value)? ^ flip,
                row: row as u32,
            })
        })
        .collect()
}

const DIGIT: u32 = 11;
const DIGITS: usize = 64_usize.div_ceil(DIGIT as usize);
/// Fewer keys are sorted by comparing them.
const FEW: usize = 1024;

fn digit(value: u64, number: usize) -> usize {
    (value >> (number as u32 * DIGIT)) as usize & ((1 << DIGIT) - 1)
}

/// Sorts by value, digit by digit; equal ones stay in order.
fn sort(keys: &mut Vec<Key>) {
    if keys.len() < FEW {
        keys.sort_by_key(|key| key.value);
        return;
    }
    let mut counts = vec![[0_u32; 1 << DIGIT]; DIGITS];
    for key in keys.iter() {
        for (number, counts) in counts.iter_mut().enumerate() {
            counts[digit(key.value, number)] += 1;
        }
    }
    let mut other = vec![Key::default(); keys.len()];
    for (number, counts) in counts.iter_mut().enumerate() {
        if counts[digit(keys[0].value, number)] as usize == keys.len() {
            continue; // all have the same digit
        }
        starts(counts);
        for key in keys.iter() {
            let next = &mut counts[digit(key.value, number)];
            other[*next as usize] = *key;
            *next += 1;
        }
        std::mem::swap(keys, &mut other);
    }
}

/// Turns counts into the positions where each begins.
fn starts(counts: &mut [u32]) {
    let mut start = 0;
    for count in counts {
        start += std::mem::replace(count, start);
    }
}

/// The keys group by group; inside, they stay in order.
fn by_group(keys: &[Key], codes: &[i64]) -> Vec<Key> {
    let code = |key: &Key| codes[key.row as usize] as usize;
    let groups = keys.iter().map(code).max().map_or(0, |most| most + 1);
    if groups > 4 * codes.len() + 16 {
        // Not numbers of groups but anything: too many to count them.
        let mut sorted = keys.to_vec();
        sorted.sort_by_key(code);
        return sorted;
    }
    let mut counts = vec![0_u32; groups];
    for key in keys {
        counts[code(key)] += 1;
    }
    starts(&mut counts);
    let mut sorted = vec![Key::default(); keys.len()];
    for key in keys {
        let next = &mut counts[code(key)];
        sorted[*next as usize] = *key;
        *next += 1;
    }
    sorted
}

fn rank_group(keys: &[Key], how: Ranking, out: &mut [f64]) {
    let distinct = || keys.chunk_by(|a, b| a.value == b.value);
    let largest = match (how.share, how.ties) {
        (false, _) => 1,
        (true, Ties::Dense) => distinct().count(),
        (true, _) => keys.len(),
    } as f64;
    let mut before = 0;
    for (number, equal) in distinct().enumerate() {
        let after = before + equal.len();
        let rank = match how.ties {
            Ties::Average => (before + 1 + after) as f64 / 2.0,
            Ties::Min | Ties::First => (before + 1) as f64,
            Ties::Max => after as f64,
            Ties::Dense => (number + 1) as f64,
        };
        for (offset, key) in equal.iter().enumerate() {
            let own = if how.ties == Ties::First {
                rank + offset as f64
            } else {
                rank
            };
            out[key.row as usize] = if how.share { own / largest } else { own };
        }
        before = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ranks(values: &[f64], codes: Option<&[i64]>, how: Ranking) -> Vec<f64> {
        let mut out = vec![0.0; values.len()];
        rank(values.into(), codes, how, &mut out).unwrap();
        out
    }

    /// By counting who is smaller, for each row anew.
    fn counted(values: &[f64], codes: &[i64], how: Ranking) -> Vec<f64> {
        let rows = 0..values.len();
        let known = |row: usize| !values[row].is_nan() && codes[row] >= 0;
        let rank = |row: usize| {
            if !known(row) {
                return f64::NAN;
            }
            let group = || rows.clone().filter(|&o| known(o) && codes[o] == codes[row]);
            let below = |o: usize| {
                if how.ascending {
                    values[o] < values[row]
                } else {
                    values[o] > values[row]
                }
            };
            let less = group().filter(|&o| below(o)).count() as f64;
            let equal = || group().filter(|&o| values[o] == values[row]);
            let different = |others: Vec<usize>| {
                let mut bits: Vec<u64> = others
                    .iter()
                    .map(|&o| (values[o] + 0.0).to_bits())
                    .collect();
                bits.sort_unstable();
                bits.dedup();
                bits.len() as f64
            };
            let count = equal().count() as f64;
            let (own, largest) = match how.ties {
                Ties::Average => (less + (1.0 + count) / 2.0, group().count() as f64),
                Ties::Min => (less + 1.0, group().count() as f64),
                Ties::Max => (less + count, group().count() as f64),
                Ties::First => {
                    let earlier = equal().filter(|&o| o < row).count() as f64;
                    (less + 1.0 + earlier, group().count() as f64)
                }
                Ties::Dense => (
                    different(group().filter(|&o| below(o)).collect()) + 1.0,
                    different(group().collect()),
                ),
            };
            if how.share { own / largest } else { own }
        };
        rows.clone().map(rank).collect()
    }

    const TIES: [Ties; 5] = [
        Ties::Average,
        Ties::Min,
        Ties::Max,
        Ties::First,
        Ties::Dense,
    ];

    proptest! {
        #[test]
        fn as_counted(
            rows in prop::collection::vec((-4_i32..5, -1_i64..3), 0..60),
            ties in prop::sample::select(TIES.to_vec()),
            ascending: bool,
            share: bool,
        ) {
            let how = Ranking { ties, ascending, share };
            let value = |&(v, _): &(i32, i64)| match v {
                4 => f64::NAN,
                3 => f64::INFINITY,
                0 => -0.0,
                -1 => 0.0,
                v => f64::from(v) / 3.0,
            };
            let values: Vec<f64> = rows.iter().map(value).collect();
            let codes: Vec<i64> = rows.iter().map(|&(_, code)| code).collect();
            let same = |a: &[f64], b: &[f64]| {
                a.iter().zip(b).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
            };
            prop_assert!(same(&ranks(&values, Some(&codes), how), &counted(&values, &codes, how)));
            let one = vec![0; codes.len()];
            prop_assert!(same(&ranks(&values, None, how), &counted(&values, &one, how)));
        }

        #[test]
        fn many_rows_are_sorted(seed: u64, rows in FEW..4 * FEW) {
            let mut state = seed | 1;
            let mut keys: Vec<Key> = (0..rows as u32).map(|row| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                Key { value: (state >> 20) << (state % 40), row }
            }).collect();
            let mut expected = keys.clone();
            expected.sort_by_key(|key| key.value);
            sort(&mut keys);
            let rows = |keys: &[Key]| keys.iter().map(|key| key.row).collect::<Vec<_>>();
            prop_assert_eq!(rows(&keys), rows(&expected));
        }
    }
}
