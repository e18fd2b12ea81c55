//! What the environment says of this machine: where files are and engines listen. Read once, at the start.

use std::path::PathBuf;

use crate::commands::image::engine::Engines;

/// Where profiles are: a file that was named, else in the folder of the XDG base directory specification.
pub(crate) fn profile_file() -> Option<PathBuf> {
    if let Some(file) = std::env::var_os("BENCHER_CONFIG_FILE").filter(|file| !file.is_empty()) {
        return Some(file.into());
    }
    Some(config_home()?.join("bencher").join("config.toml"))
}

/// Where docker keeps log-ins, which podman and others read too.
pub(crate) fn docker_config() -> Option<PathBuf> {
    let folder = std::env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    Some(folder.or_else(|| Some(absolute("HOME")?.join(".docker")))?.join("config.json"))
}

/// Where tools keep log-ins for registries, the most wanted first, as podman and skopeo look for them.
pub(crate) fn login_files() -> Vec<PathBuf> {
    let containers = |folder: PathBuf| folder.join("containers").join("auth.json");
    [absolute("XDG_RUNTIME_DIR").map(containers), config_home().map(containers), docker_config()].into_iter().flatten().collect()
}

/// The cache of the XDG base directory specification.
pub(crate) fn image_cache() -> Option<PathBuf> {
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(cache.join("bencher").join("images"))
}

/// Where container engines may listen.
pub(crate) fn engines() -> Engines {
    let named = |name| std::env::var(name).ok().filter(|address| !address.is_empty());
    let of_user = absolute("XDG_RUNTIME_DIR").map(|folder| [folder.join("docker.sock"), folder.join("podman/podman.sock")]);
    let of_all = ["/var/run/docker.sock", "/run/podman/podman.sock"].map(PathBuf::from);
    Engines {
        named: ["DOCKER_HOST", "CONTAINER_HOST"].into_iter().find_map(|name| Some((name, named(name)?))),
        sockets: of_user.into_iter().flatten().chain(of_all).collect(),
    }
}

fn config_home() -> Option<PathBuf> {
    absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))
}

/// A folder that a variable names; a relative one is to be ignored.
fn absolute(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}
