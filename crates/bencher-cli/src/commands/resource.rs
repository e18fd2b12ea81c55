//! The five things one does with a resource: list, create, view, change, delete. Which path and which body, others say.

use std::fmt::Display;

use serde::{Serialize, de::DeserializeOwned};

use super::Context;
use crate::{
    cli::{Query, Sure},
    error::CliError,
    output::Human,
};

/// `/v0` and these segments.
pub(super) fn path<const N: usize>(segments: [&dyn Display; N]) -> Vec<String> {
    std::iter::once("v0".to_owned()).chain(segments.map(ToString::to_string)).collect()
}

impl Context {
    pub(super) async fn list<T>(&self, path: &[String], query: &Query) -> Result<(), CliError>
    where
        Vec<T>: DeserializeOwned + Human,
    {
        self.out.show_list(&self.client.get::<Vec<T>>(path, query).await?)
    }

    pub(super) async fn view<T: DeserializeOwned + Human>(&self, path: &[String], query: &Query) -> Result<(), CliError> {
        self.out.show(&self.client.get::<T>(path, query).await?)
    }

    pub(super) async fn create<T: DeserializeOwned + Human>(
        &self,
        path: &[String],
        body: &impl Serialize,
    ) -> Result<(), CliError> {
        self.out.show(&self.client.post::<T>(path, body).await?)
    }

    pub(super) async fn update<T: DeserializeOwned + Human>(
        &self,
        path: &[String],
        body: &impl Serialize,
    ) -> Result<(), CliError> {
        self.out.show(&self.client.patch::<T>(path, body).await?)
    }

    /// Deletes `what`, if that is meant.
    pub(super) async fn delete(&self, path: &[String], what: &str, sure: Sure) -> Result<(), CliError> {
        self.out.confirm(&format!("delete {what}?"), sure)?;
        self.client.delete(path, &[]).await?;
        self.out.done("deleted");
        Ok(())
    }

    /// Makes a key or token useless, if that is meant.
    pub(super) async fn revoke(&self, path: &[String], what: &str, sure: Sure) -> Result<(), CliError> {
        self.out.confirm(&format!("revoke {what} for ever?"), sure)?;
        self.client.delete(path, &[]).await?;
        self.out.done("revoked");
        Ok(())
    }
}
