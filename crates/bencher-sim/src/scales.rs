//! How large the world of a seed is, and how much goes wrong in it.

use crate::world::Scale;

/// One in sixteen worlds is undisturbed; the others have ever more faults.
#[must_use]
pub fn of(seed: u64) -> Scale {
    let pick = |of: u64, shift: u32| usize::try_from((seed >> shift) % of).unwrap_or_default();
    let faults = match seed % 16 {
        0 => 0,
        some => usize::try_from(some).unwrap_or_default() * 2,
    };
    Scale { runners: 1 + pick(3, 1), jobs: 1 + pick(8, 3), faults, quiet_after: 240_000 }
}
