//! How signatures and those who make them look to people.

use bencher_types::wire::signature::{ImageSignature, ImageSignatures, SignatureState, SigningKey, SigningPolicy};

use super::{
    Human, Out,
    resources::time,
    table::{Cell, Listed, Tone, fields},
};

impl Listed for SigningKey {
    const HEAD: &'static [&'static str] = &["KEY", "ALGORITHM", "FINGERPRINT"];

    fn row(&self) -> Vec<Cell> {
        vec![Cell::maybe(self.name.as_ref()), Cell::new(&self.algorithm), Cell::new(&self.fingerprint)]
    }
}

impl Human for SigningPolicy {
    fn human(&self, out: Out) -> String {
        let jobs = match (self.required, self.keys.is_empty()) {
            (true, _) => "only what one of these keys signed",
            (false, true) => "anything",
            (false, false) => "anything; these keys say whose signatures are",
        };
        let mut rows = vec![("jobs run", Cell::new(jobs))];
        rows.extend(self.modified.map(|modified| ("since", Cell::new(time(modified)))));
        let mut text = fields(out, rows);
        if !self.keys.is_empty() {
            text.push('\n');
            text.push_str(&self.keys.human(out));
        }
        text
    }
}

impl Listed for ImageSignature {
    const HEAD: &'static [&'static str] = &["KIND", "STATE", "KEY", "OF", "WHAT", "MANIFEST"];

    fn row(&self) -> Vec<Cell> {
        let tone = match self.state {
            SignatureState::Valid => Tone::Good,
            SignatureState::Unsigned => Tone::Plain,
            SignatureState::Untrusted | SignatureState::Mismatch | SignatureState::Broken => Tone::Bad,
        };
        let what =
            self.problem.as_ref().or(self.predicate_type.as_ref()).or(self.reference.as_ref()).or(self.artifact_type.as_ref());
        vec![
            Cell::new(self.kind.as_str()),
            Cell::toned(self.state.as_str(), tone),
            Cell::maybe(self.key.as_ref()),
            Cell::new(short(&self.subject)),
            Cell::maybe(what),
            Cell::new(short(&self.digest)),
        ]
    }
}

/// The beginning of a digest, enough to tell one from another.
fn short(digest: &bencher_types::Digest) -> String {
    const SHOWN: usize = 12;
    digest.hex().chars().take(SHOWN).collect()
}

impl Human for ImageSignatures {
    fn human(&self, out: Out) -> String {
        let signed = match self.signed {
            true => Cell::toned("yes", Tone::Good),
            false => Cell::toned("no", if self.required { Tone::Bad } else { Tone::Plain }),
        };
        let required = if self.required { "yes" } else { "no" };
        let mut text = fields(
            out,
            [
                ("image", Cell::new(&self.image)),
                ("digest", Cell::new(&self.digest)),
                ("signed", signed),
                ("required", Cell::new(required)),
            ],
        );
        if !self.signatures.is_empty() {
            text.push('\n');
            text.push_str(&self.signatures.human(out));
        }
        if let Some(refusal) = &self.refusal {
            text.push('\n');
            text.push_str(&super::printable(refusal));
            text.push('\n');
        }
        text
    }
}
