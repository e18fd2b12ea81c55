//! Mail: handed to the configured mail server in the background, or written to the log where there is none.
//!
//! Nothing waits for a mail, and no request fails because of one: it is tried a few times, and how it ended is in the log, without
//! what it says. Mails that wait are only in memory. Each can be asked for again, and what they carry is in no database.
//!
//! Knows what a letter consists of, not what any of them says; see `letters`.

pub mod letters;

use std::sync::Arc;

use bencher_types::{DateTime, Email};
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, MultiPart},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};
use tokio::sync::Semaphore;
use tracing::Instrument as _;
use url::Url;
use uuid::Uuid;

use crate::{
    chain::chain,
    clock::Clock,
    config::{MailSecurity, Smtp},
    limits,
};

pub use letters::Letter;

/// A mail server that cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("`smtp.from_name` and `smtp.from_email` make no sender of a mail")]
    Sender(#[source] lettre::address::AddressError),
    #[error("could not prepare TLS with the mail server `{hostname}`")]
    Tls {
        hostname: String,
        #[source]
        source: lettre::transport::smtp::Error,
    },
}

/// A mail that was given up.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("the mail server did not take it")]
    Smtp(#[source] lettre::transport::smtp::Error),
    #[error("the mail server took longer than {} seconds", limits::MAIL_ATTEMPT_TIMEOUT.as_secs())]
    Slow,
}

impl SendError {
    /// Whether trying again would only give the same answer.
    fn is_permanent(&self) -> bool {
        matches!(self, Self::Smtp(error) if error.is_permanent())
    }
}

/// Sends mails. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mailer {
    smtp: Option<Arc<Outgoing>>,
    clock: Clock,
}

#[derive(Debug)]
struct Outgoing {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    sender: Mailbox,
    /// One permit for each mail that may wait.
    waiting: Arc<Semaphore>,
    /// One permit for each mail that may be under way.
    connections: Semaphore,
}

impl Mailer {
    /// Nothing is connected to yet. Without a configuration, mails go to the log.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub fn new(smtp: Option<&Smtp>, console: &Url, clock: Clock) -> Result<Self, MailError> {
        let smtp = smtp.map(|smtp| Outgoing::new(smtp, console)).transpose()?.map(Arc::new);
        Ok(Self { smtp, clock })
    }

    /// Sends a letter, some time soon. Returns at once.
    pub fn send(&self, to: &Email, letter: Letter) {
        let Some(outgoing) = &self.smtp else {
            // Only whoever runs this server can read the log.
            tracing::info!("{}", letter.log_line.expose());
            return;
        };
        let message = match outgoing.message(to, &letter, self.clock.now()) {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!(mail.to = %to, mail.kind = letter.kind, error = chain(&error), "no mail can be written to this address");
                return;
            }
        };
        let Ok(waiting) = outgoing.waiting.clone().try_acquire_owned() else {
            tracing::error!(mail.to = %to, mail.kind = letter.kind, "a mail is not sent: too many wait already");
            return;
        };
        let (outgoing, to, kind) = (outgoing.clone(), to.clone(), letter.kind);
        let delivery = async move {
            outgoing.deliver(message, &to, kind).await;
            drop(waiting);
        };
        tokio::spawn(delivery.in_current_span());
    }

    /// Waits for the mails at hand, for a bounded time.
    pub async fn finish(&self) {
        let Some(outgoing) = &self.smtp else { return };
        let all = u32::try_from(limits::MAX_WAITING_MAILS).unwrap_or(u32::MAX);
        if tokio::time::timeout(limits::MAIL_SHUTDOWN_TIMEOUT, outgoing.waiting.acquire_many(all)).await.is_err() {
            let waiting = limits::MAX_WAITING_MAILS - outgoing.waiting.available_permits();
            tracing::warn!(waiting, "mails that could not be sent in time are lost");
        }
    }
}

impl Outgoing {
    fn new(smtp: &Smtp, console: &Url) -> Result<Self, MailError> {
        let address = smtp.from_email.as_str().parse().map_err(MailError::Sender)?;
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.hostname)
            .port(smtp.port())
            .tls(tls(smtp)?)
            .timeout(Some(limits::MAIL_STEP_TIMEOUT));
        if let Some(host) = console.domain() {
            transport = transport.hello_name(ClientId::Domain(host.to_owned()));
        }
        if let (Some(username), Some(secret)) = (&smtp.username, &smtp.secret) {
            transport = transport.credentials(Credentials::new(username.clone(), secret.expose().to_owned()));
        }
        Ok(Self {
            transport: transport.build(),
            sender: Mailbox::new(Some(letters::one_line(&smtp.from_name)), address),
            waiting: Arc::new(Semaphore::new(limits::MAX_WAITING_MAILS)),
            connections: Semaphore::new(limits::MAIL_CONNECTIONS),
        })
    }

    fn message(&self, to: &Email, letter: &Letter, now: DateTime) -> Result<Message, UnwritableError> {
        let to = Mailbox::new(None, to.as_str().parse().map_err(UnwritableError::Address)?);
        let id = format!("<{}@{}>", Uuid::new_v4(), self.sender.email.domain());
        let body = MultiPart::alternative_plain_html(letter.plain.expose().to_owned(), letter.html.expose().to_owned());
        Message::builder()
            .from(self.sender.clone())
            .to(to)
            .subject(letter.subject.clone())
            .date(now.timestamp().into())
            .message_id(Some(id))
            // Out-of-office replies to a server help nobody.
            .header(AutoSubmitted)
            .multipart(body)
            .map_err(UnwritableError::Message)
    }

    async fn deliver(&self, message: Message, to: &Email, kind: &'static str) {
        let mut pauses = limits::MAIL_RETRIES.iter();
        for attempt in 1_u32.. {
            let error = match self.attempt(&message).await {
                Ok(()) => {
                    tracing::info!(mail.to = %to, mail.kind = kind, attempt, "the mail server took a mail");
                    return;
                }
                Err(error) => error,
            };
            let pause = if error.is_permanent() { None } else { pauses.next().copied() };
            let Some(pause) = pause else {
                tracing::error!(mail.to = %to, mail.kind = kind, attempt, error = chain(&error), "a mail could not be sent");
                return;
            };
            let again_in = pause.as_secs();
            tracing::warn!(mail.to = %to, mail.kind = kind, attempt, again_in, error = chain(&error), "a mail has to wait");
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, message: &Message) -> Result<(), SendError> {
        let _turn = self.connections.acquire().await.expect("the semaphore is never closed");
        let sent = tokio::time::timeout(limits::MAIL_ATTEMPT_TIMEOUT, self.transport.send(message.clone())).await;
        sent.map_err(|_: tokio::time::error::Elapsed| SendError::Slow)?.map(|_| ()).map_err(SendError::Smtp)
    }
}

/// An address or a text that no mail can be made of.
#[derive(Debug, thiserror::Error)]
enum UnwritableError {
    #[error("the address cannot be written to")]
    Address(#[source] lettre::address::AddressError),
    #[error("the mail could not be put together")]
    Message(#[source] lettre::error::Error),
}

fn tls(smtp: &Smtp) -> Result<Tls, MailError> {
    let parameters = || {
        TlsParameters::builder(smtp.hostname.clone())
            .dangerous_accept_invalid_certs(smtp.insecure_host == Some(true))
            .dangerous_accept_invalid_hostnames(smtp.insecure_host == Some(true))
            .build_rustls()
            .map_err(|source| MailError::Tls { hostname: smtp.hostname.clone(), source })
    };
    Ok(match smtp.security() {
        MailSecurity::StartTls => Tls::Required(parameters()?),
        MailSecurity::Tls => Tls::Wrapper(parameters()?),
        MailSecurity::None => Tls::None,
    })
}

/// `Auto-Submitted: auto-generated` (RFC 3834): no person wrote this.
#[derive(Clone, Copy, Debug)]
struct AutoSubmitted;

impl lettre::message::header::Header for AutoSubmitted {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
