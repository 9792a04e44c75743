//! Rows of ids in two flat vectors (compressed sparse rows).

use std::ops::Range;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Csr {
    indptr: Vec<u32>,
    pub(crate) indices: Vec<u32>,
}

impl Csr {
    pub(crate) fn with_capacity(rows: usize, ids: usize) -> Self {
        let mut indptr = Vec::with_capacity(rows + 1);
        indptr.push(0);
        Self {
            indptr,
            indices: Vec::with_capacity(ids),
        }
    }

    pub(crate) fn push_row(&mut self, row: impl IntoIterator<Item = u32>) {
        self.indices.extend(row);
        self.indptr.push(self.indices.len() as u32);
    }

    pub(crate) fn rows(&self) -> usize {
        self.indptr.len() - 1
    }

    /// Where row `i` lies in `indices`.
    pub(crate) fn range(&self, i: u32) -> Range<usize> {
        self.indptr[i as usize] as usize..self.indptr[i as usize + 1] as usize
    }

    pub(crate) fn row(&self, i: u32) -> &[u32] {
        &self.indices[self.range(i)]
    }

    pub(crate) fn row_len(&self, i: u32) -> u32 {
        self.indptr[i as usize + 1] - self.indptr[i as usize]
    }

    /// The reverse edges; every row ascends.
    pub(crate) fn transposed(&self) -> Self {
        let mut indptr = vec![0; self.indptr.len()];
        for &j in &self.indices {
            indptr[j as usize + 1] += 1;
        }
        for i in 1..indptr.len() {
            indptr[i] += indptr[i - 1];
        }
        let mut next = indptr.clone();
        let mut indices = vec![0; self.indices.len()];
        for i in 0..self.rows() as u32 {
            for &j in self.row(i) {
                let slot = &mut next[j as usize];
                indices[*slot as usize] = i;
                *slot += 1;
            }
        }
        Self { indptr, indices }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_turns_edges_around() {
        let mut csr = Csr::with_capacity(3, 3);
        csr.push_row([]);
        csr.push_row([0]);
        csr.push_row([1, 0]);
        let back = csr.transposed();
        assert_eq!(
            (back.row(0), back.row(1), back.row(2)),
            (&[1, 2][..], &[2][..], &[][..])
        );
        assert_eq!((back.row_len(0), back.range(1)), (2, 2..3));
        assert_eq!(
            back.transposed(),
            Csr {
                indptr: vec![0, 0, 1, 3],
                indices: vec![0, 0, 1]
            }
        );
    }
}
