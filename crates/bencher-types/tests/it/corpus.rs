//! The fuzz targets of this crate, on their corpora.

#[path = "../../../../fuzz/targets/channel.rs"]
mod channel;
#[path = "../../../../fuzz/targets/names.rs"]
mod names;
#[path = "../../../../fuzz/targets/new_run.rs"]
mod new_run;
#[path = "../../../../fuzz/targets/registry.rs"]
mod registry;
#[path = "../../../../fuzz/replay.rs"]
mod replay;
#[path = "../../../../fuzz/targets/signature.rs"]
mod signature;

#[test]
fn the_corpus_of_channel_is_handled() {
    replay::replay("channel", channel::run);
}

#[test]
fn the_corpus_of_names_is_handled() {
    replay::replay("names", names::run);
}

#[test]
fn the_corpus_of_new_run_is_handled() {
    replay::replay("new_run", new_run::run);
}

#[test]
fn the_corpus_of_registry_is_handled() {
    replay::replay("registry", registry::run);
}

#[test]
fn the_corpus_of_signature_is_handled() {
    replay::replay("signature", signature::run);
}
