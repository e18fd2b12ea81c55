//! Why a job ended without results: whose business it is, and what to do. Pure data and rules.

use serde::{Deserialize, Deserializer, Serialize};

/// The class of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobFailure {
    /// A runner, its machine or the way to it. The benchmark is not to blame, and another try may end better.
    Infrastructure,
    /// The image is not there, broken, too large, or has no such command.
    Image,
    /// The benchmark itself: its exit code, a signal, more output than may be delivered.
    User,
    /// It took longer than it may.
    Timeout,
    /// Somebody stopped it.
    Canceled,
    /// It ran, and its results cannot be read.
    Processing,
}

impl JobFailure {
    pub const ALL: [Self; 6] = [Self::Infrastructure, Self::Image, Self::User, Self::Timeout, Self::Canceled, Self::Processing];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Infrastructure => "infrastructure",
            Self::Image => "image",
            Self::User => "user",
            Self::Timeout => "timeout",
            Self::Canceled => "canceled",
            Self::Processing => "processing",
        }
    }

    /// What the job's owner can do about it.
    #[must_use]
    pub const fn what_to_do(self) -> &'static str {
        match self {
            Self::Infrastructure => {
                "the benchmark is not to blame: run the job again (`bencher job retry`), or let jobs do so by themselves \
                 (`bencher run --retries`); if it happens again, an admin should look at the runner"
            }
            Self::Image => "look at the image and at the command that the job names, push the image again, and start a new run",
            Self::User => "the benchmark failed: see what it printed (`bencher job logs`), mend it and start a new run",
            Self::Timeout => {
                "give it more time (`bencher run --job-timeout`), or fewer or shorter iterations; `bencher job logs` shows how far it \
                 came"
            }
            Self::Canceled => "somebody stopped it: start a new run if that was not meant",
            Self::Processing => {
                "compare what it printed (`bencher job logs`) with the adapter of the run (`bencher run --adapter`), and start a new run"
            }
        }
    }

    /// The class of a failure that a runner describes without naming one, as those of the v0.6 series do.
    ///
    /// What is not known is taken for the benchmark's own: nothing is run again that might fail its owner the same way.
    #[must_use]
    pub fn of_message(error: &str) -> Self {
        const WORDS: [(JobFailure, &[&str]); 4] = [
            (JobFailure::User, &["exited with non-zero exit code", "was killed by signal"]),
            (JobFailure::Timeout, &["did not finish within", "timed out", "timeout"]),
            (
                JobFailure::Infrastructure,
                &["this runner", "the runner", "firecracker", "jailer", "microvm", "vsock", "cgroup", "vm failed"],
            ),
            (JobFailure::Image, &["image", "manifest", "layer", "registry", "rootfs"]),
        ];
        let error = error.to_lowercase();
        let known = WORDS.into_iter().find(|(_, words)| words.iter().any(|word| error.contains(word)));
        known.map_or(Self::User, |(class, _)| class)
    }

    /// Reads a class that a peer of another version may name; one that is not known is none.
    pub(crate) fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        Ok(text.and_then(|text| text.parse().ok()))
    }
}

impl std::fmt::Display for JobFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for JobFailure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|class| class.as_str() == text).ok_or_else(|| {
            format!("`{text}` is not a class of failures: expected one of {}", Self::ALL.map(Self::as_str).join(", "))
        })
    }
}

#[cfg(test)]
mod tests;
