//! `smtp`: the mail server that takes this server's mails.

use bencher_types::{Email, Secret};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::ConfigError;

/// Where mail servers take mails of programs that log in.
const DEFAULT_SMTP_PORT: u16 = 587;

/// The mail server that takes this server's mails.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Smtp {
    pub hostname: String,
    /// 587 when absent.
    pub port: Option<u16>,
    /// Takes any certificate of the mail server.
    pub insecure_host: Option<bool>,
    /// Encrypts after a first plain exchange, which is the default; `false` encrypts from the first byte on.
    pub starttls: Option<bool>,
    /// Does not encrypt at all. For a relay on the same machine or network that asks for no password. Ours.
    pub plaintext: Option<bool>,
    /// Absent for a mail server that asks nobody.
    pub username: Option<String>,
    /// The password.
    pub secret: Option<Secret>,
    pub from_name: String,
    pub from_email: Email,
}

/// How the way to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailSecurity {
    /// Encrypted after `STARTTLS`; without it nothing is sent.
    StartTls,
    /// Encrypted from the first byte on.
    Tls,
    None,
}

impl Smtp {
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(DEFAULT_SMTP_PORT)
    }

    #[must_use]
    pub fn security(&self) -> MailSecurity {
        match (self.plaintext, self.starttls) {
            (Some(true), _) => MailSecurity::None,
            (_, Some(false)) => MailSecurity::Tls,
            _ => MailSecurity::StartTls,
        }
    }
}

pub(super) fn check_smtp(smtp: &Smtp) -> Result<(), ConfigError> {
    let out_of_range = |key, found: &str, expected| Err(ConfigError::OutOfRange { key, found: found.to_owned(), expected });
    if smtp.hostname.trim().is_empty() {
        return out_of_range("smtp.hostname", "empty", "the name of a mail server");
    }
    if smtp.username.is_some() != smtp.secret.is_some() {
        return out_of_range("smtp.secret", "given or missing alone", "`username` and `secret` together, or neither");
    }
    if smtp.plaintext == Some(true) {
        if smtp.secret.is_some() {
            return out_of_range("smtp.plaintext", "true", "false where there is a `secret`, which anyone on the way could read");
        }
        if smtp.starttls.is_some() {
            return out_of_range("smtp.starttls", "given", "nothing beside `plaintext`");
        }
    }
    Ok(())
}
