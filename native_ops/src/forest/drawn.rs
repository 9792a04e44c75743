//! A split of a node by one column that is drawn at random.

use super::columns::{Column, Places};
use super::criterion::Criterion;
use super::draws::Draws;
use super::split::{Search, Split, less};
use super::tally::{Part, Samples, Tallies, apart};

/// For so many samples, looking up where a threshold is takes less time than their values.
const MANY: usize = 64;

impl<C: Criterion<W>, const W: usize> Search<'_, C, W> {
    /// Looks at one split, drawn at random; tells whether the column can split the samples.
    pub(super) fn random(
        &mut self,
        tallies: &mut Tallies<'_, W>,
        column: usize,
        draws: &mut Draws,
    ) -> bool {
        let Some((values, ends)) = tallies.ends(column, self.samples) else {
            return false;
        };
        let value = |place: u32| f64::from(values[place as usize]);
        let (low, high) = (value(ends.first), value(ends.last));
        let mut threshold = draws.uniform(low, high);
        let missing_left = ends.missing.then(|| draws.between(0, 2) == 1);
        if threshold == high {
            threshold = low;
        }
        let goes_left = missing_left == Some(true);
        let (last, left) = tallies.up_to(column, threshold, goes_left, self.samples);
        let right = less(&self.samples.sums, &left.sums);
        let split = Split {
            proxy: self.samples.criterion.proxy(&left.sums, &right),
            column,
            last,
            threshold,
            missing_left,
            left: left.sums,
        };
        self.consider(split, left.count);
        true
    }
}

impl<'a, const W: usize> Tallies<'a, W> {
    /// Finds the first and the last value of a node's samples; `None` if the column cannot split them.
    fn ends<C: Criterion<W>>(
        &mut self,
        column: usize,
        samples: &Samples<'_, C, W>,
    ) -> Option<(&'a [f32], Ends)> {
        let columns = self.columns;
        let Column::Ranked(ranked) = &columns.columns[column] else {
            return self.of(column, samples).map(|(values, _)| {
                let ends = Ends {
                    first: 0,
                    last: 1,
                    missing: false,
                };
                (values, ends)
            });
        };
        let missing = ranked.values.len() as u32;
        let ends = match &ranked.places {
            Places::Narrow(places) => ends(samples.rows, places, missing),
            Places::Wide(places) => ends(samples.rows, places, missing),
        };
        let value = |place: u32| ranked.values[place as usize];
        let can =
            ends.first < missing && (ends.missing || apart(value(ends.first), value(ends.last)));
        can.then_some((&ranked.values, ends))
    }

    /// Adds up the samples up to a threshold, and missing ones if they go left; returns the place
    /// of the last value, too. After [`Tallies::ends`] of the same column.
    fn up_to<C: Criterion<W>>(
        &self,
        column: usize,
        threshold: f64,
        missing_left: bool,
        samples: &Samples<'_, C, W>,
    ) -> (u32, Part<W>) {
        let (mut last, mut left) = (0, Part::NONE);
        match &self.columns.columns[column] {
            Column::Constant => {}
            Column::Two(two) => {
                let many = (two.values.iter()).filter(|&&value| f64::from(value) <= threshold);
                if let Some(at) = many.count().checked_sub(1) {
                    (last, left) = (at as u32, self.tally.lefts[at]);
                }
            }
            Column::Ranked(ranked) => {
                let missing = ranked.values.len() as u32;
                // Where the values on the left end, if there are enough samples for a search.
                let cut = (samples.rows.len() >= MANY).then(|| {
                    let up_to = |&value: &f32| f64::from(value) <= threshold;
                    ranked.values.partition_point(up_to) as u32
                });
                // Without a branch, which nobody could foresee.
                let mut add = |place: u32, term| {
                    let is_below = match cut {
                        Some(cut) => place < cut,
                        None => ranked
                            .values
                            .get(place as usize)
                            .is_some_and(|&value| f64::from(value) <= threshold),
                    };
                    let is_left = is_below || missing_left && place == missing;
                    let term = samples.criterion.only_if(is_left, term);
                    samples.criterion.add(&mut left.sums, term);
                    left.count += usize::from(is_left);
                    last = last.max(if is_below { place } else { 0 });
                };
                let each = samples.rows.iter().zip(samples.terms);
                match &ranked.places {
                    Places::Narrow(places) => {
                        each.for_each(|(&row, &term)| add(places[row as usize].into(), term));
                    }
                    Places::Wide(places) => {
                        each.for_each(|(&row, &term)| add(places[row as usize], term));
                    }
                }
            }
        }
        (last, left)
    }
}

/// The places of the first and last value of some samples; behind all if they are missing.
struct Ends {
    first: u32,
    last: u32,
    missing: bool,
}

fn ends<P: Copy + Into<u32>>(rows: &[u32], places: &[P], missing: u32) -> Ends {
    let (mut first, mut last, mut most) = (missing, 0, 0);
    for &row in rows {
        let place: u32 = places[row as usize].into();
        first = first.min(place);
        most = most.max(place);
        last = last.max(if place == missing { 0 } else { place });
    }
    Ends {
        first,
        last,
        missing: most == missing,
    }
}
