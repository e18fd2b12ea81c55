//! Random sequences of operations on uploads, against a model that is a list of byte strings.

use std::sync::Arc;

use axum::body::Body;
use bencher_api::{app::App, clock::Clock, http};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use proptest::{
    prelude::*,
    test_runner::{Config as ProptestConfig, TestRunner},
};
use reqwest::Method;
use tower::ServiceExt as _;

use super::{bytes, keeper, sha256};
use crate::support::TestServer;

/// Where a chunk says that it begins.
#[derive(Clone, Copy, Debug)]
enum Start {
    Unsaid,
    Right,
    /// This many bytes too late.
    Off(usize),
}

#[derive(Clone, Debug)]
enum Operation {
    Begin,
    Append { upload: usize, start: Start, len: usize, cut: Option<usize> },
    Finish { upload: usize, tail: usize, digest: Truth },
    Cancel { upload: usize },
    Ask { upload: usize },
    Restart,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    Right,
    Wrong,
}

fn operation() -> impl Strategy<Value = Operation> {
    let start = prop_oneof![2 => Just(Start::Unsaid), 4 => Just(Start::Right), 1 => (1_usize..50).prop_map(Start::Off)];
    let cut = prop_oneof![4 => Just(None), 1 => (0_usize..3000).prop_map(Some)];
    let truth = prop_oneof![4 => Just(Truth::Right), 1 => Just(Truth::Wrong)];
    prop_oneof![
        2 => Just(Operation::Begin),
        8 => (0_usize..4, start, 0_usize..3000, cut)
            .prop_map(|(upload, start, len, cut)| Operation::Append { upload, start, len, cut }),
        3 => (0_usize..4, 0_usize..2000, truth).prop_map(|(upload, tail, digest)| Operation::Finish { upload, tail, digest }),
        1 => (0_usize..4).prop_map(|upload| Operation::Cancel { upload }),
        2 => (0_usize..4).prop_map(|upload| Operation::Ask { upload }),
        1 => Just(Operation::Restart),
    ]
}

/// An upload as it should be.
struct Upload {
    path: String,
    content: Vec<u8>,
    open: bool,
}

/// The server and what it should hold.
struct World {
    app: Arc<App>,
    token: String,
    repository: String,
    uploads: Vec<Upload>,
    seed: u64,
}

impl World {
    async fn send(&self, method: Method, path: &str, range: Option<String>, body: Body) -> (u16, String, String, Bytes) {
        let mut request =
            ::http::Request::builder().method(method).uri(path).header("authorization", format!("Bearer {}", self.token));
        if let Some(range) = range {
            request = request.header("content-range", range);
        }
        let request = request.body(body).unwrap();
        let response = http::service(self.app.clone()).oneshot(request).await.unwrap();
        let header = |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let (status, location, range) = (response.status().as_u16(), header("location"), header("range"));
        (status, location, range, response.into_body().collect().await.unwrap().to_bytes())
    }

    fn fresh(&mut self, len: usize) -> Vec<u8> {
        self.seed += 1;
        bytes(len, self.seed)
    }

    async fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Begin => {
                let path = format!("/v2/{}/blobs/uploads/", self.repository);
                let (status, location, _, _) = self.send(Method::POST, &path, None, Body::empty()).await;
                assert_eq!(status, 202);
                self.uploads.push(Upload { path: location, content: Vec::new(), open: true });
            }
            Operation::Restart => self.app = App::open(self.app.config.clone(), Clock::System).await.unwrap(),
            Operation::Append { upload, start, len, cut } if upload < self.uploads.len() => {
                self.append(upload, start, len, cut).await;
            }
            Operation::Finish { upload, tail, digest } if upload < self.uploads.len() => {
                self.finish(upload, tail, digest).await;
            }
            Operation::Cancel { upload } if upload < self.uploads.len() => {
                let (status, ..) = self.send(Method::DELETE, &self.uploads[upload].path, None, Body::empty()).await;
                assert_eq!(status, if self.uploads[upload].open { 204 } else { 404 });
                self.uploads[upload].open = false;
            }
            Operation::Ask { upload } if upload < self.uploads.len() => self.ask(upload).await,
            Operation::Append { .. } | Operation::Finish { .. } | Operation::Cancel { .. } | Operation::Ask { .. } => {}
        }
    }

    async fn append(&mut self, upload: usize, start: Start, len: usize, cut: Option<usize>) {
        let data = self.fresh(len);
        let Upload { path, content, open } = &self.uploads[upload];
        let offset = content.len();
        let start = match start {
            Start::Right if len > 0 => Some(offset),
            Start::Off(by) if len > 0 => Some(offset + by),
            _ => None,
        };
        let range = start.map(|start| format!("{start}-{}", start + len - 1));
        let kept = cut.unwrap_or(len).min(len);
        // Small frames, and after the last one that arrives, the connection breaks.
        let mut frames: Vec<std::io::Result<Bytes>> =
            data[..kept].chunks(700).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
        if cut.is_some() {
            frames.push(Err(std::io::Error::other("cut")));
        }
        let body = Body::from_stream(futures::stream::iter(frames));
        let (status, _, shown, _) = self.send(Method::PATCH, path, range, body).await;
        let expected = match (*open, start, cut) {
            (false, ..) => 404,
            (true, Some(start), _) if start != offset => 416,
            (true, _, Some(_)) => 400,
            (true, _, None) => 202,
        };
        assert_eq!(status, expected);
        if matches!(expected, 202 | 400) {
            self.uploads[upload].content.extend_from_slice(&data[..kept]);
        }
        if matches!(expected, 202 | 416) {
            assert_eq!(shown, format!("0-{}", self.uploads[upload].content.len().saturating_sub(1)));
        }
    }

    async fn finish(&mut self, upload: usize, tail: usize, truth: Truth) {
        let data = self.fresh(tail);
        let Upload { path, content, open } = &self.uploads[upload];
        let whole = [&**content, &data].concat();
        let digest = if truth == Truth::Right { sha256(&whole) } else { sha256(b"wrong") };
        let (status, ..) = self.send(Method::PUT, &format!("{path}?digest={digest}"), None, Body::from(data)).await;
        assert_eq!(
            status,
            if !open {
                404
            } else if truth == Truth::Right {
                201
            } else {
                400
            }
        );
        let blob = format!("/v2/{}/blobs/{digest}", self.repository);
        let (found, _, _, body) = self.send(Method::GET, &blob, None, Body::empty()).await;
        if status == 201 {
            assert_eq!((found, &*body), (200, &*whole));
        } else if truth == Truth::Wrong {
            assert_eq!(found, 404);
        }
        self.uploads[upload].open = false;
    }

    async fn ask(&self, upload: usize) {
        let Upload { path, content, open } = &self.uploads[upload];
        let (status, _, range, _) = self.send(Method::GET, path, None, Body::empty()).await;
        if *open {
            assert_eq!((status, range), (204, format!("0-{}", content.len().saturating_sub(1))));
        } else {
            assert_eq!(status, 404);
        }
    }

    async fn check_files(&self, server: &TestServer) {
        let open = self.uploads.iter().filter(|upload| upload.open).count();
        assert_eq!(server.spooled(), open, "a file for each upload that goes on, and no more");
        for upload in self.uploads.iter().filter(|upload| upload.open) {
            self.send(Method::DELETE, &upload.path, None, Body::empty()).await;
        }
    }
}

#[test]
fn uploads_behave_as_lists_of_bytes_do() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (server, user) = runtime.block_on(async {
        let server = TestServer::start().await;
        let user = keeper(&server).await;
        (server, user)
    });
    let config = ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    let case = std::cell::Cell::new(0);
    let run = TestRunner::new(config).run(&proptest::collection::vec(operation(), 1..30), |operations| {
        case.set(case.get() + 1);
        runtime.block_on(async {
            let mut world = World {
                app: server.app.clone(),
                token: user.token.clone(),
                repository: format!("shop/case{}", case.get()),
                uploads: Vec::new(),
                seed: case.get() * 1000,
            };
            for operation in operations {
                world.apply(operation).await;
            }
            world.check_files(&server).await;
        });
        Ok(())
    });
    run.unwrap();
}
