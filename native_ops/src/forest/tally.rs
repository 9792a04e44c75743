//! The samples of a node, added up by the values of a column.

use super::columns::{Bundle, Column, Places, Ranked, RankedColumns, Two};
use super::criterion::Criterion;

/// Up to so many distinct values of a column for each sample, looking at all of them takes less
/// time than sorting the samples.
const DISTINCT: usize = 4;
/// Numbers that differ by no more count as equal.
const APART: f32 = 1e-7;

/// The samples of a node, in any order, and what each adds to sums.
pub(super) struct Samples<'a, C: Criterion<W>, const W: usize> {
    pub(super) criterion: &'a C,
    pub(super) rows: &'a [u32],
    pub(super) terms: &'a [C::Term],
    pub(super) sums: [f64; W],
}

/// Sums over some samples, and how many they are.
#[derive(Clone, Copy)]
pub(super) struct Part<const W: usize> {
    pub(super) sums: [f64; W],
    pub(super) count: usize,
}

impl<const W: usize> Part<W> {
    pub(super) const NONE: Self = Self {
        sums: [0.0; W],
        count: 0,
    };

    #[inline(always)]
    fn add<C: Criterion<W>>(&mut self, criterion: &C, term: C::Term) {
        criterion.add(&mut self.sums, term);
        self.count += 1;
    }

    #[inline(always)]
    pub(super) fn and(mut self, other: &Self) -> Self {
        for (sum, more) in self.sums.iter_mut().zip(&other.sums) {
            *sum += more;
        }
        self.count += other.count;
        self
    }
}

/// The samples of a node by the values that occur, ascending.
#[derive(Default)]
pub(super) struct Tally<const W: usize> {
    /// The places of these values.
    pub(super) places: Vec<u32>,
    /// The samples up to each of them.
    pub(super) lefts: Vec<Part<W>>,
    /// Those whose value is missing, if any are.
    pub(super) missing: Option<Part<W>>,
}

impl<const W: usize> Tally<W> {
    fn clear(&mut self) {
        self.places.clear();
        self.lefts.clear();
        self.missing = None;
    }

    /// Whether a column cannot split these samples.
    fn is_constant(&self, values: &[f32]) -> bool {
        let ends = self.places.first().zip(self.places.last());
        ends.is_none_or(|(&first, &last)| {
            self.missing.is_none() && !apart(values[first as usize], values[last as usize])
        })
    }
}

/// Whether there can be a split between two values.
#[inline(always)]
pub(super) fn apart(low: f32, high: f32) -> bool {
    high > low + APART
}

/// Adds up what is asked for, and for bundles once per node.
pub(super) struct Tallies<'a, const W: usize> {
    pub(super) columns: &'a RankedColumns,
    pub(super) tally: Tally<W>,
    keys: Vec<u64>,
    parts: Vec<Part<W>>,
    /// The samples of a node by the codes of each bundle; none as long as nobody has asked.
    bundles: Vec<Vec<Part<W>>>,
}

impl<'a, const W: usize> Tallies<'a, W> {
    pub(super) fn new(columns: &'a RankedColumns) -> Self {
        Self {
            columns,
            tally: Tally::default(),
            keys: Vec::new(),
            parts: Vec::new(),
            bundles: columns.bundles.iter().map(|_| Vec::new()).collect(),
        }
    }

    /// Begins another node.
    pub(super) fn reset(&mut self) {
        self.bundles.iter_mut().for_each(Vec::clear);
    }

    /// Adds up the samples of a node by a column; `None` if that cannot split them.
    pub(super) fn of<C: Criterion<W>>(
        &mut self,
        column: usize,
        samples: &Samples<'_, C, W>,
    ) -> Option<(&'a [f32], &Tally<W>)> {
        self.tally.clear();
        let values: &[f32] = match &self.columns.columns[column] {
            Column::Constant => return None,
            Column::Two(two) => {
                self.split_in_two(two, samples);
                &two.values
            }
            Column::Ranked(ranked) => {
                match &ranked.places {
                    Places::Narrow(places) => self.by_place(ranked, places, samples),
                    Places::Wide(places) => self.by_place(ranked, places, samples),
                }
                &ranked.values
            }
        };
        (!self.tally.is_constant(values)).then_some((values, &self.tally))
    }

    fn by_place<C: Criterion<W>, P: Copy + Into<u32>>(
        &mut self,
        ranked: &Ranked,
        places: &[P],
        samples: &Samples<'_, C, W>,
    ) {
        let (tally, distinct) = (&mut self.tally, ranked.values.len());
        if distinct > DISTINCT * samples.rows.len() {
            sort(tally, &mut self.keys, places, distinct as u32, samples);
            return;
        }
        let parts = &mut self.parts;
        add_up(parts, distinct + 1, samples, |row| {
            places[row].into() as usize
        });
        tally.places.resize(distinct, 0);
        let mut many = 0;
        for (place, part) in (0..).zip(&parts[..distinct]) {
            tally.places[many] = place;
            many += usize::from(part.count > 0);
        }
        tally.places.truncate(many);
        let mut left = Part::NONE;
        tally.lefts.extend(tally.places.iter().map(|&place| {
            left = left.and(&parts[place as usize]);
            left
        }));
        tally.missing = Some(parts[distinct]).filter(|part| part.count > 0);
    }

    /// Takes the rarer value from the bundle, or from the samples if they are few.
    fn split_in_two<C: Criterion<W>>(&mut self, two: &Two, samples: &Samples<'_, C, W>) {
        let Bundle { codes, columns, .. } = &self.columns.bundles[two.bundle];
        let mut rarer = Part::NONE;
        if usize::from(*columns) > DISTINCT * samples.rows.len() {
            for (&row, &term) in samples.rows.iter().zip(samples.terms) {
                if codes[row as usize] == two.code {
                    rarer.add(samples.criterion, term);
                }
            }
        } else {
            let parts = &mut self.bundles[two.bundle];
            if parts.is_empty() {
                add_up(parts, usize::from(*columns) + 1, samples, |row| {
                    codes[row].into()
                });
            }
            rarer = parts[usize::from(two.code)];
        }
        let all = Part {
            sums: samples.sums,
            count: samples.rows.len(),
        };
        let mut low = rarer;
        if two.is_high {
            for (sum, all) in low.sums.iter_mut().zip(all.sums) {
                *sum = all - *sum;
            }
            low.count = all.count - rarer.count;
        }
        if low.count > 0 {
            self.tally.places.push(0);
            self.tally.lefts.push(low);
        }
        if low.count < all.count {
            self.tally.places.push(1);
            self.tally.lefts.push(all);
        }
    }
}

/// Adds up samples by a number below `many` that each has.
fn add_up<C: Criterion<W>, const W: usize>(
    parts: &mut Vec<Part<W>>,
    many: usize,
    samples: &Samples<'_, C, W>,
    number: impl Fn(usize) -> usize,
) {
    parts.clear();
    parts.resize(many, Part::NONE);
    for (&row, &term) in samples.rows.iter().zip(samples.terms) {
        parts[number(row as usize)].add(samples.criterion, term);
    }
}

/// Adds up few samples of many values.
fn sort<C: Criterion<W>, P: Copy + Into<u32>, const W: usize>(
    tally: &mut Tally<W>,
    keys: &mut Vec<u64>,
    places: &[P],
    missing: u32,
    samples: &Samples<'_, C, W>,
) {
    keys.clear();
    keys.extend((samples.rows.iter().zip(0_u64..)).map(|(&row, at)| {
        let place: u32 = places[row as usize].into();
        u64::from(place) << 32 | at
    }));
    keys.sort_unstable();
    let mut left = Part::NONE;
    for key in keys {
        let place = (*key >> 32) as u32;
        let term = samples.terms[*key as u32 as usize];
        if place == missing {
            let missing = tally.missing.get_or_insert(Part::NONE);
            missing.add(samples.criterion, term);
            continue;
        }
        left.add(samples.criterion, term);
        if tally.places.last() == Some(&place) {
            tally.lefts.pop();
        } else {
            tally.places.push(place);
        }
        tally.lefts.push(left);
    }
}
