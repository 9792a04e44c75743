//! A heap as Python's `heapq` keeps it: of equal gains, it says which leaf is split first.

/// Leaves that may be split, by what that gains.
pub(super) struct Heap(Vec<(f64, usize)>);

impl Heap {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, gain: f64, leaf: usize) {
        self.0.push((gain, leaf));
        self.rise(self.0.len() - 1);
    }

    /// Takes the leaf that gains most.
    pub(super) fn pop(&mut self) -> Option<usize> {
        let last = self.0.pop()?;
        let Some(first) = self.0.first_mut() else {
            return Some(last.1);
        };
        let (_, leaf) = std::mem::replace(first, last);
        // Down to the end first, as `heapq` does, then up to where it belongs.
        let (end, mut at) = (self.0.len(), 0);
        loop {
            let mut child = 2 * at + 1;
            if child >= end {
                break;
            }
            if child + 1 < end && self.0[child].0 <= self.0[child + 1].0 {
                child += 1;
            }
            self.0.swap(at, child);
            at = child;
        }
        self.rise(at);
        Some(leaf)
    }

    fn rise(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / 2;
            if self.0[at].0 <= self.0[parent].0 {
                break;
            }
            self.0.swap(at, parent);
            at = parent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_gains_come_in_the_order_of_heapq() {
        // As Python's heapq pops them.
        let mut heap = Heap::new();
        for leaf in 0..7 {
            heap.push(1.0, leaf);
        }
        let popped: Vec<_> = std::iter::from_fn(|| heap.pop()).collect();
        assert_eq!(popped, [0, 2, 5, 6, 4, 1, 3]);
    }
}
