use bencher_types::wire::{
    channel::{IterationOutput, Timings},
    job::JobOutput,
};

use super::{of_job, spoken};

fn output(boots: &[u64]) -> JobOutput {
    let timings = |boot_ns| Some(Timings { boot_ns: Some(boot_ns), run_ns: Some(2_000_000_000), ..Timings::default() });
    let results = boots.iter().map(|boot| IterationOutput { timings: timings(*boot), ..IterationOutput::default() });
    JobOutput { results: results.collect(), ..JobOutput::default() }
}

#[test]
fn only_what_is_known_is_said() {
    assert_eq!(spoken(&Timings::default()), None);
    let timings = Timings { clone_ns: Some(20_000), collect_ns: Some(0), ..Timings::default() };
    assert_eq!(spoken(&timings).unwrap(), "clone 20 µs, collect 0 ns");
}

#[test]
fn several_iterations_are_summed_up_by_their_medians() {
    assert_eq!(of_job(&output(&[])), None);
    assert_eq!(of_job(&output(&[5_000_000])).unwrap(), "boot 5 ms, run 2 s");
    let expected = "boot 5 ms, run 2 s (medians of 3 iterations)";
    assert_eq!(of_job(&output(&[9_000_000, 5_000_000, 1_000_000])).unwrap(), expected);
}
