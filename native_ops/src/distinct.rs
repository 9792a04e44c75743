//! Dictionaries of strings: which distinct values a column has, and which of them each row holds.
//!
//! What costs time per distinct value (sorting, comparing, looking up in Python) then costs nothing
//! per row.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// An Arrow array of `large_string`s.
#[derive(Clone, Copy, Debug)]
pub struct StringColumn<'a> {
    offsets: &'a [i64],
    data: &'a [u8],
    validity: Option<(&'a [u8], usize)>,
}

impl<'a> StringColumn<'a> {
    /// Looks at the buffers of an array; `None` when they don't fit together.
    ///
    /// `offsets` has one more entry than the array has rows. `validity` is the bitmap in which
    /// zeros are missing values, and the bit that belongs to the first row.
    #[must_use]
    pub fn new(
        offsets: &'a [i64],
        data: &'a [u8],
        validity: Option<(&'a [u8], usize)>,
    ) -> Option<Self> {
        let (&first, &last) = (offsets.first()?, offsets.last()?);
        // Without a branch per pair, so that it is vectorised.
        let ascending = offsets
            .windows(2)
            .fold(true, |all, pair| all & (pair[0] <= pair[1]));
        let inside = first >= 0 && usize::try_from(last).is_ok_and(|last| last <= data.len());
        let covered = validity.is_none_or(|(bits, start)| {
            bits.len()
                .checked_mul(8)
                .and_then(|bits| bits.checked_sub(start))
                .is_some_and(|bits| bits >= offsets.len() - 1)
        });
        (ascending && inside && covered).then_some(Self {
            offsets,
            data,
            validity,
        })
    }

    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    fn is_missing(&self, row: usize) -> bool {
        self.validity.is_some_and(|(bits, start)| {
            let bit = start + row;
            bits[bit / 8] >> (bit % 8) & 1 == 0
        })
    }
}

/// The distinct values of a column, numbered in the order in which they first occur.
#[derive(Debug, Default)]
pub struct Dictionary<'a> {
    /// The bytes of each value, none for the missing one.
    pub values: Vec<&'a [u8]>,
    /// The row in which each value first occurs.
    pub firsts: Vec<usize>,
    /// How many rows hold each value.
    pub counts: Vec<u64>,
    /// The number of the missing value, if any value is missing.
    pub missing: Option<u32>,
}

/// Numbers the values of a column that lies in several arrays.
///
/// `codes` gets the number of each row's value; all missing values count as one value.
///
/// # Panics
///
/// When `codes` has not as many rows as the arrays together, or more than 2³² - 1.
///
/// ```
/// use stratum_native_ops::{StringColumn, dictionary};
///
/// let strings = StringColumn::new(&[0, 2, 2, 4, 6], b"EWJFEW", Some((&[0b1101], 0))).unwrap();
/// let mut codes = [0; 4];
/// let found = dictionary(&[strings], &mut codes);
/// assert_eq!(codes, [0, 1, 2, 0]);
/// assert_eq!(found.values, [&b"EW"[..], b"", b"JF"]);
/// assert_eq!((found.firsts, found.counts, found.missing), (vec![0, 1, 2], vec![2, 1, 1], Some(1)));
/// ```
#[must_use]
pub fn dictionary<'a>(chunks: &[StringColumn<'a>], codes: &mut [u32]) -> Dictionary<'a> {
    let rows: usize = chunks.iter().map(StringColumn::rows).sum();
    assert!(
        codes.len() == rows && u32::try_from(rows).is_ok(),
        "a code for each row"
    );
    let mut table = Table::new();
    let (mut start, mut missing) = (0, None);
    for chunk in chunks {
        let rows = start..start + chunk.rows();
        for (position, code) in codes[rows].iter_mut().enumerate() {
            *code = if chunk.is_missing(position) {
                *missing.get_or_insert_with(|| table.add(b"", start + position))
            } else {
                let [from, to] = [position, position + 1].map(|i| chunk.offsets[i] as usize);
                table.find(chunk.data, from..to, start + position)
            };
            table.counts[*code as usize] += 1;
        }
        start += chunk.rows();
    }
    Dictionary {
        values: table.values,
        firsts: table.firsts,
        counts: table.counts,
        missing,
    }
}

/// A value in the hash table: its length, and its bytes if they fit into a word, else their hash.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Key {
    word: u64,
    length: usize,
}

#[derive(Clone, Copy)]
struct Slot {
    key: Key,
    code: u32,
}

const WORD: usize = 8;
const FREE: u32 = u32::MAX;
const EMPTY: Slot = Slot {
    key: Key { word: 0, length: 0 },
    code: FREE,
};

/// A hash table with open addressing; at most half of its slots are taken.
struct Table<'a> {
    slots: Vec<Slot>,
    shift: u32,
    values: Vec<&'a [u8]>,
    firsts: Vec<usize>,
    counts: Vec<u64>,
    taken: usize,
}

impl<'a> Table<'a> {
    fn new() -> Self {
        let bits = 10;
        Self {
            slots: vec![EMPTY; 1 << bits],
            shift: u64::BITS - bits,
            values: Vec::new(),
            firsts: Vec::new(),
            counts: Vec::new(),
            taken: 0,
        }
    }

    /// Adds a value that no slot leads to yet.
    fn add(&mut self, value: &'a [u8], row: usize) -> u32 {
        self.values.push(value);
        self.firsts.push(row);
        self.counts.push(0);
        (self.values.len() - 1) as u32
    }

    /// The number of the value that lies at these bytes; a new one if it was not met before.
    fn find(&mut self, data: &'a [u8], bytes: std::ops::Range<usize>, row: usize) -> u32 {
        let length = bytes.len();
        let word = if length > WORD {
            BuildHasherDefault::<DefaultHasher>::default().hash_one(&data[bytes.clone()])
        } else if let Some(eight) = data.get(bytes.start..bytes.start + WORD) {
            // The bytes after the value are cut off; a shift by all 64 bits is none.
            let word = u64::from_le_bytes(eight.try_into().expect("eight bytes"));
            word & !u64::MAX.checked_shl(8 * length as u32).unwrap_or(0)
        } else {
            let mut eight = [0; WORD];
            eight[..length].copy_from_slice(&data[bytes.clone()]);
            u64::from_le_bytes(eight)
        };
        let key = Key { word, length };
        let mut at = self.home(key);
        loop {
            let slot = self.slots[at];
            if slot.code == FREE {
                break;
            }
            let equal = slot.key == key
                && (length <= WORD || self.values[slot.code as usize] == &data[bytes.clone()]);
            if equal {
                return slot.code;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
        let code = self.add(&data[bytes], row);
        self.slots[at] = Slot { key, code };
        self.taken += 1;
        if self.taken * 2 > self.slots.len() {
            self.grow();
        }
        code
    }

    fn home(&self, key: Key) -> usize {
        let mixed =
            (key.word ^ (key.length as u64).rotate_left(32)) as u128 * 0x9e37_79b9_7f4a_7c15;
        ((mixed as u64 ^ (mixed >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift)
            as usize
    }

    fn grow(&mut self) {
        let old = std::mem::take(&mut self.slots);
        self.slots = vec![EMPTY; old.len() * 4];
        self.shift -= 2;
        for slot in old.into_iter().filter(|slot| slot.code != FREE) {
            let mut at = self.home(slot.key);
            while self.slots[at].code != FREE {
                at = (at + 1) & (self.slots.len() - 1);
            }
            self.slots[at] = slot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// The dictionary of values, in the obvious way.
    fn obvious(values: &[Option<String>]) -> (Vec<u32>, Vec<usize>) {
        let (mut numbers, mut firsts) = (HashMap::new(), Vec::new());
        let codes = values.iter().enumerate().map(|(row, value)| {
            *numbers.entry(value).or_insert_with(|| {
                firsts.push(row);
                firsts.len() as u32 - 1
            })
        });
        (codes.collect(), firsts)
    }

    proptest! {
        #[test]
        fn numbers_values_in_the_order_of_their_first_rows(
            values in prop::collection::vec(prop::option::of("[ab\0é]{0,12}|[a-z]{0,3}"), 0..3000),
            cut in 0_usize..3000,
        ) {
            let cut = cut.min(values.len());
            let buffers: Vec<_> = [&values[..cut], &values[cut..]].map(|values| {
                let mut offsets = vec![0];
                let (mut data, mut bits) = (Vec::new(), vec![0_u8; values.len() / 8 + 1]);
                for (row, value) in values.iter().enumerate() {
                    if let Some(text) = value {
                        data.extend_from_slice(text.as_bytes());
                        bits[row / 8] |= 1 << (row % 8);
                    }
                    offsets.push(data.len() as i64);
                }
                (offsets, data, bits)
            }).into();
            let chunks: Vec<_> = buffers
                .iter()
                .map(|(offsets, data, bits)| StringColumn::new(offsets, data, Some((bits, 0))).unwrap())
                .collect();
            let mut codes = vec![0; values.len()];
            let found = dictionary(&chunks, &mut codes);
            let (expected, firsts) = obvious(&values);
            prop_assert_eq!(&codes, &expected);
            prop_assert_eq!(found.firsts, firsts);
            let missing = values.iter().position(Option::is_none).map(|row| codes[row]);
            prop_assert_eq!(found.missing, missing);
            prop_assert_eq!(found.counts.iter().sum::<u64>(), values.len() as u64);
        }
    }

    #[test]
    fn refuses_buffers_that_do_not_fit() {
        assert!(StringColumn::new(&[], b"", None).is_none());
        assert!(StringColumn::new(&[0, 2], b"a", None).is_none());
        assert!(StringColumn::new(&[-1, 0], b"a", None).is_none());
        assert!(StringColumn::new(&[0, 1, 0], b"a", None).is_none());
        assert!(StringColumn::new(&[0; 10], b"", Some((&[255], 0))).is_none());
    }
}
