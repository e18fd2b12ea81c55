//! What mails say: each in plain text, in HTML, and as the one line that goes to the log of a server without mail.
//!
//! Names that people chose are only ever inserted here, escaped for where they stand.

use std::time::Duration;

use bencher_types::{Email, Jwt, ResourceName, Role, Secret, UserName};
use url::Url;

use crate::limits;

/// A mail's content. All of it may hold a token, but for the subject and the kind.
#[derive(Clone, Debug)]
pub struct Letter {
    /// What the log calls it.
    pub kind: &'static str,
    pub subject: String,
    pub plain: Secret,
    pub html: Secret,
    /// Says the same to the person who runs a server without mail.
    pub log_line: Secret,
}

/// Why somebody is asked to confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    SignUp,
    LogIn,
    /// Somebody signed up who has an account.
    SignUpAgain,
}

/// What an invitation is about.
#[derive(Clone, Copy, Debug)]
pub struct Invitation<'a> {
    /// Of whom is invited.
    pub name: Option<&'a UserName>,
    pub organization: &'a ResourceName,
    pub role: Role,
    pub inviter: &'a Email,
    pub token: &'a Jwt,
}

/// The parts of a letter, in the order in which they are read.
struct Parts {
    greeting: String,
    reason: String,
    link: Url,
    button: &'static str,
    /// Each with what it is for.
    commands: Vec<(&'static str, String)>,
    closing: String,
}

impl Letter {
    /// Asks to confirm a sign-up or log-in.
    #[must_use]
    pub fn confirmation(console: &Url, email: &Email, name: &UserName, occasion: Occasion, token: &Jwt) -> Self {
        let valid = lifetime(limits::CONFIRM_TTL);
        let (kind, subject, reason) = match occasion {
            Occasion::SignUp => ("signup", "Confirm your new account", "an account was made with this address."),
            Occasion::LogIn => ("login", "Confirm your log-in", "somebody wants to log in with this address."),
            Occasion::SignUpAgain => (
                "signup",
                "You have an account already",
                "somebody signed up with this address, which has an account already. This logs in to it.",
            ),
        };
        let parts = Parts {
            greeting: format!("Hello {},", one_line(name.as_str())),
            reason: format!("{reason} If it was you, confirm it within {valid}."),
            link: link(console, "confirm", ("token", token)),
            button: "Confirm",
            commands: vec![("Or on the command line:", format!("bencher auth confirm {}", token.expose()))],
            closing: "If it was not you, do nothing: without the confirmation nobody gets in.".to_owned(),
        };
        let log_line = format!("to confirm {email} within {valid}, run: bencher auth confirm {}", token.expose());
        Self::new(kind, format!("{subject} at {}", host(console)), &parts, log_line)
    }

    /// Invites to an organization.
    #[must_use]
    pub fn invitation(console: &Url, email: &Email, invitation: &Invitation<'_>) -> Self {
        let Invitation { name, organization, role, inviter, token } = *invitation;
        let valid = lifetime(limits::INVITATION_TTL);
        let organization = one_line(organization.as_str());
        let greeting = name.map_or_else(|| "Hello,".to_owned(), |name| format!("Hello {},", one_line(name.as_str())));
        let accept = format!("bencher auth accept {}", token.expose());
        let parts = Parts {
            greeting,
            reason: format!(
                "{inviter} invites you to the organization \u{201c}{organization}\u{201d} as {role}. \
                 The invitation is for {email} and can be accepted within {valid}."
            ),
            link: link(console, "signup", ("invite", token)),
            button: "Join",
            commands: vec![
                ("Or on the command line, if you have an account:", accept.clone()),
                (
                    "And if you have none yet:",
                    format!("bencher auth signup --i-agree --name NAME --invite {} {email}", token.expose()),
                ),
            ],
            closing: "If you do not know what this is about, do nothing.".to_owned(),
        };
        let log_line = format!("to join {organization} as {role} within {valid}, {email} logs in and runs: {accept}");
        Self::new("invitation", format!("Join {organization} at {}", host(console)), &parts, log_line)
    }

    fn new(kind: &'static str, subject: String, parts: &Parts, log_line: String) -> Self {
        Self {
            kind,
            subject,
            plain: Secret::new(parts.plain()),
            html: Secret::new(parts.html()),
            log_line: Secret::new(log_line),
        }
    }
}

impl Parts {
    fn plain(&self) -> String {
        let commands: String = self.commands.iter().map(|(what, command)| format!("{what}\n\n    {command}\n\n")).collect();
        format!("{}\n\n{}\n\n{}\n\n{commands}{}\n", self.greeting, self.reason, self.link, self.closing)
    }

    fn html(&self) -> String {
        let paragraph = |text: &str| format!("<p>{}</p>\n", escaped(text));
        let link = escaped(self.link.as_str());
        let mut html =
            String::from("<!DOCTYPE html>\n<html lang=\"en\"><body style=\"font-family:sans-serif;max-width:40em\">\n");
        html.push_str(&paragraph(&self.greeting));
        html.push_str(&paragraph(&self.reason));
        html.push_str(&format!(
            "<p><a href=\"{link}\" style=\"display:inline-block;padding:.6em 1.2em;background:#1f4fd8;color:#fff;\
             text-decoration:none;border-radius:4px\">{}</a></p>\n",
            self.button
        ));
        for (what, command) in &self.commands {
            html.push_str(&paragraph(what));
            html.push_str(&format!("<pre style=\"white-space:pre-wrap;word-break:break-all\">{}</pre>\n", escaped(command)));
        }
        html.push_str(&paragraph(&self.closing));
        html.push_str("</body></html>\n");
        html
    }
}

/// Where the console does something with a token.
fn link(console: &Url, page: &str, (key, token): (&str, &Jwt)) -> Url {
    let mut link = console.clone();
    if let Ok(mut path) = link.path_segments_mut() {
        path.pop_if_empty().push("auth").push(page);
    }
    link.query_pairs_mut().clear().append_pair(key, token.expose());
    link
}

fn host(console: &Url) -> &str {
    console.host_str().unwrap_or("this server")
}

fn lifetime(ttl: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    match ttl.as_secs() {
        secs if secs >= DAY => format!("{} days", secs / DAY),
        secs => format!("{} minutes", secs / 60),
    }
}

/// A name without line breaks and other control characters, which would end a header or a sentence.
pub(super) fn one_line(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests;
