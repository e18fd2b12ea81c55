//! The configuration of an image that is made: the base's, where there is one, and over it what the recipe says.

use bencher_types::Digest;
use oci_spec::image::{
    Arch, Config, ConfigBuilder, HistoryBuilder, ImageConfiguration, ImageConfigurationBuilder, Os, RootFsBuilder,
};

use super::Recipe;
use crate::{
    layout::{LayoutError, invalid},
    platform::Platform,
};

/// Without a `PATH` of its own, an image's commands are looked for where people expect.
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub(super) fn of(
    recipe: &Recipe,
    entrypoint: Option<Vec<String>>,
    platform: &Platform,
    created: &str,
    diff_id: &Digest,
) -> Result<ImageConfiguration, LayoutError> {
    let base = recipe.base.as_ref().map(|base| &base.config);
    let mut config = match base.and_then(|base| base.config().clone()) {
        Some(config) => config,
        None => ConfigBuilder::default().build().map_err(invalid)?,
    };
    say(&mut config, recipe, entrypoint);
    let mut diff_ids = base.map(|base| base.rootfs().diff_ids().clone()).unwrap_or_default();
    diff_ids.push(diff_id.to_string());
    let mut image = ImageConfigurationBuilder::default()
        .created(created)
        .os(Os::from(platform.os.as_str()))
        .architecture(Arch::from(platform.architecture.as_str()))
        .config(config)
        .rootfs(RootFsBuilder::default().typ("layers").diff_ids(diff_ids).build().map_err(invalid)?);
    if let Some(history) = base.and_then(|base| base.history().clone()).filter(|history| !history.is_empty()) {
        // A history has an entry for every layer, or none at all.
        let own = HistoryBuilder::default().created(created).created_by("bencher image build").build().map_err(invalid)?;
        image = image.history([history, vec![own]].concat());
    }
    image.build().map_err(invalid)
}

fn say(config: &mut Config, recipe: &Recipe, entrypoint: Option<Vec<String>>) {
    let mut env = config.env().clone().unwrap_or_default();
    for variable in &recipe.env {
        let name = |text: &str| text.split_once('=').map_or_else(|| text.to_owned(), |(name, _)| name.to_owned());
        env.retain(|other| name(other) != name(variable));
        env.push(variable.clone());
    }
    if !env.iter().any(|variable| variable.starts_with("PATH=")) {
        env.insert(0, DEFAULT_PATH.to_owned());
    }
    config.set_env(Some(env));
    if let Some(entrypoint) = entrypoint {
        config.set_entrypoint(Some(entrypoint));
        // The base's belongs to the base's own entrypoint.
        config.set_cmd(None);
    }
    if !recipe.cmd.is_empty() {
        config.set_cmd(Some(recipe.cmd.clone()));
    }
    if let Some(dir) = &recipe.working_dir {
        config.set_working_dir(Some(dir.clone()));
    }
    if let Some(user) = &recipe.user {
        config.set_user(Some(user.clone()));
    }
    if !recipe.labels.is_empty() {
        let mut labels = config.labels().clone().unwrap_or_default();
        labels.extend(recipe.labels.clone());
        config.set_labels(Some(labels));
    }
}
