//! The fuzz targets of this crate, on their corpora.

#[path = "../../../../fuzz/targets/guest.rs"]
mod guest;
#[path = "../../../../fuzz/targets/guest_config.rs"]
mod guest_config;
#[path = "../../../../fuzz/replay.rs"]
mod replay;

#[test]
fn the_corpus_of_guests_is_handled() {
    replay::replay("guest", guest::run);
}

#[test]
fn the_corpus_of_configurations_is_handled() {
    replay::replay("guest_config", guest_config::run);
}
