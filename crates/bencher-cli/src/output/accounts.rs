//! How users, members, keys and tokens look, and what organizations may do and did.

use bencher_types::{
    DateTime, ResourceName,
    wire::{
        auth::{User, UserKeyCreated, UserKeyInfo},
        billing::{Billing, BillingProblem, BillingProvider, BillingState, BillingSum},
        key::{ProjectKeyCreated, ProjectKeyInfo, Token},
        member::{Invitation, Member},
        organization::{Allowed, ProjectUsage, Usage},
        server::BackupCreated,
    },
};

use super::{
    Human, Out,
    resources::{maybe_time, time, yes_no},
    table::{Cell, Listed, Tone, fields},
};

impl Listed for User {
    const HEAD: &'static [&'static str] = &["SLUG", "NAME", "EMAIL", "ADMIN", "LOCKED", "UUID"];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::new(&self.slug),
            Cell::new(&self.name),
            Cell::new(&self.email),
            yes_no(self.admin),
            yes_no(self.locked),
            Cell::new(self.uuid),
        ]
    }
}

impl Human for User {
    fn human(&self, out: Out) -> String {
        fields(
            out,
            [
                ("uuid", Cell::new(self.uuid)),
                ("name", Cell::new(&self.name)),
                ("slug", Cell::new(&self.slug)),
                ("email", Cell::new(&self.email)),
                ("admin", yes_no(self.admin)),
                ("locked", yes_no(self.locked)),
                ("created", maybe_time(self.created)),
            ],
        )
    }
}

impl Listed for Member {
    const HEAD: &'static [&'static str] = &["SLUG", "NAME", "EMAIL", "ROLE", "SINCE"];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::new(&self.slug),
            Cell::new(&self.name),
            Cell::new(&self.email),
            Cell::new(self.role),
            Cell::new(time(self.created)),
        ]
    }
}

impl Human for Member {
    fn human(&self, out: Out) -> String {
        fields(
            out,
            [
                ("uuid", Cell::new(self.uuid)),
                ("name", Cell::new(&self.name)),
                ("slug", Cell::new(&self.slug)),
                ("email", Cell::new(&self.email)),
                ("role", Cell::new(self.role)),
                ("since", Cell::new(time(self.created))),
            ],
        )
    }
}

/// What keys and tokens have in common.
struct Credential<'a> {
    uuid: String,
    name: &'a ResourceName,
    creation: DateTime,
    expiration: DateTime,
    revoked: Option<DateTime>,
}

impl Credential<'_> {
    const HEAD: &'static [&'static str] = &["UUID", "NAME", "CREATED", "EXPIRES", "REVOKED"];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::new(&self.uuid),
            Cell::new(self.name),
            Cell::new(time(self.creation)),
            Cell::new(time(self.expiration)),
            maybe_time(self.revoked),
        ]
    }

    /// On its own, with whose it is.
    fn human<const N: usize>(&self, out: Out, owners: [(&'static str, Cell); N]) -> String {
        let head = [("uuid", Cell::new(&self.uuid)), ("name", Cell::new(self.name))];
        let times = [
            ("created", Cell::new(time(self.creation))),
            ("expires", Cell::new(time(self.expiration))),
            ("revoked", maybe_time(self.revoked)),
        ];
        fields(out, head.into_iter().chain(owners).chain(times))
    }
}

macro_rules! credentials {
    ($($info:ty;)+) => {$(
        impl<'a> From<&'a $info> for Credential<'a> {
            fn from(info: &'a $info) -> Self {
                Self {
                    uuid: info.uuid.to_string(),
                    name: &info.name,
                    creation: info.creation,
                    expiration: info.expiration,
                    revoked: info.revoked,
                }
            }
        }

        impl Listed for $info {
            const HEAD: &'static [&'static str] = Credential::HEAD;

            fn row(&self) -> Vec<Cell> {
                Credential::from(self).row()
            }
        }
    )+};
}

credentials! {
    UserKeyInfo;
    ProjectKeyInfo;
    Token;
}

impl Human for UserKeyInfo {
    fn human(&self, out: Out) -> String {
        Credential::from(self).human(out, [("user", Cell::new(self.user))])
    }
}

impl Human for ProjectKeyInfo {
    fn human(&self, out: Out) -> String {
        Credential::from(self).human(out, [("project", Cell::new(self.project)), ("creator", Cell::maybe(self.creator))])
    }
}

impl Human for Token {
    fn human(&self, out: Out) -> String {
        with_secret(Credential::from(self).human(out, [("user", Cell::new(self.user))]), self.token.expose())
    }
}

/// On a line of its own, so that a narrow terminal does not break it.
fn with_secret(text: String, secret: &str) -> String {
    format!("{text}\n{secret}\n")
}

/// A key that is shown this once.
fn created(out: Out, uuid: impl ToString, name: &ResourceName, expiration: DateTime, key: &str) -> String {
    let rows = [("uuid", Cell::new(uuid.to_string())), ("name", Cell::new(name)), ("expires", Cell::new(time(expiration)))];
    with_secret(fields(out, rows), key)
}

impl Human for UserKeyCreated {
    fn human(&self, out: Out) -> String {
        created(out, self.uuid, &self.name, self.expiration, self.key.expose())
    }
}

impl Human for ProjectKeyCreated {
    fn human(&self, out: Out) -> String {
        created(out, self.uuid, &self.name, self.expiration, self.key.expose())
    }
}

impl Listed for Invitation {
    const HEAD: &'static [&'static str] = &["EMAIL", "ROLE", "INVITED BY", "SENT", "EXPIRES", "UUID"];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::new(&self.email),
            Cell::new(self.role),
            Cell::new(&self.inviter.slug),
            Cell::new(time(self.created)),
            Cell::new(time(self.expires)),
            Cell::new(self.uuid),
        ]
    }
}

impl Human for Allowed {
    fn human(&self, _: Out) -> String {
        (if self.allowed { "yes\n" } else { "no\n" }).to_owned()
    }
}

impl Human for Usage {
    fn human(&self, out: Out) -> String {
        let mut text = fields(
            out,
            [
                ("organization", Cell::new(self.organization)),
                ("from", Cell::new(time(self.start_time))),
                ("to", Cell::new(time(self.end_time))),
                ("metrics", Cell::maybe(self.metrics)),
                ("active series", Cell::maybe(self.active_series)),
                ("runner minutes", Cell::maybe(self.runner_minutes)),
            ],
        );
        text.push_str(&self.projects.clone().unwrap_or_default().human(out));
        text
    }
}

impl Listed for ProjectUsage {
    const HEAD: &'static [&'static str] = &["PROJECT", "RUNNER MINUTES", "ATTEMPTS", "UUID"];

    fn row(&self) -> Vec<Cell> {
        let slug = self.slug.as_ref().map_or_else(|| Cell::new("(deleted)"), Cell::new);
        vec![slug, Cell::new(self.runner_minutes), Cell::new(self.attempts), Cell::new(self.project)]
    }
}

impl Human for Billing {
    fn human(&self, out: Out) -> String {
        let sum = |sum: BillingSum| Cell::new(format!("{} minutes of {} attempts", sum.runner_minutes, sum.attempts));
        let provider = self.provider.map(|BillingProvider::Stripe| "Stripe");
        let mut text = fields(
            out,
            [
                ("organization", Cell::new(self.organization)),
                ("provider", Cell::maybe(provider)),
                ("customer", Cell::maybe(self.customer.as_ref())),
                ("since", maybe_time(self.since)),
                ("sent", sum(self.sent)),
                ("pending", sum(self.pending)),
                ("refused", sum(self.refused)),
                ("uncertain", sum(self.uncertain)),
            ],
        );
        text.push_str(&self.problems.human(out));
        text
    }
}

impl Listed for BillingProblem {
    const HEAD: &'static [&'static str] = &["STATE", "IDENTIFIER", "MINUTES", "ENDED", "TRIES", "MESSAGE"];

    fn row(&self) -> Vec<Cell> {
        let state = match self.state {
            BillingState::Pending => Cell::toned("pending", Tone::Busy),
            BillingState::Refused => Cell::toned("refused", Tone::Bad),
            BillingState::Uncertain => Cell::toned("uncertain", Tone::Bad),
        };
        vec![
            state,
            Cell::new(&self.identifier),
            Cell::new(self.runner_minutes),
            Cell::new(time(self.ended)),
            Cell::new(self.tries),
            Cell::new(&self.message),
        ]
    }
}

impl Human for BackupCreated {
    fn human(&self, _: Out) -> String {
        let mut text = format!("backup made {}\n", time(self.created));
        for (what, name) in [("file", &self.file), ("in the data store", &self.object)] {
            text.extend(name.iter().map(|name| format!("{what}: {name}\n")));
        }
        text
    }
}
