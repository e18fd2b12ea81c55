//! How the registry looks: what it holds, what it keeps, how sound it is.

use bencher_types::wire::registry::{
    Collection, RegistryUsage, RetentionPreview, RetentionPreviewTag, RetentionRules, ServerRegistry, Verification,
};

use super::{
    Human, Out,
    resources::time,
    table::{Cell, Listed, Tone, fields},
    units,
};

impl Human for RegistryUsage {
    fn human(&self, out: Out) -> String {
        let held = Cell::new(units::bytes(self.bytes));
        let held = match self.quota {
            Some(quota) if self.bytes >= quota => Cell { tone: Tone::Bad, ..held },
            _ => held,
        };
        let quota = self.quota.map_or_else(|| "no bound".to_owned(), units::bytes);
        fields(out, [("blobs", Cell::new(self.blobs)), ("held", held), ("quota", Cell::new(quota))])
    }
}

impl Human for RetentionRules {
    fn human(&self, out: Out) -> String {
        let Self { keep_tags, keep_days, keep_used_days } = *self;
        if *self == Self::default() {
            return "everything is kept\n".to_owned();
        }
        let rules = [
            ("newest tags", keep_tags.map(|tags| format!("{tags} of each repository"))),
            ("pushed within", keep_days.map(|days| format!("{days} days"))),
            ("used within", keep_used_days.map(|days| format!("{days} days"))),
        ];
        fields(out, rules.into_iter().filter_map(|(name, rule)| Some((name, Cell::new(rule?)))))
    }
}

impl Listed for RetentionPreviewTag {
    const HEAD: &'static [&'static str] = &["IMAGE", "PUSHED", "DIGEST"];

    fn row(&self) -> Vec<Cell> {
        let image = format!("{}:{}", self.repository, self.tag);
        vec![Cell::new(image), Cell::new(time(self.modified)), Cell::new(&self.digest)]
    }
}

impl Human for RetentionPreview {
    fn human(&self, out: Out) -> String {
        if self.tags.is_empty() && self.manifests == 0 {
            return "nothing would go\n".to_owned();
        }
        let mut text = if self.tags.is_empty() { String::new() } else { self.tags.human(out) };
        text.push_str(&format!("{} tags would go, and {} manifests that nothing needs then\n", self.tags.len(), self.manifests));
        text
    }
}

impl Human for ServerRegistry {
    fn human(&self, out: Out) -> String {
        let damaged = self.quarantined.len();
        let tone = if damaged == 0 { Tone::Good } else { Tone::Bad };
        let mut text = fields(
            out,
            [
                ("blobs", Cell::new(self.blobs)),
                ("held", Cell::new(units::bytes(self.bytes))),
                ("damaged blobs", Cell::toned(damaged, tone)),
                ("tidied", Cell::maybe(self.collection.as_ref().map(collection))),
                ("verified", Cell::maybe(self.verification.as_ref().map(verification))),
            ],
        );
        for blob in &self.quarantined {
            let holders = blob.repositories.join(", ");
            text.push_str(&format!(
                "{} of {}, damaged since {}, in {holders}\n",
                blob.digest,
                units::bytes(blob.size),
                time(blob.since)
            ));
        }
        text
    }
}

fn collection(run: &Collection) -> String {
    format!("{}: {} blobs of {} went", time(run.ended), run.blobs, units::bytes(run.bytes))
}

fn verification(run: &Verification) -> String {
    let found = match run.damaged.len() {
        0 => "all are sound".to_owned(),
        damaged => format!("{damaged} are damaged"),
    };
    format!("{}: {} blobs of {} were read, {found}", time(run.ended), run.blobs, units::bytes(run.bytes))
}
