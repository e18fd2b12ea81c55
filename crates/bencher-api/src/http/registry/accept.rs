//! Which kinds of manifests a client takes (RFC 9110, section 12.5.1).

use bencher_types::oci::manifest::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use http::{HeaderMap, header};

/// What takes a manifest of any kind: they are all JSON.
const ANY: [&str; 3] = ["*/*", "application/*", "application/json"];
const KINDS: [&str; 4] = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST];

/// What the header `Accept` says of manifests. Who names no kind of them takes all of them: that is no client of registries, or one
/// that does not mind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Accept {
    named: Vec<&'static str>,
    /// Kinds that are not wanted, whatever else is.
    refused: Vec<&'static str>,
    takes_any: bool,
}

impl Accept {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut accept = Self::default();
        let lists = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
        for entry in lists.flat_map(|list| list.split(',')) {
            let mut parts = entry.split(';').map(str::trim);
            let range = parts.next().unwrap_or_default();
            let is_refused = parts.any(is_zero);
            if let Some(kind) = KINDS.into_iter().find(|kind| kind.eq_ignore_ascii_case(range)) {
                let kinds = if is_refused { &mut accept.refused } else { &mut accept.named };
                kinds.push(kind);
            }
            accept.takes_any |= !is_refused && ANY.iter().any(|any| any.eq_ignore_ascii_case(range));
        }
        accept
    }

    pub(super) fn takes(&self, media_type: &str) -> bool {
        if self.named.is_empty() && self.refused.is_empty() {
            return true;
        }
        self.named.contains(&media_type) || (self.takes_any && !self.refused.contains(&media_type))
    }
}

/// Whether a parameter says that what it belongs to is not wanted at all.
fn is_zero(parameter: &str) -> bool {
    let weight = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="));
    weight.and_then(|weight| weight.trim().parse::<f32>().ok()) == Some(0.0)
}

#[cfg(test)]
mod tests;
