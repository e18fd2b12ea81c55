//! Stripe's meter events: `POST /v1/billing/meter_events`, form-encoded.

use std::time::Duration;

use reqwest::redirect;
use serde::Deserialize;

use super::{MeterEvent, Provider, ReportError};
use crate::{config::billing, limits};

/// The client of one account.
pub struct Stripe {
    client: reqwest::Client,
    url: url::Url,
    config: billing::Stripe,
}

impl std::fmt::Debug for Stripe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stripe").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

/// The client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum StripeError {
    #[error("`plus.billing.stripe.base_url` cannot have paths")]
    Url(#[source] url::ParseError),
    #[error("no HTTP client could be made")]
    Client(#[source] reqwest::Error),
}

/// What Stripe says of a request that it did not like.
#[derive(Default, Deserialize)]
struct Problem {
    #[serde(default)]
    error: ProblemDetail,
}

#[derive(Default, Deserialize)]
struct ProblemDetail {
    #[serde(default)]
    message: String,
}

impl Stripe {
    /// # Errors
    /// The configuration makes no client.
    pub fn new(config: &billing::Stripe) -> Result<Self, StripeError> {
        let url = config.base_url().join("v1/billing/meter_events").map_err(StripeError::Url)?;
        let client = reqwest::Client::builder()
            .timeout(limits::BILLING_REQUEST_TIMEOUT)
            // The secret key is for nobody else.
            .redirect(redirect::Policy::none())
            .pool_idle_timeout(Duration::from_secs(30))
            .user_agent(concat!("bencher-api/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(StripeError::Client)?;
        Ok(Self { client, url, config: config.clone() })
    }
}

impl Provider for Stripe {
    async fn report(&self, event: &MeterEvent) -> Result<(), ReportError> {
        let seconds = event.ended.as_micros() / 1_000_000;
        let form = [
            ("event_name", self.config.event_name.clone()),
            ("payload[stripe_customer_id]", event.customer.clone()),
            ("payload[value]", event.minutes.to_string()),
            ("identifier", event.identifier.clone()),
            ("timestamp", seconds.to_string()),
        ];
        let request = self
            .client
            .post(self.url.clone())
            .bearer_auth(self.config.secret_key.expose())
            .header("Idempotency-Key", &event.idempotency_key)
            .header("Stripe-Version", self.config.api_version())
            .form(&form);
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Err(ReportError::NotTaken("it cannot be reached".to_owned())),
            // Without its URL, which says nothing new.
            Err(error) => return Err(ReportError::Unanswered(error.without_url())),
        };
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let body = response.bytes().await.unwrap_or_default();
        let problem: Problem = serde_json::from_slice(&body[..body.len().min(limits::BILLING_ANSWER_BYTES)]).unwrap_or_default();
        judge(status.as_u16(), &problem.error.message)
    }
}

/// What an answer other than success means, by its status and Stripe's words.
fn judge(status: u16, message: &str) -> Result<(), ReportError> {
    let message: String = message.chars().take(limits::BILLING_MESSAGE_CHARS).collect();
    let said = format!("{status} {message}");
    match status {
        // Taken at an earlier try, whose answer did not come.
        400 if message.contains("already exists with identifier") => Ok(()),
        // A person can mend the key, and time heals a rate: the events wait for that.
        401 | 403 | 429 => Err(ReportError::NotTaken(said)),
        409 => Err(ReportError::Busy(said)),
        400..=499 => Err(ReportError::Refused(said)),
        _ => Err(ReportError::Failed(said)),
    }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::billing::ReportError;

    #[test]
    fn what_a_person_can_mend_is_tried_again() {
        assert!(matches!(judge(401, "Invalid API Key"), Err(ReportError::NotTaken(_))));
        assert!(matches!(judge(400, "No such customer"), Err(ReportError::Refused(_))));
        assert!(matches!(judge(409, "in use"), Err(ReportError::Busy(_))));
        assert!(matches!(judge(503, ""), Err(ReportError::Failed(_))));
    }

    #[test]
    fn an_event_that_is_there_already_was_taken() {
        judge(400, "An event already exists with identifier bencher-1.").unwrap();
    }
}
