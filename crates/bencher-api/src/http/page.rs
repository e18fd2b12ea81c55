//! A page of a list as a response: the items in the body, their total in a header.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use bencher_types::wire::TOTAL_COUNT_HEADER;
use http::{HeaderName, HeaderValue};
use serde::Serialize;

pub use crate::store::{Direction, Page};

/// One page of a list, and how many items there are in all.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    pub items: Vec<T>,
    pub total: u64,
}

impl<T: Serialize> IntoResponse for Listing<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.items).into_response();
        response.headers_mut().insert(HeaderName::from_static(TOTAL_COUNT_HEADER), HeaderValue::from(self.total));
        response
    }
}
