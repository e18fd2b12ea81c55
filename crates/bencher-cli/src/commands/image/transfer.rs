//! `image push`, `pull` and `copy`: one way from any place to any place.

use std::sync::Arc;

use bencher_oci::{Copied, Copy, Destination, Layout, Platform, Progress, copy};

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
    /// Also what refers to it.
    pub referrers: bool,
    progress: Arc<Transfers>,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(context: &'a Context, login: &'a Login, platform: Option<Platform>) -> Self {
        Self { context, login, platform, referrers: false, progress: Arc::new(Transfers::new(context.out)) }
    }

    /// The same for another platform.
    pub(super) fn on_platform(&self, platform: Platform) -> Self {
        let Self { context, login, referrers, .. } = *self;
        Self { context, login, platform: Some(platform), referrers, progress: Arc::clone(&self.progress) }
    }

    pub(super) fn observer(&self) -> Arc<dyn Progress> {
        Arc::clone(&self.progress) as Arc<dyn Progress>
    }

    /// Copies an image; `action` says what is done, after "could not".
    pub(super) async fn copy(&self, from: &Opened, to: &Place, action: &str) -> Result<Copied, ImageError> {
        let target = Target::open(self, to, from.name.clone()).await?;
        let (spool, _temporary) = match transfers_dir(self.context) {
            // Of this copy alone: what one leaves behind to go on with is not cleared away by another.
            Some(dir) => {
                let name = bencher_types::Digest::sha256(action.as_bytes()).hex()[..16].to_owned();
                (dir.join(format!("copy-{name}")), None)
            }
            None => {
                let folder = super::folder(self.context)?;
                (folder.path().to_owned(), Some(folder))
            }
        };
        let mut how = Copy::new(spool);
        how.platform = self.platform.clone().or_else(|| target.is_of_one_platform().then(Platform::host));
        how.progress = self.observer();
        how.referrers = self.referrers;
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

    /// Copies into a layout that is for something else, under no name.
    pub(super) async fn copy_into(&self, from: &Opened, layout: &Layout, action: &str) -> Result<Copied, ImageError> {
        let to = Destination::Layout { layout: layout.clone(), name: None };
        // Nothing goes from registry to registry here, which is what a spool is for.
        let mut how = Copy::new(layout.dir().to_owned());
        how.platform.clone_from(&self.platform);
        how.progress = self.observer();
        let copied = copy(&from.origin, &to, &how).await;
        self.progress.end();
        copied.map_err(|error| ImageError::Registry { action: action.to_owned(), source: Box::new(error) })
    }
}
