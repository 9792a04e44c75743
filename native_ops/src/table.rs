//! Membership in a set of values, and mapping values through a hash table.
//!
//! Values compare as in pandas' hash tables: NaN equals NaN, and -0.0 equals 0.0.

use crate::column::{Arg, Column};
use crate::dtype::{Bool, Cell, DType, Element, Scalar};
use crate::error::ProgramError;
use crate::simd::{Kernel, dispatch};
use std::sync::Arc;

/// Sets of at most this many values are scanned instead of hashed.
const SCANNED: usize = 8;

/// A hash table from keys to the position where they first occurred, with linear probing.
#[derive(Debug)]
struct Positions {
    /// Key and position; `EMPTY` marks a free slot.
    slots: Vec<(u64, u32)>,
    shift: u32,
}

const EMPTY: u32 = u32::MAX;

impl Positions {
    fn new(keys: impl ExactSizeIterator<Item = u64>) -> Self {
        let bits = (2 * keys.len().max(1)).next_power_of_two().trailing_zeros();
        let mut table = Self {
            slots: vec![(0, EMPTY); 1 << bits],
            shift: 64 - bits,
        };
        for (position, key) in keys.enumerate() {
            let slot = table.slot(key);
            if table.slots[slot].1 == EMPTY {
                table.slots[slot] = (key, position as u32);
            }
        }
        table
    }

    /// The slot that holds `key`, or the free one where it would go.
    #[inline(always)]
    fn slot(&self, key: u64) -> usize {
        let mask = self.slots.len() - 1;
        // Fibonacci hashing: the high bits of the product depend on all bits of the key.
        let mut slot = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize & mask;
        while self.slots[slot].1 != EMPTY && self.slots[slot].0 != key {
            slot = (slot + 1) & mask;
        }
        slot
    }

    #[inline(always)]
    fn get(&self, key: u64) -> Option<usize> {
        match self.slots[self.slot(key)].1 {
            EMPTY => None,
            position => Some(position as usize),
        }
    }
}

fn keys_of(column: Column<'_>) -> Result<Vec<u64>, ProgramError> {
    if column.rows() >= EMPTY as usize {
        return Err(ProgramError("the table is too long".to_owned()));
    }
    macro_rules! collect {
        ($($name:ident),*) => {
            match column { $(Column::$name(values) => values.iter().map(|v| v.key()).collect()),* }
        };
    }
    Ok(collect!(
        F64, F32, I64, I32, I16, I8, U64, U32, U16, U8, Bool
    ))
}

pub(crate) fn cells(column: Column<'_>) -> Arc<[Cell]> {
    macro_rules! cells {
        ($($name:ident),*) => {
            match column {
                $(Column::$name(values) => values.iter().map(|&v| Cell::new(v)).collect()),*
            }
        };
    }
    cells!(F64, F32, I64, I32, I16, I8, U64, U32, U16, U8, Bool)
}

/// The values that `isin` looks for.
#[derive(Clone, Debug)]
pub struct Set {
    dtype: DType,
    keys: Arc<[u64]>,
    positions: Option<Arc<Positions>>,
}

impl Set {
    /// A set of values, which are compared to columns of the same dtype.
    ///
    /// # Errors
    ///
    /// When there are more than `u32::MAX - 1` values.
    pub fn new(values: Column<'_>) -> Result<Self, ProgramError> {
        let mut keys = keys_of(values)?;
        keys.sort_unstable();
        keys.dedup();
        let positions =
            (keys.len() > SCANNED).then(|| Arc::new(Positions::new(keys.iter().copied())));
        Ok(Self {
            dtype: values.dtype(),
            keys: keys.into(),
            positions,
        })
    }

    pub(crate) fn dtype(&self) -> DType {
        self.dtype
    }

    pub(crate) fn contains<T: Element>(&self, out: &mut [Bool], values: Arg<'_, T>) {
        match (values, &self.positions) {
            (Arg::Scalar(value), _) => out.fill(self.keys.contains(&value.key()).into()),
            (Arg::Column(values), None) => dispatch(Scan {
                out,
                values,
                keys: &self.keys,
            }),
            (Arg::Column(values), Some(positions)) => {
                for (out, value) in out.iter_mut().zip(values) {
                    *out = positions.get(value.key()).is_some().into();
                }
            }
        }
    }
}

struct Scan<'a, T> {
    out: &'a mut [Bool],
    values: &'a [T],
    keys: &'a [u64],
}

impl<T: Element> Kernel for Scan<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.out.fill(Bool(0));
        for &key in self.keys {
            for (out, value) in self.out.iter_mut().zip(self.values) {
                out.0 |= u8::from(value.key() == key);
            }
        }
    }
}

/// A mapping from keys of one dtype to values of another, with a default for other keys.
#[derive(Clone, Debug)]
pub struct LookupTable {
    key_dtype: DType,
    default: Scalar,
    positions: Arc<Positions>,
    values: Arc<[Cell]>,
}

impl LookupTable {
    /// A table; of keys that occur twice the first counts.
    ///
    /// # Errors
    ///
    /// When keys and values differ in length, or values and default in dtype, or the table is too
    /// long.
    pub fn new(
        keys: Column<'_>,
        values: Column<'_>,
        default: Scalar,
    ) -> Result<Self, ProgramError> {
        if keys.rows() != values.rows() {
            return Err(ProgramError(format!(
                "{} keys for {} values",
                keys.rows(),
                values.rows()
            )));
        }
        if values.dtype() != default.dtype() {
            return Err(ProgramError(format!(
                "the values are {}, the default is {}",
                values.dtype(),
                default.dtype()
            )));
        }
        Ok(Self {
            key_dtype: keys.dtype(),
            default,
            positions: Arc::new(Positions::new(keys_of(keys)?.into_iter())),
            values: cells(values),
        })
    }

    pub(crate) fn key_dtype(&self) -> DType {
        self.key_dtype
    }

    pub(crate) fn value_dtype(&self) -> DType {
        self.default.dtype()
    }

    /// Looks up keys of type `K` and writes values of the table's dtype to `out`.
    pub(crate) fn map<K: Element, V: Element>(&self, out: &mut [V], keys: Arg<'_, K>) {
        let default: V = self.default.get();
        let find = |key: K| match self.positions.get(key.key()) {
            Some(position) => self.values[position].get(),
            None => default,
        };
        match keys {
            Arg::Scalar(key) => out.fill(find(key)),
            Arg::Column(keys) => {
                for (out, &key) in out.iter_mut().zip(keys) {
                    *out = find(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_and_zero_are_found_as_in_pandas() {
        for extra in [0, 100] {
            let mut values = vec![f64::NAN, -0.0];
            values.extend((0..extra).map(|i| 10.0 + f64::from(i)));
            let set = Set::new(values.as_slice().into()).unwrap();
            let mut out = [Bool(7); 4];
            let column = [-f64::NAN, 0.0, 1.0, f64::INFINITY];
            set.contains(&mut out, Arg::Column(&column));
            assert_eq!(out.map(Bool::get), [true, true, false, false]);
        }
    }

    #[test]
    fn lookup_falls_back_to_the_default() {
        let table = LookupTable::new(
            [3_i8, -1].as_slice().into(),
            [0.5, 1.5].as_slice().into(),
            Scalar::new(9.0),
        )
        .unwrap();
        let mut out = [0.0; 3];
        table.map(&mut out, Arg::Column(&[-1_i8, 0, 3]));
        assert_eq!(out, [1.5, 9.0, 0.5]);
    }

    #[test]
    fn empty_tables_hold_nothing() {
        let set = Set::new([0_u8; 0].as_slice().into()).unwrap();
        let mut out = [Bool(1)];
        set.contains(&mut out, Arg::Column(&[0_u8]));
        assert!(!out[0].get());
    }
}
