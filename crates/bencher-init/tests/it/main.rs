//! The crate as others see it.

mod corpus;
mod program;
