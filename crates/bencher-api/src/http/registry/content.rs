//! Content that is named by its digest, as answers have it: whole, a part of it, or not at all because the client has it.

use std::ops::Range;

use axum::{body::Body, response::Response};
use bencher_types::{
    Digest,
    oci::range::{Wanted, wanted},
};
use http::{HeaderValue, Method, StatusCode, header, request::Parts};

use super::{
    CONTENT_DIGEST,
    condition::{self, Condition},
    error::OciError,
};

/// What is asked for.
#[derive(Debug)]
pub(super) struct Content<'a> {
    pub(super) digest: &'a Digest,
    pub(super) media_type: &'a str,
    /// Bytes.
    pub(super) size: u64,
}

/// An answer that lacks its body.
#[derive(Debug)]
pub(super) struct Answer {
    response: Response,
    /// The bytes that belong into the body; `None` where there is to be none.
    pub(super) part: Option<Range<u64>>,
}

impl Content<'_> {
    /// Weighs conditions and ranges of a `GET` or `HEAD`.
    pub(super) fn answer(&self, parts: &Parts) -> Result<Answer, OciError> {
        let Self { digest, media_type, size } = self;
        let etag = format!("\"{digest}\"");
        let only_asks = parts.method == Method::HEAD;
        let common = [(header::ETAG, etag.clone()), (CONTENT_DIGEST, digest.to_string())];
        match condition::weigh(&parts.headers, &etag) {
            Condition::Holds => {}
            Condition::NotModified => {
                return Ok(Answer { response: super::empty(StatusCode::NOT_MODIFIED, common), part: None });
            }
            Condition::Failed => return Err(OciError::precondition_failed(&etag)),
        }
        let range = parts.headers.get(header::RANGE).and_then(|value| value.to_str().ok());
        let may_be_part = !only_asks && condition::range_applies(&parts.headers, &etag);
        let (status, part) = match wanted(range.filter(|_| may_be_part), *size) {
            Wanted::All => (StatusCode::OK, 0..*size),
            Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
            Wanted::Unsatisfiable => {
                let error = OciError::range_invalid(format!("there are {size} bytes; ask for a range within"));
                return Err(error.with_header(header::CONTENT_RANGE, format!("bytes */{size}")));
            }
        };
        let mut response = super::empty(status, common);
        let headers = response.headers_mut();
        let media_type =
            HeaderValue::from_str(media_type).expect("the registry holds four media types, all of them header values");
        headers.insert(header::CONTENT_TYPE, media_type);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if status == StatusCode::PARTIAL_CONTENT {
            let range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
            headers.insert(header::CONTENT_RANGE, HeaderValue::try_from(range).expect("numbers are header values"));
        }
        Ok(Answer { response, part: Some(part).filter(|_| !only_asks) })
    }
}

impl Answer {
    pub(super) fn with_body(self, body: Body) -> Response {
        self.response.map(|_| body)
    }
}
