//! The fuzz targets of this crate, on their corpora.

#[path = "../../../../fuzz/targets/documents.rs"]
mod documents;
#[path = "../../../../fuzz/targets/layers.rs"]
mod layers;
#[path = "../../../../fuzz/targets/layout.rs"]
mod layout;
#[path = "../../../../fuzz/replay.rs"]
mod replay;

#[test]
fn the_corpus_of_documents_is_handled() {
    replay::replay("documents", documents::run);
}

#[test]
fn the_corpus_of_layers_is_handled() {
    replay::replay("layers", layers::run);
}

#[test]
fn the_corpus_of_layout_is_handled() {
    replay::replay("layout", layout::run);
}
