//! What an image says of its benchmark: a `bencher-image.yaml`, which travels in a label of the image.
//!
//! A run's own words go before those of the image, and those before the image's configuration. Everything is optional. A
//! mistake is told with the line it is in, what was expected, and what was found.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

use crate::{
    Timeout,
    wire::{
        adapter::Adapter,
        run::{MAX_ARGS, MAX_ENV, MAX_FILE_PATHS},
    },
};

/// The label that holds the text.
pub const BENCHMARK_LABEL: &str = "dev.bencher.image";
/// How the file is called where nobody says otherwise.
pub const BENCHMARK_FILE: &str = "bencher-image.yaml";
/// The longest text, in bytes. With a full environment it has a few kilobytes.
pub const MAX_BENCHMARK_TEXT: usize = 256 * 1024;

const KIB: u64 = 1024;

/// A text that describes no benchmark.
#[derive(Debug, thiserror::Error)]
pub enum InvalidBenchmark {
    #[error("it is {0} bytes long: at most {MAX_BENCHMARK_TEXT} are accepted")]
    TooLong(usize),
    #[error("{0}")]
    Syntax(serde_yaml_ng::Error),
}

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BenchmarkImage {
    /// There is one version.
    pub api_version: Option<ApiVersion>,
    pub kind: Option<Kind>,
    #[serde(default)]
    pub metadata: Metadata,
    #[serde(default)]
    pub spec: BenchmarkSpec,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum ApiVersion {
    #[serde(rename = "bencher.dev/v1")]
    V1,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Kind {
    BenchmarkImage,
}

/// For people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    pub name: Option<String>,
    #[serde(default, deserialize_with = "text_or_number")]
    pub version: Option<String>,
}

/// How the benchmark is run, where a run does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BenchmarkSpec {
    /// Takes the place of the image's `ENTRYPOINT` and `CMD`.
    #[serde(deserialize_with = "command")]
    pub command: Option<Vec<String>>,
    pub output_format: Option<OutputFormat>,
    pub resources: Resources,
    /// Of one iteration.
    #[serde(deserialize_with = "optional")]
    pub timeout: Option<Duration>,
    #[serde(deserialize_with = "env")]
    pub env: Vec<EnvVar>,
    #[serde(deserialize_with = "artifacts")]
    pub artifacts: Vec<Artifact>,
}

/// What the benchmark prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    Adapter(Adapter),
    /// A format of its own: whoever runs it says which adapter reads it, or all are tried.
    Custom,
}

/// What the benchmark needs at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    pub vcpus: Option<u32>,
    #[serde(deserialize_with = "optional")]
    pub memory: Option<Bytes>,
    #[serde(deserialize_with = "optional")]
    pub disk: Option<Bytes>,
}

/// A variable of the benchmark's environment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvVar {
    pub name: String,
    #[serde(deserialize_with = "text")]
    pub value: String,
}

/// Files that are worth keeping.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// Absolute; may have wildcards in its last part.
    pub path: String,
    pub name: Option<String>,
}

/// Seconds, `90`, or with units, `1h30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration(pub Timeout);

/// Bytes, `4096`, or with a unit, `4Gi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl FromStr for BenchmarkImage {
    type Err = InvalidBenchmark;

    fn from_str(text: &str) -> Result<Self, InvalidBenchmark> {
        if text.len() > MAX_BENCHMARK_TEXT {
            return Err(InvalidBenchmark::TooLong(text.len()));
        }
        serde_yaml_ng::from_str(text).map_err(InvalidBenchmark::Syntax)
    }
}

impl BenchmarkSpec {
    /// The adapter that reads what it prints, where the image knows.
    #[must_use]
    pub fn adapter(&self) -> Option<Adapter> {
        match self.output_format {
            Some(OutputFormat::Adapter(adapter)) => Some(adapter),
            Some(OutputFormat::Custom) | None => None,
        }
    }
}

impl FromStr for OutputFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "custom" => Self::Custom,
            "bencher" => Self::Adapter(Adapter::Json),
            "criterion" => Self::Adapter(Adapter::RustCriterion),
            "hyperfine" => Self::Adapter(Adapter::ShellHyperfine),
            name => Self::Adapter(name.parse().map_err(|_| {
                format!(
                    "`{text}` is no output format: expected json, bencher, criterion, hyperfine, custom, or an adapter's name"
                )
            })?),
        })
    }
}

impl<'de> Deserialize<'de> for OutputFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = OutputFormat;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an output format")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OutputFormat, E> {
                // Here, and not behind the deserializer, the error is told with its line.
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Name)
    }
}

/// What is written as a number or as a text that begins with one.
trait Quantity: Sized {
    const EXPECTED: &'static str;

    /// `None` for a unit there is not.
    fn unit(name: &str) -> Option<u64>;

    /// # Errors
    /// The number is out of range.
    fn of(number: u64) -> Result<Self, String>;

    fn parse(text: &str) -> Result<Self, String> {
        let invalid = || format!("`{text}` is not valid: expected {}", Self::EXPECTED);
        let mut total = 0_u64;
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(invalid());
        }
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, after) = rest.split_at(digits);
            let name = after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
            let (name, after) = after.split_at(name);
            let number: u64 = number.parse().map_err(|_| invalid())?;
            let unit = Self::unit(name).ok_or_else(invalid)?;
            total = number.checked_mul(unit).and_then(|more| total.checked_add(more)).ok_or_else(invalid)?;
            rest = after;
        }
        Self::of(total)
    }
}

impl Quantity for Duration {
    const EXPECTED: &'static str = "seconds, or numbers with h, m or s, such as 30m or 1h30m";

    fn unit(name: &str) -> Option<u64> {
        match name {
            "" | "s" => Some(1),
            "m" => Some(60),
            "h" => Some(60 * 60),
            _ => None,
        }
    }

    fn of(number: u64) -> Result<Self, String> {
        let seconds = u32::try_from(number).map_err(|_| format!("{number} seconds are longer than any job may take"))?;
        Timeout::new(seconds).map(Self).map_err(|error| error.to_string())
    }
}

impl Quantity for Bytes {
    const EXPECTED: &'static str = "bytes, or a number with Ki, Mi, Gi or Ti, such as 4Gi";

    fn unit(name: &str) -> Option<u64> {
        match name {
            "" => Some(1),
            "Ki" => Some(KIB),
            "Mi" => Some(KIB * KIB),
            "Gi" => Some(KIB * KIB * KIB),
            "Ti" => Some(KIB * KIB * KIB * KIB),
            "k" => Some(1000),
            "M" => Some(1_000_000),
            "G" => Some(1_000_000_000),
            "T" => Some(1_000_000_000_000),
            _ => None,
        }
    }

    fn of(number: u64) -> Result<Self, String> {
        Ok(Self(number))
    }
}

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Quantity::parse(text)
    }
}

/// Reads a number or a text as a quantity.
struct QuantityVisitor<T>(PhantomData<T>);

impl<T: Quantity> Visitor<'_> for QuantityVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        T::of(number).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::parse(text).map_err(E::custom)
    }
}

fn optional<'de, T: Quantity, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    deserializer.deserialize_any(QuantityVisitor(PhantomData)).map(Some)
}

/// What is a text to the benchmark, however YAML reads it: `1`, `true`, `1.0`.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Scalar;

    impl Visitor<'_> for Scalar {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }

        fn visit_bool<E: de::Error>(self, value: bool) -> Result<String, E> {
            Ok(value.to_string())
        }

        fn visit_i64<E: de::Error>(self, value: i64) -> Result<String, E> {
            Ok(value.to_string())
        }

        fn visit_u64<E: de::Error>(self, value: u64) -> Result<String, E> {
            Ok(value.to_string())
        }

        fn visit_f64<E: de::Error>(self, value: f64) -> Result<String, E> {
            // 1.0 would become 1: what was meant is only known to who wrote it.
            Err(E::custom(format!("the number {value} may be written in several ways: put it in quotes")))
        }
    }

    deserializer.deserialize_any(Scalar)
}

fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    text(deserializer).map(Some)
}

fn command<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let words = Vec::<String>::deserialize(deserializer)?;
    match words.as_slice() {
        [] => Err(de::Error::custom("the command is empty: expected a program and its arguments, such as [/bench, --fast]")),
        words if words.len() > MAX_ARGS => Err(too_many("words of the command", words.len(), MAX_ARGS)),
        words if words.iter().any(|word| word.contains('\0')) => Err(de::Error::custom("the command holds a NUL character")),
        _ => Ok(Some(words)),
    }
}

fn env<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<EnvVar>, D::Error> {
    let variables = Vec::<EnvVar>::deserialize(deserializer)?;
    if variables.len() > MAX_ENV {
        return Err(too_many("variables", variables.len(), MAX_ENV));
    }
    let bad =
        |variable: &&EnvVar| variable.name.is_empty() || variable.name.contains(['=', '\0']) || variable.value.contains('\0');
    if let Some(bad) = variables.iter().find(bad) {
        let name = bad.name.escape_debug();
        return Err(de::Error::custom(format!("`{name}` is no variable: expected a name without `=`, and no NUL character")));
    }
    Ok(variables)
}

fn artifacts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Artifact>, D::Error> {
    let artifacts = Vec::<Artifact>::deserialize(deserializer)?;
    if artifacts.len() > MAX_FILE_PATHS {
        return Err(too_many("artifacts", artifacts.len(), MAX_FILE_PATHS));
    }
    let is_inside = |path: &str| path.starts_with('/') && !path.contains('\0') && path.split('/').all(|part| part != "..");
    if let Some(bad) = artifacts.iter().find(|artifact| !is_inside(&artifact.path)) {
        let path = bad.path.escape_debug();
        return Err(de::Error::custom(format!("`{path}` is no path of an artifact: expected an absolute one, free of `..`")));
    }
    Ok(artifacts)
}

fn too_many<E: de::Error>(what: &str, found: usize, most: usize) -> E {
    E::custom(format!("there are {found} {what}: at most {most} are accepted"))
}

#[cfg(test)]
mod tests;
