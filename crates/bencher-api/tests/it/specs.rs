//! `/v0/specs`.

use reqwest::{Method, StatusCode};

use crate::support::TestServer;

#[tokio::test]
async fn specs_are_for_admins() {
    let server = TestServer::start().await;
    // 400, not 401, is what clients of the v0.6 series expect where no credentials were sent.
    assert_eq!(server.send(Method::GET, "/v0/specs", None, None).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(server.send(Method::GET, "/v0/specs", Some("nonsense"), None).await.0, StatusCode::UNAUTHORIZED);
}
