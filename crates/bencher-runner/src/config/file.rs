//! The configuration file: every flag of `runner up` as a key, each in its one place.
//!
//! What a value may be, the command line knows: here a file becomes texts by flag, which are then its defaults.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// Where the file is looked for when none is named.
pub const DEFAULT_PATH: &str = "/etc/bencher/runner.toml";

/// Bound of the file in bytes; a full one has under two thousand.
const MAX_SIZE: u64 = 256 * 1024;

/// The section of microVMs.
pub(super) const FIRECRACKER: &str = "firecracker";
/// Keys whose value is a list of texts, given to the command line with commas between.
const LISTS: [&str; 3] = ["modules", "allow_networks", "nameservers"];
/// Between them there.
const LIST_SEPARATOR: char = ',';
/// Keys whose value is a path, or a list of them.
const PATHS: [&str; 7] = ["key_file", "data_dir", "binary_path", "jailer_path", "kernel_path", "modules", "init_path"];

/// Every key by its section; the first section is the top of the file.
pub(super) const KEYS: [(&str, &[&str]); 6] = [
    (
        "",
        &[
            "host",
            "runner",
            "key",
            "key_file",
            "poll_timeout",
            "danger_allow_no_sandbox",
            "on_shutdown",
            "fetch_timeout",
            "max_message_size",
            "log_level",
            "log_format",
        ],
    ),
    (
        FIRECRACKER,
        &[
            "binary_path",
            "jailer_path",
            "no_jailer",
            "kernel_path",
            "modules",
            "init_path",
            "uid_base",
            "uid_count",
            "huge_pages",
            "boot_args",
            "cgroup_parent",
            "io_bytes_per_second",
            "allow_networks",
            "nameservers",
            "network_pool",
            "network_rate",
            "no_network",
        ],
    ),
    ("storage", &["data_dir", "image_cache_size"]),
    ("bounds", &["max_output_size", "max_file_count", "max_symlinks", "grace_period", "sandbox_log_level"]),
    ("updates", &["no_auto_update", "update_channel", "max_download_size"]),
    (
        "tuning",
        &[
            "no_tuning",
            "aslr",
            "nmi_watchdog",
            "smt",
            "turbo",
            "numa_balancing",
            "timer_migration",
            "soft_watchdog",
            "ksm",
            "cstates",
            "no_irq_steering",
            "no_cpuset_partition",
            "swappiness",
            "governor",
            "perf_event_paranoid",
            "thp",
        ],
    ),
];

/// A configuration file that cannot be used. No text of the file is repeated: it may hold a key.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("could not read the configuration file {path}; name another one with --config or BENCHER_RUNNER_CONFIG")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the configuration file {path} has more than {MAX_SIZE} bytes")]
    TooLarge { path: PathBuf },
    #[error("the configuration file {path} is not TOML, line {line}, column {column}: {problem}")]
    Syntax { path: PathBuf, line: usize, column: usize, problem: String },
    #[error("the configuration file {path} has the unknown key `{key}`; did you mean `{nearest}`?")]
    UnknownKey { path: PathBuf, key: String, nearest: String },
    #[error("the configuration file {path} has `{key}` in the wrong place: it belongs {place}")]
    Misplaced { path: PathBuf, key: String, place: String },
    #[error("the configuration file {path} has {found} as `{key}`: expected a text, a whole number, true or false")]
    Type { path: PathBuf, key: String, found: &'static str },
    #[error(
        "the configuration file {path} holds the runner's key and can be read by others (mode {mode:03o}): run `chmod 600 {path}`"
    )]
    Exposed { path: PathBuf, mode: u32 },
    #[error("the configuration file {path} has a value that cannot be: {problem}")]
    Value { path: PathBuf, problem: String },
}

/// The texts of a file by the name of their flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Values {
    pub(super) path: PathBuf,
    pub(super) by_key: BTreeMap<&'static str, String>,
}

/// Reads the named file, or the usual one where it is there.
pub(super) fn read(named: Option<&Path>, usual: &Path) -> Result<Option<Values>, FileError> {
    let path = named.unwrap_or(usual);
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    let mut text = String::new();
    file.take(MAX_SIZE + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_SIZE {
        return Err(FileError::TooLarge { path: path.to_owned() });
    }
    let values = parse(path, &text)?;
    if values.by_key.contains_key("key") && mode & 0o077 != 0 {
        return Err(FileError::Exposed { path: path.to_owned(), mode });
    }
    // A path in the file is meant from the file's own folder, wherever the runner was started.
    Ok(Some(values.anchored()))
}

impl Values {
    fn anchored(mut self) -> Self {
        let folder = fs::canonicalize(&self.path).ok().and_then(|path| path.parent().map(Path::to_owned));
        for key in PATHS {
            // A list of none is an empty text.
            if let (Some(folder), Some(value)) = (&folder, self.by_key.get_mut(key).filter(|value| !value.is_empty())) {
                let paths = value.split(if LISTS.contains(&key) { LIST_SEPARATOR } else { '\0' });
                let anchored: Option<Vec<String>> = paths.map(|path| folder.join(path).to_str().map(str::to_owned)).collect();
                *value = anchored.map_or_else(|| value.clone(), |paths| paths.join(&LIST_SEPARATOR.to_string()));
            }
        }
        self
    }
}

/// Whether a flag is one of the section of microVMs.
pub(super) fn is_of_micro_vms(key: &str) -> bool {
    KEYS.iter().any(|(section, keys)| *section == FIRECRACKER && keys.contains(&key))
}

pub(super) fn parse(path: &Path, text: &str) -> Result<Values, FileError> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let before = &text[..error.span().map_or(0, |span| span.start).min(text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        FileError::Syntax { path: path.to_owned(), line, column, problem: error.message().replace('\n', ", ") }
    })?;
    let mut by_key = BTreeMap::new();
    for (name, value) in table {
        match (KEYS.iter().find(|(section, _)| !section.is_empty() && *section == name), value) {
            (Some((section, _)), toml::Value::Table(table)) => {
                for (key, value) in table {
                    by_key.insert(place(path, section, &key)?, text_of(path, &key, value)?);
                }
            }
            (_, value) => {
                let key = place(path, "", &name)?;
                by_key.insert(key, text_of(path, key, value)?);
            }
        }
    }
    Ok(Values { path: path.to_owned(), by_key })
}

/// The key as the command line knows it, if it stands where it belongs.
fn place(path: &Path, section: &str, key: &str) -> Result<&'static str, FileError> {
    let all = || KEYS.iter().flat_map(|(section, keys)| keys.iter().map(move |key| (*section, *key)));
    // A flag as it is typed is as good a misspelling as any.
    let wanted = key.replace('-', "_");
    match all().find(|(_, known)| *known == key) {
        Some((of, known)) if of == section => Ok(known),
        Some((of, _)) => Err(FileError::Misplaced { path: path.to_owned(), key: dotted(section, key), place: spoken(of) }),
        None => {
            let distance = |known: &str| strsim::damerau_levenshtein(known, &wanted);
            let sections = KEYS.iter().filter(|(of, _)| section.is_empty() && !of.is_empty()).map(|(of, _)| format!("[{of}]"));
            let nearest = all().map(|(of, known)| (distance(known), dotted(of, known)));
            let nearest = nearest.chain(sections.map(|name| (distance(name.trim_matches(['[', ']'])), name)));
            let nearest = nearest.min_by_key(|(distance, _)| *distance).map(|(_, name)| name).unwrap_or_default();
            Err(FileError::UnknownKey { path: path.to_owned(), key: dotted(section, key), nearest })
        }
    }
}

fn dotted(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

fn spoken(section: &str) -> String {
    if section.is_empty() { "at the top, before every section".to_owned() } else { format!("into the section [{section}]") }
}

fn text_of(path: &Path, key: &str, value: toml::Value) -> Result<String, FileError> {
    if let (true, toml::Value::Array(list)) = (LISTS.contains(&key), &value) {
        let texts = list.iter().map(|text| text.as_str().filter(|text| !text.contains(LIST_SEPARATOR)));
        let texts: Option<Vec<&str>> = texts.collect();
        let wrong = FileError::Type { path: path.to_owned(), key: key.to_owned(), found: "a list of something else than texts" };
        return texts.map(|texts| texts.join(&LIST_SEPARATOR.to_string())).ok_or(wrong);
    }
    let found = match value {
        toml::Value::String(text) => return Ok(text),
        toml::Value::Integer(number) => return Ok(number.to_string()),
        toml::Value::Boolean(truth) => return Ok(truth.to_string()),
        toml::Value::Float(_) => "a number with a fraction",
        toml::Value::Datetime(_) => "a date",
        toml::Value::Array(_) => "a list",
        toml::Value::Table(_) => "a section",
    };
    Err(FileError::Type { path: path.to_owned(), key: key.to_owned(), found })
}

#[cfg(test)]
mod tests;
