//! The programs themselves: how long they take to start, and how large they are.

use std::{
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Result, ensure};

use crate::{figures::Figure, processes::binary};

const RUNS: usize = 100;
const WARM_UP: usize = 5;

/// Start-up and `--help` of what people type, and the sizes of what they install.
#[expect(clippy::unused_async, reason = "called like every other measurement")]
pub(crate) async fn programs() -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for program in ["bencher", "runner"] {
        for argument in ["--version", "--help"] {
            let mut samples = Vec::new();
            for run in 0..WARM_UP + RUNS {
                let begun = Instant::now();
                let status = Command::new(binary(program)?).arg(argument).stdout(Stdio::null()).status()?;
                ensure!(status.success(), "`{program} {argument}` ended with {status}");
                if run >= WARM_UP {
                    samples.push(begun.elapsed());
                }
            }
            figures.push(Figure::durations(format!("`{program} {argument}`, start to end"), samples));
        }
    }
    for program in ["bencher-api", "runner", "bencher"] {
        #[expect(clippy::cast_precision_loss, reason = "a size for people")]
        let mib = std::fs::metadata(binary(program)?)?.len() as f64 / (1024.0 * 1024.0);
        figures.push(Figure::reading(format!("size of `{program}`"), mib, "MiB"));
    }
    Ok(figures)
}
