//! What one number decides: how long programs live and stay away, how bad lines are, and what jobs do. Pure.

use std::time::Duration;

use bad_line::{Conduct, Rough};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// The lives of one program.
#[derive(Clone, Debug)]
pub(crate) struct Lives {
    random: ChaCha8Rng,
    mean_ms: u64,
}

/// What becomes of a program next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    /// So long after its start it is killed.
    pub(crate) alive: Duration,
    /// So long it is away then.
    pub(crate) away: Duration,
}

impl Lives {
    /// Of the program with this number, which lives about so long each time.
    pub(crate) fn of(seed: u64, program: u64, mean: Duration) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(program + 1);
        Self { random, mean_ms: u64::try_from(mean.as_millis()).unwrap_or(u64::MAX).max(2) }
    }

    /// Some die while they start, some live long; most absences are short.
    pub(crate) fn next(&mut self) -> Life {
        let alive = if self.random.random_ratio(1, 8) {
            self.random.random_range(0..300)
        } else {
            self.random.random_range(self.mean_ms / 2..self.mean_ms * 3 / 2)
        };
        let away =
            if self.random.random_ratio(1, 6) { self.random.random_range(1000..4000) } else { self.random.random_range(10..700) };
        Life { alive: Duration::from_millis(alive), away: Duration::from_millis(away) }
    }
}

/// How bad the line to the server with this number is. Never silent: that looks like a runner that is lost, and may end a job.
pub(crate) const fn bad_line(seed: u64, number: u64) -> Conduct {
    Conduct::Rough(Rough {
        seed: seed ^ (number << 32),
        cut_after: 1_000..400_000,
        delay_ms: 0..40,
        refused_one_in: 8,
        silent_one_in: 0,
        good_from: u64::MAX,
    })
}

/// What a job's benchmark does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Prints its number after a while, in each of its iterations.
    Measures { pause: Duration, iterations: u32 },
    /// Ends with an exit code other than 0.
    Fails,
    /// Never ends; a person cancels it after a while.
    Canceled { after: Duration },
}

/// One job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) number: usize,
    pub(crate) deed: Deed,
    /// The same for every attempt to submit it.
    pub(crate) key: uuid::Uuid,
    /// Submitted once more although it was accepted.
    pub(crate) repeated: bool,
    /// How long the client waits before it.
    pub(crate) pause: Duration,
}

/// All jobs of a run.
pub(crate) fn tasks(seed: u64, jobs: usize) -> Vec<Task> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let millis = |random: &mut ChaCha8Rng, range| Duration::from_millis(random.random_range(range));
    let task = |number| {
        let deed = match random.random_range(0..10) {
            0 => Deed::Fails,
            1 => Deed::Canceled { after: millis(&mut random, 100..3000) },
            _ => Deed::Measures { pause: millis(&mut random, 0..900), iterations: random.random_range(1..=2) },
        };
        let key = uuid::Builder::from_random_bytes(random.random()).into_uuid();
        Task { number, deed, key, repeated: random.random_ratio(1, 5), pause: millis(&mut random, 0..1500) }
    };
    (0..jobs).map(task).collect()
}

#[cfg(test)]
mod tests;
