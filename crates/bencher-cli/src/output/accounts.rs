//! How users, members, keys and tokens look, and what organizations may do and did.

use bencher_types::wire::{
    auth::User,
    key::{ProjectKeyCreated, ProjectKeyInfo, Token},
    member::Member,
    organization::{Allowed, Usage},
    server::BackupCreated,
};

use super::{
    Human, Out,
    resources::{maybe_time, time, yes_no},
    table::{Cell, Listed, fields},
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

impl Human for ProjectKeyCreated {
    fn human(&self, out: Out) -> String {
        let mut text = fields(
            out,
            [("uuid", Cell::new(self.uuid)), ("name", Cell::new(&self.name)), ("expires", Cell::new(time(self.expiration)))],
        );
        // On a line of its own, so that a narrow terminal does not break it.
        text.push_str(&format!("\n{}\n", self.key.expose()));
        text
    }
}

impl Listed for ProjectKeyInfo {
    const HEAD: &'static [&'static str] = &["UUID", "NAME", "CREATED", "EXPIRES", "REVOKED"];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::new(self.uuid),
            Cell::new(&self.name),
            Cell::new(time(self.creation)),
            Cell::new(time(self.expiration)),
            maybe_time(self.revoked),
        ]
    }
}

impl Human for ProjectKeyInfo {
    fn human(&self, out: Out) -> String {
        fields(
            out,
            [
                ("uuid", Cell::new(self.uuid)),
                ("name", Cell::new(&self.name)),
                ("project", Cell::new(self.project)),
                ("creator", Cell::maybe(self.creator)),
                ("created", Cell::new(time(self.creation))),
                ("expires", Cell::new(time(self.expiration))),
                ("revoked", maybe_time(self.revoked)),
            ],
        )
    }
}

impl Listed for Token {
    const HEAD: &'static [&'static str] = &["UUID", "NAME", "CREATED", "EXPIRES", "REVOKED"];

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::new(self.uuid),
            Cell::new(&self.name),
            Cell::new(time(self.creation)),
            Cell::new(time(self.expiration)),
            maybe_time(self.revoked),
        ]
    }
}

impl Human for Token {
    fn human(&self, out: Out) -> String {
        let mut text = fields(
            out,
            [
                ("uuid", Cell::new(self.uuid)),
                ("name", Cell::new(&self.name)),
                ("user", Cell::new(self.user)),
                ("created", Cell::new(time(self.creation))),
                ("expires", Cell::new(time(self.expiration))),
                ("revoked", maybe_time(self.revoked)),
            ],
        );
        text.push_str(&format!("\n{}\n", self.token.expose()));
        text
    }
}

impl Human for Allowed {
    fn human(&self, _: Out) -> String {
        (if self.allowed { "yes\n" } else { "no\n" }).to_owned()
    }
}

impl Human for Usage {
    fn human(&self, out: Out) -> String {
        fields(
            out,
            [
                ("organization", Cell::new(self.organization)),
                ("from", Cell::new(time(self.start_time))),
                ("to", Cell::new(time(self.end_time))),
                ("metrics", Cell::maybe(self.metrics)),
                ("active series", Cell::maybe(self.active_series)),
                ("runner minutes", Cell::maybe(self.runner_minutes)),
            ],
        )
    }
}

impl Human for BackupCreated {
    fn human(&self, _: Out) -> String {
        format!("backup made {}\n", time(self.created))
    }
}
