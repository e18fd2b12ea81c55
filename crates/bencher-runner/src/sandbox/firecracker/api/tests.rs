use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixListener,
};

use super::*;

/// Answers each request with the next text, as Firecracker writes it: no reason phrase, no length where there is no body.
fn serve(answers: &'static [&'static str]) -> (tempfile::TempDir, std::thread::JoinHandle<String>) {
    let dir = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(dir.path().join("api.sock")).unwrap();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut heard = String::new();
        for answer in answers {
            let mut chunk = [0; 4096];
            let read = stream.read(&mut chunk).unwrap();
            heard.push_str(std::str::from_utf8(&chunk[..read]).unwrap());
            stream.write_all(answer.as_bytes()).unwrap();
        }
        heard
    });
    (dir, served)
}

const NO_CONTENT: &str = "HTTP/1.1 204 \r\nServer: Firecracker API\r\nConnection: keep-alive\r\n\r\n";
const FAULT: &str = "HTTP/1.1 400 \r\nServer: Firecracker API\r\nConnection: keep-alive\r\nContent-Type: application/json\r\n\
                     Content-Length: 42\r\n\r\n{\"fault_message\":\"PCI is not enabled\"}    ";

#[tokio::test]
async fn requests_share_one_connection_and_faults_are_told() {
    let (dir, served) = serve(&[NO_CONTENT, FAULT, NO_CONTENT, NO_CONTENT]);
    let mut api = Api::connect(&dir.path().join("api.sock")).await.unwrap();
    api.vsock(&Vsock { guest_cid: 3, uds_path: "v.sock" }).await.unwrap();
    let drive = Drive { drive_id: "disk", path_on_host: "disk", is_root_device: false, is_read_only: false };
    let error = api.drive(&drive).await.unwrap_err().to_string();
    assert_eq!(error, "PUT /drives/disk was refused (400 Bad Request): PCI is not enabled");
    api.serial(&Serial { rate_limiter: TokenBucket { size: 5, refill_time: 1000 } }).await.unwrap();
    api.action(Action::SendCtrlAltDel).await.unwrap();
    let heard = tokio::task::spawn_blocking(|| served.join().unwrap()).await.unwrap();
    assert!(heard.contains("PUT /vsock HTTP/1.1\r\n") && heard.contains(r#"{"guest_cid":3,"uds_path":"v.sock"}"#), "{heard}");
    assert!(heard.contains(r#"{"rate_limiter":{"size":5,"refill_time":1000}}"#), "{heard}");
    assert!(heard.ends_with(r#"{"action_type":"SendCtrlAltDel"}"#), "{heard}");
}

#[tokio::test]
async fn a_socket_that_closes_or_talks_nonsense_is_an_error() {
    for answer in [&[""] as &[&str], &["hello\r\n\r\n"]] {
        let (dir, served) = serve(answer);
        let mut api = Api::connect(&dir.path().join("api.sock")).await.unwrap();
        let error = api.action(Action::InstanceStart).await.unwrap_err();
        assert_eq!(error.to_string(), "PUT /actions got no answer");
        served.join().unwrap();
    }
    assert!(matches!(Api::connect(Path::new("/nowhere/api.sock")).await, Err(ApiError::Connect(_))));
}
