//! `plus.rate_limiting`: how often who may do what. A number that is not named is the contract's default.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimiting {
    /// `false` limits nothing, for a server whose rates are limited in front of it. A key of ours.
    pub enabled: Option<bool>,
    /// Seconds over which what is created in a project is counted.
    pub window: Option<u32>,
    /// What may be created in an unclaimed project per window.
    pub unclaimed_limit: Option<u32>,
    /// What may be created in a claimed project per window.
    pub claimed_limit: Option<u32>,
    /// Per source address, of requests without valid credentials.
    pub public: Option<PublicRates>,
    pub user: Option<UserRates>,
    /// Of requests with a project's key.
    pub project: Option<ProjectRates>,
    pub runner: Option<RunnerRates>,
    pub oci_bandwidth: Option<OciBandwidth>,
}

#[skip_serializing_none]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicRates {
    pub requests: Option<Rate>,
    /// Requests to the registry. A key of ours.
    pub registry: Option<Rate>,
    /// Sign-ups, log-ins, confirmations and credentials that are not valid.
    pub attempts: Option<Rate>,
    pub runs: Option<Rate>,
}

#[skip_serializing_none]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRates {
    pub requests: Option<Rate>,
    /// Requests to the registry. A key of ours.
    pub registry: Option<Rate>,
    /// Log-ins and confirmations of one account, whoever asks for them.
    pub attempts: Option<Rate>,
    /// New keys and tokens.
    pub credentials: Option<Rate>,
    pub organizations: Option<Rate>,
    pub invites: Option<Rate>,
    pub runs: Option<Rate>,
}

#[skip_serializing_none]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectRates {
    pub requests: Option<Rate>,
    /// Requests to the registry. A key of ours.
    pub registry: Option<Rate>,
    pub runs: Option<Rate>,
}

#[skip_serializing_none]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunnerRates {
    /// Connects to the channel.
    pub requests: Option<Rate>,
}

/// How often something may happen: 0 is never.
#[skip_serializing_none]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    pub minute: Option<u64>,
    pub hour: Option<u64>,
    pub day: Option<u64>,
}

/// Bytes that an organization's repositories may move per day, by its plan. What is not named is not bounded.
#[skip_serializing_none]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OciBandwidth {
    pub unclaimed: Option<u64>,
    pub free: Option<u64>,
    pub plus: Option<u64>,
    /// What one user, or whoever has keys of one project, may move, in whichever organization. A key of ours.
    pub user: Option<u64>,
}
