//! What people see of data: aligned columns, sizes and times that can be read.

use bencher_types::DateTime;
use comfy_table::{CellAlignment, Table, presets};
use indicatif::BinaryBytes;

use crate::{
    cache::{Cleared, List, Usage, Verified},
    chain::printable,
};

pub(super) fn list(list: &List) -> String {
    if list.images.is_empty() {
        return format!("no images are kept; {}\n", downloads(&list.usage));
    }
    let mut table = plain(&["IMAGE", "DISK", "SIZE", "FILES", "LAST USED", "IN USE"]);
    for image in &list.images {
        table.add_row([
            image.digest.to_string(),
            image.disk_bytes.map_or_else(|| "fitted".to_owned(), size),
            size(image.bytes),
            image.files.to_string(),
            image.last_used.map_or_else(String::new, time),
            if image.in_use { "yes" } else { "no" }.to_owned(),
        ]);
    }
    for column in [1, 2, 3] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{}\n{}\n", text(&table), usage(&list.usage))
}

pub(super) fn cleared(cleared: &Cleared) -> String {
    let kept = match cleared.in_use {
        0 => String::new(),
        in_use => format!("; {in_use} stay, being in use"),
    };
    let (images, downloads) = (count(cleared.images, "image"), count(cleared.downloads, "download"));
    format!("removed {images} and {downloads}, {}{kept}\n", size(cleared.bytes))
}

pub(super) fn verified(verified: &Verified) -> String {
    let mut said = String::new();
    for damage in &verified.damaged {
        let removed = if damage.removed { ", removed" } else { "" };
        said.push_str(&format!("damaged {}: {}{removed}\n", damage.kind, printable(&damage.name)));
    }
    said.push_str(&format!(
        "{} and {} read; damaged: {}\n",
        count(verified.images, "image"),
        count(verified.downloads, "download"),
        verified.damaged.len()
    ));
    if verified.damaged.iter().any(|damage| !damage.removed) {
        said.push_str("`runner cache verify --remove` removes what is damaged and not in use; it is fetched again when needed\n");
    }
    said
}

pub(super) fn usage(usage: &Usage) -> String {
    format!("{}, {}; {}", count(usage.images, "image"), size(usage.image_bytes), downloads(usage))
}

fn downloads(usage: &Usage) -> String {
    format!("{}, {}", count(usage.downloads, "download"), size(usage.download_bytes))
}

fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Lines of a name and a value.
pub(crate) fn fields(fields: &[(&str, String)]) -> String {
    let mut table = plain(&[]);
    for (name, value) in fields {
        table.add_row([(*name).to_owned(), printable(value)]);
    }
    text(&table)
}

pub(crate) fn plain(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    if !head.is_empty() {
        table.set_header(head);
    }
    table
}

pub(crate) fn text(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().trim_start_matches(' ').to_owned() + "\n").collect()
}

pub(crate) fn size(bytes: u64) -> String {
    BinaryBytes(bytes).to_string()
}

/// To the second, in UTC.
pub(crate) fn time(time: DateTime) -> String {
    let text = time.to_string();
    let seconds = text.split(['.', 'Z']).next().unwrap_or_default();
    format!("{}Z", seconds.replace('T', " "))
}
