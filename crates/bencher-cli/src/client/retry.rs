//! Which failed attempts are repeated, and when. Pure: waits for nothing itself.

use std::time::Duration;

use bencher_types::DateTime;
use reqwest::{Method, StatusCode};

use super::ApiError;
use crate::limits;

/// How often, and how patiently, a request is repeated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryPolicy {
    /// Attempts in all; at least one.
    pub attempts: u32,
    /// The wait before the second attempt; doubles from then on.
    pub first: Duration,
    /// The longest wait that we choose.
    pub longest: Duration,
    /// The longest wait that the server may ask for.
    pub patience: Duration,
}

/// An attempt that failed and is going to be repeated.
pub(crate) struct Attempt<'a> {
    pub number: u32,
    pub of: u32,
    pub error: &'a ApiError,
    pub wait: Duration,
    /// Whether somebody who reads a log wants to know: the first one, then one now and then.
    pub is_news: bool,
}

/// How long ago a log was told last, in time that was waited since.
#[derive(Debug, Default)]
pub(super) struct News {
    since: Option<Duration>,
}

impl News {
    /// Whether the attempt before this wait is news.
    pub(super) fn is(&mut self, wait: Duration) -> bool {
        let is_news = self.since.is_none_or(|since| since >= limits::RETRY_NEWS_INTERVAL);
        let before = if is_news { Duration::ZERO } else { self.since.unwrap_or_default() };
        self.since = Some(before.saturating_add(wait));
        is_news
    }
}

impl RetryPolicy {
    /// How often a request is sent that fails like this.
    pub(super) fn attempts_on(&self, error: &ApiError) -> u32 {
        match error {
            // A server that starts, or one behind a proxy, answers 502 to 504 for a while. A 500 is a defect: a question brings the same
            // answer again, while what is to be stored is worth the patience.
            ApiError::Failing { failure, .. } if failure.status == 500 && failure.method == Method::GET => {
                self.attempts.min(limits::FEW_ATTEMPTS)
            }
            ApiError::UnknownHost { .. } => self.attempts.min(limits::FEW_ATTEMPTS),
            _ => self.attempts,
        }
    }

    /// How long to wait after a failed attempt (counted from 1); `None`: it was the last, or another would not help.
    pub(super) fn wait_after(&self, attempt: u32, error: &ApiError) -> Option<Duration> {
        let asked = match error {
            ApiError::Unreachable { .. } | ApiError::UnknownHost { .. } => None,
            ApiError::Failing { failure, .. } => failure.retry_after,
            // Who is too fast may come back when told to, not before. GitHub says it with 403, too.
            ApiError::Refused(failure) if matches!(failure.status, 403 | 429) => Some(failure.retry_after?),
            _ => return None,
        };
        if attempt >= self.attempts_on(error) || asked.is_some_and(|wait| wait > self.patience) {
            return None;
        }
        let doublings = attempt.saturating_sub(1).min(31);
        let own = self.first.saturating_mul(1 << doublings).min(self.longest);
        Some(asked.map_or(own, |wait| wait.max(own)))
    }
}

/// When a server that refuses wants to be asked again: as `Retry-After` says, or, with GitHub, the time at which its count begins anew.
pub(super) fn asked(status: StatusCode, header: impl Fn(&str) -> Option<String>, now: DateTime) -> Option<Duration> {
    if !matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let by_time = || {
        let _ = header("x-ratelimit-remaining").filter(|left| left.trim() == "0")?;
        let seconds: i64 = header("x-ratelimit-reset")?.trim().parse().ok()?;
        Some(DateTime::from_micros(seconds.checked_mul(1_000_000)?).ok()?.since(now))
    };
    header("retry-after").and_then(|text| retry_after(&text, now)).or_else(by_time)
}

/// What a `Retry-After` header asks for: seconds, or a time (RFC 9110, 10.2.3).
fn retry_after(text: &str, now: DateTime) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
    Some(DateTime::from(at).since(now))
}

#[cfg(test)]
mod tests;
