//! Worlds that once went wrong. What was found in them is mended; they are run again with every change, before any others.

/// Their seeds. One that goes wrong later joins them, with the change that mends it.
pub const SEEDS: &[u64] = &[18, 94, 107, 377, 2843, 4079];

#[cfg(test)]
mod tests;
