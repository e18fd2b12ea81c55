//! The permutation test of pairs: if nothing had changed, each pair's logarithm could as well have had the other sign.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Up to this many pairs all signs are gone through.
const ALL_UP_TO: usize = 14;

/// Of more pairs so many choices of signs are drawn.
const DRAWN: u32 = 20_000;

const SEED: u64 = 0x51f1_1905;

/// How many of the choices of signs lead as far from zero; two-sided. Of n pairs it is at least 2 in 2ⁿ.
pub(super) fn p_value(logarithms: &[f64]) -> f64 {
    let observed = logarithms.iter().sum::<f64>().abs();
    // Sums of the same numbers in another order differ by a rounding error.
    let as_far = observed * (1.0 - 1e-12);
    let flipped = |signs: &dyn Fn(usize) -> bool| {
        let sum: f64 = logarithms.iter().enumerate().map(|(number, value)| if signs(number) { -value } else { *value }).sum();
        sum.abs() >= as_far
    };
    if logarithms.len() <= ALL_UP_TO {
        let all = 1_u32 << logarithms.len();
        let found = (0..all).filter(|choice| flipped(&|number| choice >> number & 1 == 1)).count();
        #[expect(clippy::cast_precision_loss, reason = "at most 2^14")]
        return found as f64 / f64::from(all);
    }
    let mut generator = ChaCha8Rng::seed_from_u64(SEED);
    let mut found = 0_u32;
    for _ in 0..DRAWN {
        let sum: f64 = logarithms.iter().map(|value| if generator.random::<bool>() { -value } else { *value }).sum();
        found += u32::from(sum.abs() >= as_far);
    }
    // The observed signs are one of the choices.
    f64::from(found + 1) / f64::from(DRAWN + 1)
}
