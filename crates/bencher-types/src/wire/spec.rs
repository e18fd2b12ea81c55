//! Specs: the shape of machine that a job must run on.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{Cpu, DateTime, DiskBytes, MemoryBytes, ResourceName, Slug, SpecUuid};

#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonSpec)]
pub struct Spec {
    pub uuid: SpecUuid,
    pub name: ResourceName,
    pub slug: Slug,
    pub os: OperatingSystem,
    pub architecture: Architecture,
    /// Absent: jobs run on the host.
    pub sandbox: Option<Sandbox>,
    pub cpu: Cpu,
    pub memory: MemoryBytes,
    pub disk: DiskBytes,
    pub network: bool,
    /// Since when this is the spec of jobs that name none.
    pub fallback: Option<DateTime>,
    pub created: DateTime,
    pub modified: DateTime,
    pub archived: Option<DateTime>,
}

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewSpec)]
pub struct NewSpec {
    pub name: ResourceName,
    pub slug: Option<Slug>,
    pub os: OperatingSystem,
    pub architecture: Architecture,
    pub sandbox: Option<Sandbox>,
    pub cpu: Cpu,
    /// Bytes.
    pub memory: MemoryBytes,
    /// Bytes.
    pub disk: DiskBytes,
    pub network: Option<bool>,
    pub fallback: Option<bool>,
}

/// Body of `PATCH` on a spec: what is absent stays. The hardware cannot change.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUpdateSpec)]
pub struct UpdateSpec {
    pub name: Option<ResourceName>,
    pub slug: Option<Slug>,
    pub fallback: Option<bool>,
    pub archived: Option<bool>,
}

macro_rules! text_enums {
    ($($(#[$doc:meta])* $name:ident($kind:literal) { $($variant:ident = $text:tt),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        pub enum $name {
            $(#[serde(rename = $text)] $variant,)+
        }

        impl $name {
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(format!(concat!("`{}` is not ", $kind, ": expected one of {}"), text, [$($text),+].join(", "))),
                }
            }
        }
    )+};
}

text_enums! {
    OperatingSystem("an operating system") { Linux = "linux", Macos = "macos", Windows = "windows" }
    Architecture("an architecture") { X86_64 = "x86_64", Aarch64 = "aarch64" }
    /// What isolates a job from the machine it runs on.
    Sandbox("a sandbox") { Firecracker = "firecracker" }
}
