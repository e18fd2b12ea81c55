//! The five things one does with a resource: list, create, view, change, delete. Which path and which body, others say.

use std::fmt::Display;

use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

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

    /// The path of a key or token, which is named by its UUID or by a name that no other in its list has. Those in use go first.
    pub(super) async fn named(&self, list: Vec<String>, kind: &'static str, wanted: &str) -> Result<Vec<String>, CliError> {
        #[derive(serde::Deserialize)]
        struct Named {
            uuid: Uuid,
        }

        let mut uuid = wanted.parse().ok();
        for revoked in ["false", "true"] {
            if uuid.is_some() {
                break;
            }
            let query = [("name", wanted.to_owned()), ("revoked", revoked.to_owned()), ("per_page", "255".to_owned())];
            let found = self.client.get::<Vec<Named>>(&list, &query).await?.body()?;
            uuid = match found.as_slice() {
                [] => None,
                [one] => Some(one.uuid),
                several => {
                    let uuids = several.iter().map(|one| one.uuid.to_string()).collect();
                    return Err(CliError::Ambiguous { kind, name: wanted.to_owned(), uuids });
                }
            };
        }
        let uuid = uuid.ok_or_else(|| CliError::NoSuchCredential { kind, name: wanted.to_owned() })?;
        Ok(list.into_iter().chain([uuid.to_string()]).collect())
    }

    /// Makes a key or token useless, if that is meant.
    pub(super) async fn revoke(&self, path: &[String], what: &str, sure: Sure) -> Result<(), CliError> {
        self.out.confirm(&format!("revoke {what} for ever?"), sure)?;
        self.client.delete(path, &[]).await?;
        self.out.done("revoked");
        Ok(())
    }
}
