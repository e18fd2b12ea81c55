//! A series of numbers out of a file: a JSON array, or a column of CSV.

use std::{
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde_json::Value;

/// The largest file that is read, in bytes: some million numbers.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Numbers in the order of the file.
#[derive(Debug, PartialEq)]
pub(crate) struct Series {
    /// The column's; JSON has none.
    pub name: Option<String>,
    pub values: Vec<f64>,
}

/// Why a file has no series.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SeriesError {
    #[error("could not read {}", file.display())]
    Read {
        file: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} has more than {MAX_BYTES} bytes: expected a series of numbers", file.display())]
    TooLarge { file: PathBuf },
    #[error("{} is no JSON", file.display())]
    Json {
        file: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("{} is no CSV", file.display())]
    Csv {
        file: PathBuf,
        #[source]
        source: csv::Error,
    },
    #[error("{}: expected a JSON array of numbers, found {found}", file.display())]
    NoNumbers { file: PathBuf, found: String },
    #[error("{}: item {item} is {found}: expected a finite number, or nothing for a missing one", file.display())]
    NoNumber { file: PathBuf, item: usize, found: String },
    #[error("{}: all values are missing", file.display())]
    AllMissing { file: PathBuf },
    #[error("{} has no column `{column}`, but {}", file.display(), columns.join(", "))]
    NoColumn { file: PathBuf, column: String, columns: Vec<String> },
    #[error("{}: expected one column of numbers, found {}: say which with --column", file.display(), if columns.is_empty() { "none".to_owned() } else { columns.join(", ") })]
    WhichColumn { file: PathBuf, columns: Vec<String> },
}

/// Reads a file, or standard input for `-`.
///
/// # Errors
/// It cannot be read, is neither of the formats, or does not say which of its columns is meant.
pub(crate) fn read(file: &Path, column: Option<&str>) -> Result<Series, SeriesError> {
    let text = text(file)?;
    // As errors name it.
    let file = if file == Path::new("-") { PathBuf::from("standard input") } else { file.to_owned() };
    if text.trim_start().starts_with(['[', '{']) {
        return json(&file, &text);
    }
    csv(&file, &text, column)
}

fn text(file: &Path) -> Result<String, SeriesError> {
    let mut text = String::new();
    let reader: Result<Box<dyn io::Read>, io::Error> = if file == Path::new("-") {
        Ok(Box::new(io::stdin().lock()))
    } else {
        std::fs::File::open(file).map(|file| Box::new(file) as _)
    };
    let read = reader.and_then(|reader| reader.take(MAX_BYTES + 1).read_to_string(&mut text));
    let length = read.map_err(|source| SeriesError::Read { file: file.to_owned(), source })?;
    if length as u64 > MAX_BYTES {
        return Err(SeriesError::TooLarge { file: file.to_owned() });
    }
    Ok(text)
}

fn json(file: &Path, text: &str) -> Result<Series, SeriesError> {
    let value: Value = serde_json::from_str(text).map_err(|source| SeriesError::Json { file: file.to_owned(), source })?;
    let Value::Array(items) = value else {
        return Err(SeriesError::NoNumbers { file: file.to_owned(), found: "an object".to_owned() });
    };
    let values = items.iter().enumerate().map(|(item, value)| match value {
        Value::Null => Ok(None),
        Value::Number(number) => Ok(number.as_f64()),
        other => Err(SeriesError::NoNumber { file: file.to_owned(), item, found: other.to_string().chars().take(40).collect() }),
    });
    let values = filled(file, values.collect::<Result<Vec<_>, _>>()?)?;
    Ok(Series { name: None, values })
}

fn csv(file: &Path, text: &str, column: Option<&str>) -> Result<Series, SeriesError> {
    let failed = |source| SeriesError::Csv { file: file.to_owned(), source };
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).trim(csv::Trim::All).from_reader(text.as_bytes());
    let names: Vec<String> = reader.headers().map_err(failed)?.iter().map(str::to_owned).collect();
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().map_err(failed)?;
    let number = match column {
        Some(column) => names.iter().position(|name| name == column).ok_or_else(|| SeriesError::NoColumn {
            file: file.to_owned(),
            column: column.to_owned(),
            columns: names.clone(),
        })?,
        None => only_numeric(file, &names, &rows)?,
    };
    let values = rows.iter().enumerate().map(|(item, row)| match row.get(number).unwrap_or_default() {
        "" => Ok(None),
        cell => match cell.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Some(value)),
            _ => Err(SeriesError::NoNumber {
                file: file.to_owned(),
                item,
                found: format!("`{}`", cell.chars().take(40).collect::<String>()),
            }),
        },
    });
    let values = filled(file, values.collect::<Result<Vec<_>, _>>()?)?;
    Ok(Series { name: names.get(number).cloned(), values })
}

/// The one column that has numbers and nothing else.
fn only_numeric(file: &Path, names: &[String], rows: &[csv::StringRecord]) -> Result<usize, SeriesError> {
    let numeric = |number: usize| {
        let mut cells = rows.iter().filter_map(|row| row.get(number)).filter(|cell| !cell.is_empty()).peekable();
        cells.peek().is_some() && cells.all(|cell| cell.parse::<f64>().is_ok())
    };
    let numeric: Vec<usize> = (0..names.len()).filter(|number| numeric(*number)).collect();
    match numeric[..] {
        [number] => Ok(number),
        _ => {
            let columns = numeric.iter().filter_map(|number| names.get(*number)).map(|name| format!("`{name}`")).collect();
            Err(SeriesError::WhichColumn { file: file.to_owned(), columns })
        }
    }
}

/// A missing value is the one before it; at the beginning, the first that there is.
fn filled(file: &Path, values: Vec<Option<f64>>) -> Result<Vec<f64>, SeriesError> {
    let Some(first) = values.iter().copied().flatten().next() else {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        return Err(SeriesError::AllMissing { file: file.to_owned() });
    };
    let mut before = first;
    let filled = values.into_iter().map(|value| {
        before = value.unwrap_or(before);
        before
    });
    Ok(filled.collect())
}

#[cfg(test)]
mod tests;
