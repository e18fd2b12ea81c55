//! Which container engine is meant: the one that the environment names, else whose socket is where sockets usually are.

use std::path::PathBuf;

use bencher_oci::{Engine, engine::Address};

use super::ImageError;
use crate::commands::Context;

/// Where container engines may listen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Engines {
    /// A variable and the address that it names.
    pub named: Option<(&'static str, String)>,
    /// The most wanted first.
    pub sockets: Vec<PathBuf>,
}

/// A connection to the engine of this machine.
pub(super) fn connect(context: &Context) -> Result<Engine, ImageError> {
    let address = match &context.engines.named {
        Some((variable, text)) => address(text).ok_or_else(|| ImageError::EngineAddress { variable, found: text.clone() })?,
        None => {
            let socket = context.engines.sockets.iter().find(|socket| socket.exists());
            Address::Socket(socket.cloned().ok_or_else(|| ImageError::NoEngine { sockets: context.engines.sockets.clone() })?)
        }
    };
    Engine::at(&address).map_err(|source| ImageError::Engine { source: Box::new(source) })
}

/// An address as docker and podman write it.
fn address(text: &str) -> Option<Address> {
    if let Some(path) = text.strip_prefix("unix://") {
        return path.starts_with('/').then(|| Address::Socket(PathBuf::from(path)));
    }
    let url = text.strip_prefix("tcp://").map_or_else(|| text.to_owned(), |rest| format!("http://{rest}"));
    let url: url::Url = url.parse().ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(Address::Url(url))
}

#[cfg(test)]
mod tests;
