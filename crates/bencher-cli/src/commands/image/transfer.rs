//! `image push`, `pull` and `copy`: one way from any place to any place.

use std::sync::Arc;

use bencher_oci::{Copied, Copy, Platform, Progress, copy};

use super::{ImageError, origin::Opened, progress::Transfers, target::Target, transfers_dir};
use crate::{
    cli::image::{Login, place::Place},
    commands::Context,
};

/// What all transfers of one command share.
pub(super) struct Transfer<'a> {
    pub context: &'a Context,
    pub login: &'a Login,
    /// Of an index, only this one.
    pub platform: Option<Platform>,
    progress: Arc<Transfers>,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(context: &'a Context, login: &'a Login, platform: Option<Platform>) -> Self {
        Self { context, login, platform, progress: Arc::new(Transfers::new(context.out)) }
    }

    pub(super) fn observer(&self) -> Arc<dyn Progress> {
        Arc::clone(&self.progress) as Arc<dyn Progress>
    }

    /// Copies an image; `action` says what is done, after "could not".
    pub(super) async fn copy(&self, from: &Opened, to: &Place, action: &str) -> Result<Copied, ImageError> {
        let target = Target::open(self, to, from.name.clone()).await?;
        let temporary = super::folder(self.context)?;
        let spool = match transfers_dir(self.context) {
            // Of this copy alone: what one leaves behind to go on with is not cleared away by another.
            Some(dir) => dir.join(format!("copy-{}", &bencher_types::Digest::sha256(action.as_bytes()).hex()[..16])),
            None => temporary.path().to_owned(),
        };
        let mut how = Copy::new(spool);
        how.platform = self.platform.clone().or_else(|| target.is_of_one_platform().then(Platform::host));
        how.progress = self.observer();
        let copied = copy(&from.origin, &target.destination, &how).await;
        self.progress.end();
        match copied {
            Ok(copied) => target.finish(self.context, to).await.map(|()| copied),
            Err(error) => {
                target.give_up(&error);
                Err(ImageError::Registry { action: action.to_owned(), source: Box::new(error) })
            }
        }
    }
}
