//! `analyze`: statistics of numbers in files. The statistics are in `bencher-analysis`; here they get their numbers and are printed.

pub(crate) mod series;

use bencher_analysis::{change_point, compare};
use serde_json::json;

use self::series::Series;
use crate::{
    cli::{Format, analyze},
    error::CliError,
    exit::Exit,
    output::{
        Out,
        comparison::{comparison_table, figure},
        printable,
        table::{Cell, table},
    },
};

pub(super) fn analyze(out: Out, args: &analyze::Analyze) -> Result<Exit, CliError> {
    match args {
        analyze::Analyze::ChangePoints(args) => change_points(out, args).map(|()| Exit::Ok),
        analyze::Analyze::Compare(args) => compared(out, args),
    }
}

fn change_points(out: Out, args: &analyze::ChangePoints) -> Result<(), CliError> {
    let options = change_point::Options::new(args.window, args.max_p_value, args.min_magnitude)
        .map_err(|error| CliError::Usage(error.to_string()))?;
    let series = series::read(&args.file, args.column.column.as_deref())?;
    let found = change_point::change_points(&series.values, &options);
    match out.format {
        Format::Json => out.json(&json!({
            "series": series.name,
            "points": series.values.len(),
            "change_points": found.iter().map(|point| json!({
                "index": point.index,
                "relative_change": point.relative_change(),
                "p_value": point.p_value,
                "before": point.before,
                "after": point.after,
            })).collect::<Vec<_>>(),
        })),
        Format::Human | Format::Html | Format::Markdown | Format::Csv => {
            if found.is_empty() {
                out.done(&format!("no change points in {} points", series.values.len()));
                return Ok(());
            }
            let rows = found.iter().map(|point| {
                let change = point.relative_change().map(|change| format!("{:+.2} %", change * 100.0));
                vec![
                    Cell::new(point.index),
                    Cell::maybe(change),
                    Cell::new(figure(point.before.mean)),
                    Cell::new(figure(point.after.mean)),
                    Cell::new(point.after.points),
                    Cell::new(if point.p_value == 0.0 { "0".to_owned() } else { format!("{:.1e}", point.p_value) }),
                ]
            });
            out.data(&table(out, &["INDEX", "CHANGE", "MEAN BEFORE", "MEAN AFTER", "POINTS AFTER", "P"].map(str::to_owned), rows))
        }
    }
}

fn compared(out: Out, args: &analyze::Compare) -> Result<Exit, CliError> {
    let options = compare::Options::new(args.judgement.confidence, args.judgement.margin)
        .map_err(|error| CliError::Usage(error.to_string()))?;
    let column = args.column.column.as_deref();
    let (old, new) = (series::read(&args.old, column)?, series::read(&args.new, column)?);
    if args.paired && old.values.len() != new.values.len() {
        return Err(CliError::Usage(format!(
            "--paired expects as many old measurements as new ones, found {} and {}: leave it out, or measure in turns",
            old.values.len(),
            new.values.len()
        )));
    }
    let samples = compare::Samples {
        old: &old.values,
        new: &new.values,
        design: if args.paired { compare::Design::Paired } else { compare::Design::Unpaired },
        better: if args.higher_is_better { compare::Better::Higher } else { compare::Better::Lower },
    };
    let found = compare::compare(&[samples], &options);
    let name = |Series { name, .. }: &Series| name.clone();
    match out.format {
        Format::Json => out.json(&json!({ "old": name(&old), "new": name(&new), "comparison": found[0] }))?,
        Format::Human | Format::Html | Format::Markdown | Format::Csv => {
            let label = printable(&name(&new).unwrap_or_else(|| args.new.display().to_string()));
            out.data(&comparison_table(out, [(label, &found[0])]))?;
        }
    }
    let regressed = found.iter().any(|comparison| comparison.verdict == compare::Verdict::Regression);
    Ok(if regressed { Exit::Alert } else { Exit::Ok })
}
