//! Tests of the vocabulary from outside.

mod corpus;
