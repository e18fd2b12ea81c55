//! What becomes of a connection: told, or decided by a number. Pure.

use std::{ops::Range, time::Duration};

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// How new connections are treated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Conduct {
    /// Everything passes.
    #[default]
    Good,
    /// Each of them has this fate.
    All(Fate),
    /// A number decides the fate of each.
    Rough(Rough),
}

/// How a connection ends that is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cut {
    /// As by a firewall that forgot it: what is under way is lost.
    #[default]
    Reset,
    /// As by a program that ends well: what was said so far arrives, and then there is no more.
    End,
}

/// What becomes of one connection. The default is a good one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// How much later arrives what is said to the target.
    pub delay_up: Duration,
    /// How much later arrives what the target says.
    pub delay_down: Duration,
    /// It is cut after so many bytes of both directions together.
    pub cut_after: Option<u64>,
    pub cut: Cut,
    /// It is accepted, and nothing passes.
    pub silent: bool,
    /// It is cut at once.
    pub refused: bool,
}

/// Connections that each have a fate of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rough {
    pub seed: u64,
    /// After how many bytes a connection is cut.
    pub cut_after: Range<u64>,
    /// How long each direction is delayed, in milliseconds.
    pub delay_ms: Range<u64>,
    /// One of so many is refused; none where it is 0.
    pub refused_one_in: u32,
    /// One of so many is silent from its beginning; none where it is 0.
    pub silent_one_in: u32,
    /// Connections from this number on are good: what is tried often enough comes through.
    pub good_from: u64,
}

impl Conduct {
    /// The fate of the connection with this number.
    #[must_use]
    pub fn fate(&self, number: u64) -> Fate {
        match self {
            Self::Good => Fate::default(),
            Self::All(fate) => *fate,
            Self::Rough(rough) => rough.fate(number),
        }
    }
}

impl Rough {
    fn fate(&self, number: u64) -> Fate {
        if number >= self.good_from {
            return Fate::default();
        }
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(number);
        let mut one_in = |count: u32| count > 0 && random.random_ratio(1, count);
        let (refused, silent) = (one_in(self.refused_one_in), one_in(self.silent_one_in));
        let within = |random: &mut ChaCha8Rng, range: &Range<u64>| {
            if range.is_empty() { range.start } else { random.random_range(range.clone()) }
        };
        let delay_up = Duration::from_millis(within(&mut random, &self.delay_ms));
        let delay_down = Duration::from_millis(within(&mut random, &self.delay_ms));
        let cut = if random.random() { Cut::Reset } else { Cut::End };
        Fate { delay_up, delay_down, cut_after: Some(within(&mut random, &self.cut_after)), cut, silent, refused }
    }
}

#[cfg(test)]
mod tests;
