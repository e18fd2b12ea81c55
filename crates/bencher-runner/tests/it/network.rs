//! The network of guests, in namespaces that stand for a host, the outside and the host's neighbours.

mod cable;
mod denied;
mod leftovers;
mod limits;
mod reach;
mod world;
