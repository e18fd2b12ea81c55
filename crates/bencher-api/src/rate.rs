//! How often who may do what. Knows no HTTP: somebody is charged for something, and it is allowed or comes too early.
//!
//! Each thing that is counted has three windows, of a minute, an hour and a day. A window of 64 per minute is a bucket of 64 that is
//! refilled with 64 per minute: a burst is fine, and after it one comes free each second or so.

mod buckets;
mod exchange;

use std::{net::IpAddr, time::Duration};

use bencher_types::{Email, ProjectUuid, RunnerUuid, UserUuid};
use governor::clock::DefaultClock;
use sha2::{Digest as _, Sha256};

use self::{
    buckets::{Buckets, PerWindow},
    exchange::Exchange,
};
use crate::{
    config::rate_limiting::{PublicRates, Rate, RateLimiting, UserRates},
    limits,
};

/// Who is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// Whoever uses this address, or the same /64 of IPv6, which is what one customer of a provider has.
    Address(IpAddr),
    /// An account, by the address that somebody claims to own. There need be none.
    Account(&'a Email),
    User(UserUuid),
    /// Whoever has one of the project's keys.
    Project(ProjectUuid),
    Runner(RunnerUuid),
}

/// What is charged for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Counter {
    Requests,
    /// Requests to the registry: one image is some dozens of them.
    Registry,
    /// Log-ins and the like, and credentials that are not valid.
    Attempts,
    /// New keys and tokens.
    Credentials,
    Organizations,
    Invites,
    Runs,
}

impl Counter {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Registry => "requests to the registry",
            Self::Attempts => "attempts to log in",
            Self::Credentials => "new keys and tokens",
            Self::Organizations => "new organizations",
            Self::Invites => "invitations",
            Self::Runs => "runs",
        }
    }
}

impl Subject<'_> {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Address(_) => "this address",
            Self::Account(_) => "this account",
            Self::User(_) => "this user",
            Self::Project(_) => "this project",
            Self::Runner(_) => "this runner",
        }
    }

    /// What tells this one from others of its kind.
    fn key(self) -> u128 {
        match self {
            Self::Address(address) => address_key(address),
            Self::Account(email) => {
                let mut half = [0; 16];
                half.copy_from_slice(&Sha256::digest(email.as_str().to_lowercase())[..16]);
                u128::from_be_bytes(half)
            }
            Self::User(user) => user.as_uuid().as_u128(),
            Self::Project(project) => project.as_uuid().as_u128(),
            Self::Runner(runner) => runner.as_uuid().as_u128(),
        }
    }
}

/// What addresses of one source have in common: all of IPv4's, and the first half of IPv6's.
#[must_use]
pub fn address_key(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

/// Something that comes too early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many {} from {subject}: try again in {} s", counter.as_str(), self.retry_after_secs())]
pub struct Limited {
    subject: &'static str,
    counter: Counter,
    retry_after: Duration,
}

impl Limited {
    /// Whole seconds after which it would not have come too early, at least 1.
    #[must_use]
    pub fn retry_after_secs(&self) -> u64 {
        self.retry_after.as_secs() + u64::from(self.retry_after.subsec_nanos() > 0).max(u64::from(self.retry_after.is_zero()))
    }
}

/// The rates of everybody. One per server. Several servers on one database tell each other now and then what they counted.
#[derive(Debug)]
pub struct Rates {
    /// `None` where nothing is limited.
    tables: Option<Box<Tables>>,
    /// `None` where there are no other servers.
    exchange: Option<Exchange>,
}

#[derive(Debug)]
struct Tables {
    address: Public,
    user: User,
    project: Project,
    runner: Buckets,
}

#[derive(Debug)]
struct Public {
    requests: Buckets,
    registry: Buckets,
    attempts: Buckets,
    runs: Buckets,
}

#[derive(Debug)]
struct User {
    requests: Buckets,
    registry: Buckets,
    attempts: Buckets,
    credentials: Buckets,
    organizations: Buckets,
    invites: Buckets,
    runs: Buckets,
}

#[derive(Debug)]
struct Project {
    requests: Buckets,
    registry: Buckets,
    runs: Buckets,
}

impl Rates {
    /// The configured rates.
    #[must_use]
    pub fn new(config: &RateLimiting) -> Self {
        if config.enabled == Some(false) {
            return Self { tables: None, exchange: None };
        }
        let PublicRates { requests, registry, attempts, runs } = config.public.unwrap_or_default();
        let address = Public {
            requests: buckets(requests, limits::PUBLIC_REQUESTS),
            registry: buckets(registry, limits::PUBLIC_REGISTRY_REQUESTS),
            attempts: buckets(attempts, limits::PUBLIC_ATTEMPTS),
            runs: buckets(runs, limits::PUBLIC_RUNS),
        };
        let UserRates { requests, registry, attempts, credentials, organizations, invites, runs } =
            config.user.unwrap_or_default();
        let user = User {
            requests: buckets(requests, limits::USER_REQUESTS),
            registry: buckets(registry, limits::USER_REGISTRY_REQUESTS),
            attempts: buckets(attempts, limits::USER_ATTEMPTS),
            credentials: buckets(credentials, limits::USER_CREDENTIALS),
            organizations: buckets(organizations, limits::USER_ORGANIZATIONS),
            invites: buckets(invites, limits::USER_INVITES),
            runs: buckets(runs, limits::USER_RUNS),
        };
        let project = config.project.unwrap_or_default();
        let project = Project {
            requests: buckets(project.requests, limits::PROJECT_REQUESTS),
            registry: buckets(project.registry, limits::PROJECT_REGISTRY_REQUESTS),
            runs: buckets(project.runs, limits::PROJECT_RUNS),
        };
        let runner = buckets(config.runner.unwrap_or_default().requests, limits::RUNNER_CONNECTS);
        Self { tables: Some(Box::new(Tables { address, user, project, runner })), exchange: None }
    }

    /// The same, where there may be other servers to tell.
    #[must_use]
    pub fn shared(self) -> Self {
        let exchange = self.tables.is_some().then(Exchange::default);
        Self { exchange, ..self }
    }

    /// Counts one, if it is not too early for it. What nobody limits for this subject is allowed.
    ///
    /// # Errors
    /// It comes too early, and was not counted.
    pub fn charge(&self, subject: Subject<'_>, counter: Counter) -> Result<(), Limited> {
        let Some(tables) = self.tables.as_deref() else { return Ok(()) };
        let Some(buckets) = tables.of(subject, counter) else { return Ok(()) };
        let key = subject.key();
        buckets.charge(key).map_err(|retry_after| Limited { subject: subject.as_str(), counter, retry_after })?;
        if let Some(exchange) = &self.exchange
            && let Some(number) = tables.all().iter().position(|other| std::ptr::eq(*other, buckets))
        {
            exchange.note(number, key);
        }
        Ok(())
    }

    /// What was counted here since the last time, for the other servers; as many texts as it takes.
    #[must_use]
    pub fn take_for_others(&self) -> Vec<String> {
        self.exchange.as_ref().map(Exchange::take).unwrap_or_default()
    }

    /// Counts what another server counted, as far as there is room.
    pub fn charge_for_others(&self, text: &str) {
        let Some(tables) = self.tables.as_deref() else { return };
        for counted in exchange::read(text) {
            if let Some(buckets) = tables.all().get(counted.counter) {
                buckets.charge_up_to(counted.key, counted.number);
            }
        }
    }

    /// Forgets who has not done anything lately.
    pub fn sweep(&self) {
        for buckets in self.tables.iter().flat_map(|tables| tables.all()) {
            buckets.sweep();
        }
    }
}

impl Tables {
    const fn of(&self, subject: Subject<'_>, counter: Counter) -> Option<&Buckets> {
        let Self { address, user, project, runner } = self;
        match (subject, counter) {
            (Subject::Address(_), Counter::Requests) => Some(&address.requests),
            (Subject::Address(_), Counter::Registry) => Some(&address.registry),
            (Subject::Address(_), Counter::Attempts) => Some(&address.attempts),
            (Subject::Address(_), Counter::Runs) => Some(&address.runs),
            (Subject::Account(_), Counter::Attempts) => Some(&user.attempts),
            (Subject::User(_), Counter::Requests) => Some(&user.requests),
            (Subject::User(_), Counter::Registry) => Some(&user.registry),
            (Subject::User(_), Counter::Credentials) => Some(&user.credentials),
            (Subject::User(_), Counter::Organizations) => Some(&user.organizations),
            (Subject::User(_), Counter::Invites) => Some(&user.invites),
            (Subject::User(_), Counter::Runs) => Some(&user.runs),
            (Subject::Project(_), Counter::Requests) => Some(&project.requests),
            (Subject::Project(_), Counter::Registry) => Some(&project.registry),
            (Subject::Project(_), Counter::Runs) => Some(&project.runs),
            (Subject::Runner(_), Counter::Requests) => Some(runner),
            _ => None,
        }
    }

    /// Servers tell each other of them by their place in this list: new ones come last.
    fn all(&self) -> [&Buckets; 15] {
        let Self { address, user, project, runner } = self;
        [
            &address.requests,
            &address.attempts,
            &address.runs,
            &user.requests,
            &user.attempts,
            &user.credentials,
            &user.organizations,
            &user.invites,
            &user.runs,
            &project.requests,
            &project.runs,
            runner,
            &address.registry,
            &user.registry,
            &project.registry,
        ]
    }
}

fn buckets(configured: Option<Rate>, [minute, hour, day]: [u32; 3]) -> Buckets {
    let rate = configured.unwrap_or_default();
    // More than this in a day is no limit that anybody would reach.
    let or = |configured: Option<u64>, default| configured.map_or(default, |number| u32::try_from(number).unwrap_or(u32::MAX));
    let rate = PerWindow { minute: or(rate.minute, minute), hour: or(rate.hour, hour), day: or(rate.day, day) };
    Buckets::new(rate, DefaultClock::default())
}

/// Sweeps now and then, for as long as the server runs.
pub async fn keep_swept(app: std::sync::Arc<crate::app::App>) {
    let mut ticks = tokio::time::interval(limits::RATE_SWEEP_INTERVAL);
    loop {
        ticks.tick().await;
        app.rates.sweep();
    }
}

#[cfg(test)]
mod tests;
