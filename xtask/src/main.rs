//! Developer commands: `cargo xtask COMMAND`. One file per command; no crate of the product is linked in, so that
//! these work while the product does not build.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a developer tool talks to a person, not to a log")]

mod bench;
mod bless;
mod chaos;
mod chroot_test;
mod ci;
mod demo;
mod fuzz;
mod guest;
mod nextest;
mod postgres;
mod process;
mod python;
mod schemathesis;
mod setup;
mod signals;
mod simulate;
mod test;
mod tidy;
mod vmtest;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

/// Developer commands of this workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Install what this machine lacks: Debian packages and cargo-nextest
    Setup(setup::Args),
    /// Run a real benchmark through the whole system, on this machine, and show its report (needs root)
    Demo(demo::Args),
    /// Run every test, with a PostgreSQL of its own
    Test(test::Args),
    /// Run the tests with real guests: real Firecracker where FIRECRACKER_BIN and JAILER_BIN name it, else its stand-in (needs root)
    Vmtest(vmtest::Args),
    /// Check everything that a change must pass: formatting, lints, house rules, documentation, tests
    Ci,
    /// Check the rules of the house that the compiler does not know
    Tidy,
    /// Build the release binaries and measure them (needs root)
    Bench(bench::Args),
    /// Call a real server with made-up requests and check its answers against its OpenAPI document
    Schemathesis(schemathesis::Args),
    /// Build the first process of microVMs, static, as target/guest/bencher-init
    Guest(guest::Args),
    /// Run server, runners and network in one process with everything that can go wrong, thousands of times
    Simulate(simulate::Args),
    /// Kill the real server, runners and database at random while jobs run, and see that every job ends exactly once (needs root)
    Chaos(chaos::Args),
    /// Feed one reader of foreign bytes with what a fuzzer makes up, for a while
    Fuzz(fuzz::Args),
    /// Run the tests and accept what they print now: snapshots and openapi.json
    Bless(bless::Args),
    /// Run `.ci/run` on a bare Debian in a folder and report the cold time (needs root)
    ChrootTest(chroot_test::Args),
}

fn main() -> ExitCode {
    let command = Command::parse();
    let result = signals::install().and_then(|()| match command {
        Command::Setup(args) => setup::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Vmtest(args) => vmtest::run(&args),
        Command::Ci => ci::run(),
        Command::Tidy => tidy::run(),
        Command::Bench(args) => bench::run(&args),
        Command::Schemathesis(args) => schemathesis::run(&args),
        Command::Guest(args) => guest::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Chaos(args) => chaos::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Bless(args) => bless::run(&args),
        Command::ChrootTest(args) => chroot_test::run(&args),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            process::exit_code_of(&error)
        }
    }
}
