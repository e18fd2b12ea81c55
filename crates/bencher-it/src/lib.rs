//! Tests and measurements of the whole product; there is nothing to use here.
