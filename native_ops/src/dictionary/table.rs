//! A hash table from words to numbers.

/// An open hash table from tags to numbers, with linear probing.
#[derive(Debug)]
pub(super) struct Table {
    /// Tag and number; `FREE` marks a free slot.
    slots: Vec<(u64, u32)>,
    pub(super) used: usize,
    shift: u32,
}

const FREE: u32 = u32::MAX;

impl Table {
    pub(super) fn new() -> Self {
        let bits = 10;
        Self {
            slots: vec![(0, FREE); 1 << bits],
            used: 0,
            shift: 64 - bits,
        }
    }

    #[inline(always)]
    fn home(&self, tag: u64) -> usize {
        // The high bits of the product depend on all bits of the tag.
        ((tag ^ (tag >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }

    /// The number of a tag that is all of its key, if it is where one looks first.
    #[inline(always)]
    pub(super) fn at_home(&self, tag: u64) -> Option<u32> {
        let (other, number) = self.slots[self.home(tag) & (self.slots.len() - 1)];
        (other == tag && number != FREE).then_some(number)
    }

    /// The slot of a tag, and its number; the number of entries if it has none.
    #[inline(always)]
    pub(super) fn find(&self, tag: u64, same: impl Fn(usize) -> bool) -> (usize, usize) {
        let mask = self.slots.len() - 1;
        let mut at = self.home(tag) & mask;
        loop {
            let (other, number) = self.slots[at];
            if number == FREE {
                return (at, self.used);
            }
            if other == tag && same(number as usize) {
                return (at, number as usize);
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    pub(super) fn insert(&mut self, at: usize, tag: u64, number: usize) {
        assert!(number < FREE as usize, "more keys than numbers for them");
        self.slots[at] = (tag, number as u32);
        self.used += 1;
        if 2 * self.used <= self.slots.len() {
            return;
        }
        self.shift -= 2;
        let larger = vec![(0, FREE); 4 * self.slots.len()];
        let old = std::mem::replace(&mut self.slots, larger);
        let mask = self.slots.len() - 1;
        for (tag, number) in old.into_iter().filter(|&(_, number)| number != FREE) {
            let mut at = self.home(tag) & mask;
            while self.slots[at].1 != FREE {
                at = (at + 1) & mask;
            }
            self.slots[at] = (tag, number);
        }
    }
}

/// A tag for a string of more than seven bytes; never that of a short one.
pub(super) fn digest(string: &[u8]) -> u64 {
    const K: u64 = 0xa076_1d64_78bd_642f;
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        product as u64 ^ (product >> 64) as u64
    };
    let word = |at: usize| u64::from_le_bytes(string[at..at + 8].try_into().expect("eight bytes"));
    let mut hash = string.len() as u64 ^ K;
    let mut at = 0;
    while at + 8 < string.len() {
        hash = fold(hash ^ word(at), K);
        at += 8;
    }
    fold(hash ^ word(string.len() - 8), K.rotate_left(17)) | 1 << 63
}
