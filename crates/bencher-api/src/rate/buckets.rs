//! One counter of many subjects: three buckets for each, whose number is bounded.

use std::{
    hash::{BuildHasher as _, RandomState},
    num::NonZeroU32,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::DashMapStateStore,
};

use crate::limits;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How much is allowed in each window.
#[derive(Clone, Copy, Debug)]
pub(super) struct PerWindow {
    pub(super) minute: u32,
    pub(super) hour: u32,
    pub(super) day: u32,
}

/// The buckets of a counter.
#[derive(Debug)]
pub(super) struct Buckets<C: Clock = DefaultClock> {
    windows: [Window<C>; 3],
    clock: C,
    /// Since the number of keys was last looked at.
    charged: AtomicU32,
    /// There are so many keys that they share buckets until the next sweep.
    crowded: AtomicBool,
    sharing: RandomState,
}

#[derive(Debug)]
enum Window<C: Clock> {
    /// Nothing is allowed; the answer is to come back after this.
    Closed(Duration),
    Open(RateLimiter<u128, DashMapStateStore<u128>, C, NoOpMiddleware<C::Instant>>),
}

impl<C: Clock + Clone> Buckets<C> {
    pub(super) fn new(rate: PerWindow, clock: C) -> Self {
        let window = |number, period: Duration| {
            let quota =
                NonZeroU32::new(number).and_then(|number| Some(Quota::with_period(period / number.get())?.allow_burst(number)));
            match quota {
                Some(quota) => Window::Open(RateLimiter::dashmap_with_clock(quota, clock.clone())),
                None => Window::Closed(period),
            }
        };
        let windows = [window(rate.minute, MINUTE), window(rate.hour, HOUR), window(rate.day, DAY)];
        Self { windows, clock, charged: AtomicU32::new(0), crowded: AtomicBool::new(false), sharing: RandomState::new() }
    }

    /// Takes one out of each of the key's buckets, or says when it could.
    pub(super) fn charge(&self, key: u128) -> Result<(), Duration> {
        let key = self.own_or_shared(key);
        for window in &self.windows {
            match window {
                Window::Closed(period) => return Err(*period),
                Window::Open(limiter) => {
                    limiter.check_key(&key).map_err(|not_until| not_until.wait_time_from(self.clock.now()))?;
                }
            }
        }
        Ok(())
    }

    /// Takes so many out of each of the key's buckets, or what is in them.
    pub(super) fn charge_up_to(&self, key: u128, number: u32) {
        let key = self.own_or_shared(key);
        for window in &self.windows {
            let Window::Open(limiter) = window else { continue };
            let (mut left, mut step) = (number, number);
            while let Some(part) = NonZeroU32::new(step.min(left)) {
                if matches!(limiter.check_key_n(&key, part), Ok(Ok(()))) {
                    left -= part.get();
                } else {
                    step = part.get() / 2;
                }
            }
        }
    }

    /// Whoever has many addresses could fill the memory with them. Beyond a bound, keys share buckets by their hash.
    fn own_or_shared(&self, key: u128) -> u128 {
        if self.charged.fetch_add(1, Ordering::Relaxed).is_multiple_of(limits::RATE_CHECKS_PER_COUNT)
            && self.keys() > limits::MAX_RATE_KEYS
            && !self.crowded.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(keys = limits::MAX_RATE_KEYS, "so many are counted that they share their rate limits for a while");
        }
        if self.crowded.load(Ordering::Relaxed) { u128::from(self.sharing.hash_one(key) % limits::SHARED_RATE_KEYS) } else { key }
    }

    /// The keys of the window that has most.
    pub(super) fn keys(&self) -> usize {
        let keys = |window: &Window<C>| match window {
            Window::Closed(_) => 0,
            Window::Open(limiter) => limiter.len(),
        };
        self.windows.iter().map(keys).max().unwrap_or_default()
    }

    /// Forgets the keys whose buckets are full again.
    pub(super) fn sweep(&self) {
        for window in &self.windows {
            if let Window::Open(limiter) = window {
                limiter.retain_recent();
                limiter.shrink_to_fit();
            }
        }
        if self.keys() <= limits::MAX_RATE_KEYS / 2 {
            self.crowded.store(false, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
