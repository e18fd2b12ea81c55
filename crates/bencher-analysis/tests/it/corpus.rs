//! The fuzz targets of this crate, on their corpora.

#[path = "../../../../fuzz/targets/adapters.rs"]
mod adapters;
#[path = "../../../../fuzz/targets/history.rs"]
mod history;
#[path = "../../../../fuzz/replay.rs"]
mod replay;

#[test]
fn the_corpus_of_adapters_is_handled() {
    replay::replay("adapters", adapters::run);
}

#[test]
fn the_corpus_of_history_is_handled() {
    replay::replay("history", history::run);
}
