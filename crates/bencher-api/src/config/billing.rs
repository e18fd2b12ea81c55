//! `plus.billing`: who is told what runners worked, where that is billed.

use bencher_types::Secret;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use url::Url;

use super::ConfigError;

/// Where Stripe answers.
const STRIPE: &str = "https://api.stripe.com/";
/// The version of Stripe's API that requests are written for.
const STRIPE_VERSION: &str = "2025-03-31.basil";

/// The billing provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Billing {
    Stripe(Stripe),
}

/// Meter events of Stripe.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stripe {
    pub secret_key: Secret,
    /// Of the meter that counts minutes: its `event_name`.
    pub event_name: String,
    /// Stripe's own address when absent.
    pub base_url: Option<Url>,
    pub api_version: Option<String>,
}

impl Stripe {
    #[must_use]
    pub fn base_url(&self) -> Url {
        self.base_url.clone().unwrap_or_else(|| STRIPE.parse().expect("a URL"))
    }

    #[must_use]
    pub fn api_version(&self) -> &str {
        self.api_version.as_deref().unwrap_or(STRIPE_VERSION)
    }
}

pub(super) fn check(billing: &Billing) -> Result<(), ConfigError> {
    let Billing::Stripe(stripe) = billing;
    let out_of_range = |key, found: String, expected| Err(ConfigError::OutOfRange { key, found, expected });
    if !(1..=100).contains(&stripe.event_name.len()) {
        return out_of_range("plus.billing.stripe.event_name", format!("`{}`", stripe.event_name), "1 to 100 characters");
    }
    if stripe.secret_key.expose().trim().is_empty() {
        return out_of_range("plus.billing.stripe.secret_key", "empty".to_owned(), "a secret key of Stripe");
    }
    match &stripe.base_url {
        Some(url) if !matches!(url.scheme(), "http" | "https") => {
            out_of_range("plus.billing.stripe.base_url", url.to_string(), "a URL that begins with https:// or http://")
        }
        _ => Ok(()),
    }
}
