//! Bounded numbers of a spec and a job, with their units in the type.

use serde::{Deserialize, Serialize};

/// A number outside of what its type allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found} is not a valid {kind}: expected {min} to {max}{unit}")]
pub struct InvalidQuantity {
    pub kind: &'static str,
    pub unit: &'static str,
    pub min: u64,
    pub max: u64,
    pub found: u64,
}

macro_rules! quantities {
    ($($(#[$doc:meta])* $name:ident($repr:ty, $text:literal, $kind:literal, $unit:literal, $min:tt, $max:expr);)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(into = $text, try_from = $text)]
        #[schema(value_type = $repr, minimum = $min)]
        pub struct $name($repr);

        impl $name {
            pub const MIN: $repr = $min;
            pub const MAX: $repr = $max;

            /// # Errors
            /// The number is outside `MIN..=MAX`.
            pub fn new(number: $repr) -> Result<Self, InvalidQuantity> {
                if (Self::MIN..=Self::MAX).contains(&number) {
                    Ok(Self(number))
                } else {
                    Err(InvalidQuantity {
                        kind: $kind,
                        unit: $unit,
                        min: u64::from(Self::MIN),
                        max: u64::from(Self::MAX),
                        found: u64::from(number),
                    })
                }
            }

            #[must_use]
            pub const fn get(self) -> $repr {
                self.0
            }
        }

        impl TryFrom<$repr> for $name {
            type Error = InvalidQuantity;

            fn try_from(number: $repr) -> Result<Self, InvalidQuantity> {
                Self::new(number)
            }
        }

        impl From<$name> for $repr {
            fn from(quantity: $name) -> $repr {
                quantity.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let number = text.parse::<$repr>().map_err(|error| format!("`{text}` is not a {}: {error}", $kind))?;
                Self::new(number).map_err(|error| error.to_string())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

quantities! {
    /// CPU cores of a spec.
    Cpu(u32, "u32", "number of CPUs", "", 1, i32::MAX.unsigned_abs());
    /// Main memory of a spec, in bytes.
    MemoryBytes(u64, "u64", "memory size", " bytes", 1, i64::MAX.unsigned_abs());
    /// Disk of a spec, in bytes.
    DiskBytes(u64, "u64", "disk size", " bytes", 1, i64::MAX.unsigned_abs());
    /// How long one iteration of a job may take, in seconds.
    Timeout(u32, "u32", "timeout", " seconds", 1, i32::MAX.unsigned_abs());
    /// How many earlier metrics a threshold looks at.
    SampleSize(u32, "u32", "sample size", "", 1, u32::MAX);
    /// How far back a threshold or plot looks, in seconds.
    Window(u32, "u32", "window", " seconds", 1, u32::MAX);
}

impl Timeout {
    #[must_use]
    pub fn duration(self) -> std::time::Duration {
        std::time::Duration::from_secs(u64::from(self.0))
    }
}
