//! How the last minutes of a database looked, one letter a moment.

use std::collections::VecDeque;

use super::sample::Sample;
use crate::native::decode::Blocks;

/// Who had a database; later ones outweigh earlier ones where a letter stands for several looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hold {
    /// Nobody.
    #[default]
    Free,
    /// Somebody with locks of the engine and without dbguard's.
    Native,
    /// Somebody, shared.
    Shared,
    /// Somebody alone.
    Exclusive,
}

/// One moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Who had it.
    pub hold: Hold,
    /// Whether somebody waited.
    pub waited: bool,
}

impl Cell {
    /// Returns the moment of a look.
    pub fn of(sample: &Sample) -> Self {
        let modes = sample.holders().map(|one| match one.party.mode {
            "exclusive" => Hold::Exclusive,
            _ => Hold::Shared,
        });
        let is_native = sample.blockers().any(|lock| lock.blocks > Blocks::None);
        let native = is_native.then_some(Hold::Native);
        let hold = modes.chain(native).max().unwrap_or_default();
        Self { hold, waited: sample.waiters().next().is_some() }
    }

    /// Returns the letter: a capital while somebody waited.
    pub fn letter(self) -> char {
        match (self.hold, self.waited) {
            (Hold::Free, false) => '.',
            (Hold::Free, true) => 'W',
            (Hold::Native, false) => 'n',
            (Hold::Native, true) => 'N',
            (Hold::Shared, false) => 's',
            (Hold::Shared, true) => 'S',
            (Hold::Exclusive, false) => 'x',
            (Hold::Exclusive, true) => 'X',
        }
    }

    fn and(self, other: Self) -> Self {
        Self { hold: self.hold.max(other.hold), waited: self.waited || other.waited }
    }
}

/// The moments of the last minutes, oldest first.
#[derive(Clone, Debug)]
pub struct Strip {
    cells: VecDeque<Cell>,
    most: usize,
    /// How many were put in, so that moments stay together while the strip moves on.
    count: usize,
}

impl Strip {
    /// Begins a strip of at most so many moments.
    pub fn new(most: usize) -> Self {
        Self { cells: VecDeque::new(), most: most.max(1), count: 0 }
    }

    /// Adds a moment, the latest.
    pub fn push(&mut self, cell: Cell) {
        if self.cells.len() == self.most {
            self.cells.pop_front();
        }
        self.cells.push_back(cell);
        self.count += 1;
    }

    /// Returns the whole strip in at most so many columns, the latest last: each stands for equally
    /// many moments, and shows the worst of them.
    pub fn columns(&self, columns: usize) -> Vec<Cell> {
        if columns == 0 {
            return Vec::new();
        }
        let share = self.most.div_ceil(columns).max(1);
        let first = self.count - self.cells.len();
        let mut drawn: Vec<(usize, Cell)> = Vec::new();
        for (index, cell) in self.cells.iter().enumerate() {
            let group = (first + index) / share;
            match drawn.last_mut() {
                Some((last, so_far)) if *last == group => *so_far = so_far.and(*cell),
                _ => drawn.push((group, *cell)),
            }
        }
        // The oldest group may be cut, and then there is one more than fits.
        let excess = drawn.len().saturating_sub(columns);
        drawn.into_iter().skip(excess).map(|(_, cell)| cell).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert, proptest};

    use super::{Cell, Hold, Strip};

    fn cell(letter: char) -> Cell {
        let hold = match letter.to_ascii_lowercase() {
            'x' => Hold::Exclusive,
            's' => Hold::Shared,
            'n' => Hold::Native,
            _ => Hold::Free,
        };
        Cell { hold, waited: letter.is_ascii_uppercase() }
    }

    fn drawn(strip: &Strip, columns: usize) -> String {
        strip.columns(columns).into_iter().map(Cell::letter).collect()
    }

    #[test]
    fn each_state_has_a_letter_of_its_own() {
        let mut strip = Strip::new(8);
        ".nsxWNSX".chars().for_each(|letter| strip.push(cell(letter)));
        assert_eq!(drawn(&strip, 8), ".nsxWNSX");
    }

    #[test]
    fn a_column_shows_the_worst_of_its_moments_and_the_latest_is_last() {
        let mut strip = Strip::new(8);
        "..x.sW".chars().for_each(|letter| strip.push(cell(letter)));
        assert_eq!(drawn(&strip, 4), ".xS");
        assert_eq!(drawn(&strip, 1), "X");
    }

    #[test]
    fn what_is_older_than_the_strip_is_forgotten() {
        let mut strip = Strip::new(2);
        "xx..".chars().for_each(|letter| strip.push(cell(letter)));
        assert_eq!(drawn(&strip, 10), "..");
    }

    proptest! {
        #[test]
        fn no_more_columns_are_drawn_than_there_are(
            most in 0usize..400,
            columns in 0usize..200,
            waits in prop::collection::vec(any::<bool>(), 0..600),
        ) {
            let mut strip = Strip::new(most);
            for waited in waits {
                strip.push(Cell { hold: Hold::Free, waited });
            }
            prop_assert!(strip.columns(columns).len() <= columns);
        }
    }
}
