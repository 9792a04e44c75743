//! Columns of numbers, as places in the order of their distinct values.

use crate::error::ProgramError;

/// Columns that are read from rows at once: as many numbers as one cache line has.
const TOGETHER: usize = 16;
/// Bundles that a column of two values may join: the latest, since those of one category are
/// neighbours.
const LATEST: usize = 16;

/// Columns of single-precision numbers, ranked.
///
/// Of two values, one is rarer. Columns whose rarer values never meet in a row, as those of a
/// one-hot encoded category, lie in a bundle: one code per row says which of them it is.
pub struct RankedColumns {
    pub(super) rows: usize,
    pub(super) columns: Vec<Column>,
    pub(super) bundles: Vec<Bundle>,
}

pub(super) enum Column {
    /// One value, or no row.
    Constant,
    Ranked(Ranked),
    Two(Two),
}

/// A column of any values.
pub(super) struct Ranked {
    /// The distinct ones, ascending.
    pub(super) values: Vec<f32>,
    /// Where each row's value is among them; missing ones come after the last.
    pub(super) places: Places,
}

pub(super) enum Places {
    Narrow(Vec<u16>),
    Wide(Vec<u32>),
}

/// A column of two values.
pub(super) struct Two {
    pub(super) values: [f32; 2],
    pub(super) bundle: usize,
    /// The code of the rows that have the rarer one.
    pub(super) code: u16,
    /// Whether that is the larger one.
    pub(super) is_high: bool,
}

/// Columns of two values, no two of which have their rarer one in the same row.
pub(super) struct Bundle {
    /// Which column has its rarer value in each row, counted from 1; 0 if none has.
    pub(super) codes: Vec<u16>,
    pub(super) columns: u16,
    /// A bit for each row that has a code.
    taken: Vec<u64>,
}

impl RankedColumns {
    /// Ranks the columns of a matrix, which lies column by column or row by row.
    ///
    /// # Errors
    ///
    /// When the numbers are not as many as those of whole columns, or a number is infinite.
    pub fn new(matrix: &[f32], columns: usize, by_rows: bool) -> Result<Self, ProgramError> {
        let wrong = |why: &str| ProgramError(why.to_owned());
        if columns == 0 || !matrix.len().is_multiple_of(columns) {
            return Err(wrong("no whole columns"));
        }
        let rows = matrix.len() / columns;
        if u32::try_from(rows).is_err() || u32::try_from(columns).is_err() {
            return Err(wrong("too many rows or columns"));
        }
        let mut ranked = Self {
            rows,
            columns: Vec::with_capacity(columns),
            bundles: Vec::new(),
        };
        let mut read = vec![Vec::with_capacity(rows); TOGETHER.min(columns)];
        for first in (0..columns).step_by(TOGETHER) {
            let many = TOGETHER.min(columns - first);
            read.iter_mut().for_each(Vec::clear);
            if by_rows {
                for row in matrix.chunks_exact(columns) {
                    for (values, &value) in read.iter_mut().zip(&row[first..first + many]) {
                        values.push(value + 0.0); // one zero, not two
                    }
                }
            } else {
                for (values, at) in read.iter_mut().zip(first..first + many) {
                    let column = &matrix[at * rows..][..rows];
                    values.extend(column.iter().map(|value| value + 0.0));
                }
            }
            for values in &read[..many] {
                if values.iter().any(|value| value.is_infinite()) {
                    return Err(wrong("an infinite number"));
                }
                let column = ranked.column(values);
                ranked.columns.push(column);
            }
        }
        Ok(ranked)
    }

    fn column(&mut self, values: &[f32]) -> Column {
        let Some(&first) = values.first() else {
            return Column::Constant;
        };
        let other = values.iter().copied().find(|&value| value != first);
        let Some(other) = other else {
            return Column::Constant;
        };
        let two = |value: &f32| *value == first || *value == other;
        if !first.is_nan() && values.iter().all(two) {
            return Column::Two(self.bundled(values, first.min(other), first.max(other)));
        }
        Column::Ranked(Ranked::new(values))
    }

    /// Finds a bundle for a column of two values, or makes one.
    fn bundled(&mut self, values: &[f32], low: f32, high: f32) -> Two {
        let highs = values.iter().filter(|&&value| value == high).count();
        let is_high = highs * 2 <= values.len();
        let rarer = if is_high { high } else { low };
        let mut bits = vec![0_u64; values.len().div_ceil(64)];
        for (word, values) in bits.iter_mut().zip(values.chunks(64)) {
            for (at, &value) in values.iter().enumerate() {
                *word |= u64::from(value == rarer) << at;
            }
        }
        let start = self.bundles.len().saturating_sub(LATEST);
        let fits = |bundle: &Bundle| {
            bundle.columns < u16::MAX && bundle.taken.iter().zip(&bits).all(|(a, b)| a & b == 0)
        };
        let found = self.bundles[start..].iter().position(fits);
        let bundle = found.map_or(self.bundles.len(), |at| start + at);
        if found.is_none() {
            self.bundles.push(Bundle {
                codes: vec![0; values.len()],
                columns: 0,
                taken: vec![0; bits.len()],
            });
        }
        let into = &mut self.bundles[bundle];
        into.columns += 1;
        for (taken, bits) in into.taken.iter_mut().zip(&bits) {
            *taken |= bits;
        }
        for (code, &value) in into.codes.iter_mut().zip(values) {
            if value == rarer {
                *code = into.columns;
            }
        }
        Two {
            values: [low, high],
            bundle,
            code: into.columns,
            is_high,
        }
    }
}

impl Ranked {
    fn new(values: &[f32]) -> Self {
        // Numbers as integers of the same order, each with its row.
        let mut keys: Vec<u64> = (values.iter().zip(0_u64..))
            .filter(|(value, _)| !value.is_nan())
            .map(|(value, row)| {
                let bits = value.to_bits();
                let ordered = if bits >> 31 == 0 {
                    bits | 1 << 31
                } else {
                    !bits
                };
                u64::from(ordered) << 32 | row
            })
            .collect();
        keys.sort_unstable();
        let mut distinct: Vec<f32> = Vec::new();
        let mut places = vec![u32::MAX; values.len()];
        for key in &keys {
            let row = *key as u32 as usize;
            if distinct.last() != Some(&values[row]) {
                distinct.push(values[row]);
            }
            places[row] = distinct.len() as u32 - 1;
        }
        let missing = distinct.len() as u32;
        let places = places.into_iter().map(|place| place.min(missing));
        let places = if distinct.len() < usize::from(u16::MAX) {
            Places::Narrow(places.map(|place| place as u16).collect())
        } else {
            Places::Wide(places.collect())
        };
        Self {
            values: distinct,
            places,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_is_one_bundle() {
        // Three indicators of a category, the last one scaled; and one that is by itself.
        let matrix = [
            1.0, 0.0, -2.0, 1.0, //
            0.0, 1.0, -2.0, 1.0, //
            0.0, 0.0, 5.0, 0.0, //
            0.0, 0.0, -2.0, 0.0,
        ];
        let ranked = RankedColumns::new(&matrix, 4, true).unwrap();
        assert_eq!(ranked.bundles.len(), 2);
        assert_eq!(ranked.bundles[0].codes, [1, 2, 3, 0]);
        assert_eq!(ranked.bundles[1].codes, [1, 1, 0, 0]);
        let Column::Two(two) = &ranked.columns[2] else {
            panic!("has two values");
        };
        assert_eq!((two.values, two.code, two.is_high), ([-2.0, 5.0], 3, true));
    }

    #[test]
    fn zeros_are_one_value_and_missing_ones_come_last() {
        let column = [0.5, -0.0, f32::NAN, 0.0, -3.0];
        let ranked = RankedColumns::new(&column, 1, false).unwrap();
        let Column::Ranked(one) = &ranked.columns[0] else {
            panic!("has more than two values");
        };
        assert_eq!(one.values, [-3.0, 0.0, 0.5]);
        assert!(matches!(&one.places, Places::Narrow(places) if places == &[2, 1, 3, 1, 0]));
    }
}
