//! Jobs whose spec has a sandbox: from an image through a guest with a kernel of its own to a report.

mod ends;
mod local;
mod report;
mod stops;
