//! Which harness printed the results.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

macro_rules! adapters {
    ($($variant:ident = $name:tt $(once $older:tt)?, $number:literal;)+) => {
        /// The format of a benchmark harness's output. Names of a language stand for [`Adapter::Magic`].
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        pub enum Adapter {
            $(#[serde(rename = $name $(, alias = $older)?)] $variant,)+
            #[default]
            #[serde(rename = "magic")]
            Magic,
        }

        impl Adapter {
            /// Every adapter, in the order of its number.
            pub const ALL: &'static [Self] = &[Self::Magic, $(Self::$variant,)+];

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::Magic => "magic",
                    $(Self::$variant => $name,)+
                }
            }

            /// The name a harness had before it was renamed, which clients may still send.
            const fn older_name(self) -> Option<&'static str> {
                match self {
                    $($(Self::$variant => Some($older),)?)+
                    _ => None,
                }
            }

            /// The number an adapter has in the database and in the v0.6 protocol.
            #[must_use]
            pub const fn number(self) -> i64 {
                match self {
                    Self::Magic => 0,
                    $(Self::$variant => $number,)+
                }
            }
        }
    };
}

adapters! {
    Json = "json", 10;
    Rust = "rust", 20;
    RustBench = "rust_bench", 21;
    RustCriterion = "rust_criterion", 22;
    RustIai = "rust_iai", 23;
    RustGungraun = "rust_gungraun" once "rust_iai_callgrind", 24;
    RustGungraunStdout = "rust_gungraun_stdout", 25;
    RustGungraunJson = "rust_gungraun_json", 26;
    Cpp = "cpp", 30;
    CppGoogle = "cpp_google", 31;
    CppCatch2 = "cpp_catch2", 32;
    Go = "go", 40;
    GoBench = "go_bench", 41;
    Java = "java", 50;
    JavaJmh = "java_jmh", 51;
    CSharp = "c_sharp", 60;
    CSharpDotNet = "c_sharp_dot_net", 61;
    Js = "js", 70;
    JsBenchmark = "js_benchmark", 71;
    JsTime = "js_time", 72;
    JsVitest = "js_vitest", 73;
    Python = "python", 80;
    PythonAsv = "python_asv", 81;
    PythonPytest = "python_pytest", 82;
    Ruby = "ruby", 90;
    RubyBenchmark = "ruby_benchmark", 91;
    Shell = "shell", 100;
    ShellHyperfine = "shell_hyperfine", 101;
    Dart = "dart", 110;
    DartBenchmarkHarness = "dart_benchmark_harness", 111;
}

impl Adapter {
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.iter().copied().find(|adapter| adapter.number() == number)
    }
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Adapter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = |adapter: &Self| adapter.as_str() == text || adapter.older_name() == Some(text);
        Self::ALL.iter().copied().find(named).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|adapter| adapter.as_str()).collect();
            format!("`{text}` is not an adapter: expected one of {}", names.join(", "))
        })
    }
}

/// Which average of a harness's samples becomes the metric's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JsonAverage)]
pub enum Average {
    Mean,
    Median,
}

/// How the iterations of a run become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JsonFold)]
pub enum Fold {
    Min,
    Max,
    Mean,
    Median,
}

#[cfg(test)]
mod tests;
