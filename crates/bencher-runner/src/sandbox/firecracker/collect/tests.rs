use std::io::Cursor;

use bencher_init::delivery::FilePath;
use proptest::prelude::*;

use super::*;

fn wanted(paths: &[&str]) -> Wanted {
    let bounds = OutputBounds { max_output_size: 10, max_files_size: 15, max_file_count: 2, max_symlinks: 1 };
    Wanted { paths: paths.iter().map(|path| (*path).to_owned()).collect(), contents: FileContents::Read, bounds }
}

fn header(total: u64, kept: u64, content: &[u8]) -> Vec<u8> {
    frame::encode(&StreamHeader { total, kept, sha256: Sha256::of(content) }).unwrap()
}

async fn read_stream(bytes: &[u8]) -> Result<CapturedStream, String> {
    stream(&mut Cursor::new(bytes), "a stream", &wanted(&[])).await.map_err(|lie| lie.to_string())
}

#[tokio::test]
async fn a_stream_is_read_as_it_was_announced() {
    let read = read_stream(&[header(100, 4, b"text"), b"text".to_vec()].concat()).await.unwrap();
    assert_eq!((&read.bytes[..], read.total), (&b"text"[..], 100));
    assert_eq!(read_stream(&header(0, 0, b"")).await.unwrap(), CapturedStream::default());
}

#[tokio::test]
async fn a_stream_that_is_not_what_was_announced_is_refused() {
    let check = async |bytes: Vec<u8>, expected: &str| assert_eq!(read_stream(&bytes).await.unwrap_err(), expected);
    check(header(u64::MAX, u64::MAX, b""), "it announced 18446744073709551615 of a stream, at most 10 were asked for").await;
    check(header(3, 4, b"text"), "it kept 4 bytes of a stream of 3").await;
    check([header(4, 4, b"text"), b"tex".to_vec()].concat(), "the connection ended within a stream").await;
    check([header(4, 4, b"text"), b"test".to_vec()].concat(), "what it sent of a stream does not have the digest it announced")
        .await;
    check([header(4, 4, b"text"), b"text!".to_vec()].concat(), "it sent more than it announced of a stream").await;
    check(vec![0xff; 4], "a frame of 4294967295 bytes was announced, at most 65536 are read").await;
    check(Vec::new(), "the connection ended within a frame").await;
}

fn entry(path: &[u8], outcome: FileOutcome) -> Vec<u8> {
    frame::encode(&FileEntry { path: FilePath(path.to_vec()), outcome }).unwrap()
}

fn file(path: &[u8], content: &[u8]) -> Vec<u8> {
    let outcome = FileOutcome::Contents { size: content.len() as u64, sha256: Sha256::of(content) };
    [entry(path, outcome), content.to_vec()].concat()
}

async fn read_files(paths: &[&str], entries: &[Vec<u8>]) -> Result<Files, String> {
    let count = frame::encode(&FilesHeader { count: u32::try_from(entries.len()).unwrap() }).unwrap();
    let bytes = [count, entries.concat()].concat();
    files(&mut Cursor::new(bytes), &wanted(paths)).await.map_err(|lie| lie.to_string())
}

#[tokio::test]
async fn files_are_read_with_what_became_of_the_others() {
    let missing = entry(b"none", FileOutcome::Skipped { reason: SkippedFor::Unreadable { errno: 13 } });
    let read = read_files(&["a", "b-*", "none"], &[file(b"a", b"one"), file(b"b-\xff", b"\xff"), missing]).await.unwrap();
    assert_eq!(read.files["a"].bytes, &b"one"[..]);
    assert_eq!(read.files["b-\\xff"].bytes, &b"\xff"[..]);
    let reason = SkipReason::Unreadable(std::io::ErrorKind::PermissionDenied);
    assert_eq!(read.skipped, [SkippedFile { path: "none".to_owned(), reason }]);
}

#[tokio::test]
async fn files_beyond_what_was_asked_for_are_refused() {
    let check = async |paths: &[&str], entries: &[Vec<u8>], expected: &str| {
        assert_eq!(read_files(paths, entries).await.unwrap_err(), expected);
    };
    check(&["a"], &[file(b"/etc/shadow", b"")], "it sent the file `/etc/shadow`, which was not asked for").await;
    check(&["*"], &[file(b"a", b"12345678901")], "it announced 11 of a file's bytes, at most 10 were asked for").await;
    let full = [file(b"a", b"1234567890"), file(b"b", b"123456")];
    check(&["*"], &full, "it announced 6 of a file's bytes, at most 5 were asked for").await;
    check(&["*"], &[file(b"a", b""), file(b"a", b"")], "it sent `a` twice").await;
    let three = [file(b"a", b""), file(b"b", b""), file(b"c", b"")];
    check(&["*"], &three, "it announced 3 of files, at most 2 were asked for").await;
    let four = [three.as_slice(), &[file(b"d", b"")]].concat();
    check(&["*"], &four, "it announced 4 of files, at most 3 were asked for").await;
    check(&[], &[file(b"a", b"")], "it announced 1 of files, at most 0 were asked for").await;
    let long = vec![b'x'; 5000];
    check(&["*"], &[file(&long, b"")], "it announced 5000 of paths, at most 4096 were asked for").await;
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic_or_keep_more_than_its_bounds(bytes in proptest::collection::vec(any::<u8>(), 0..300), json in ".{0,80}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let framed = [u32::try_from(json.len()).unwrap().to_le_bytes().as_slice(), json.as_bytes(), &bytes].concat();
        for bytes in [bytes, framed] {
            runtime.block_on(async {
                if let Ok(read) = read_stream(&bytes).await {
                    assert!(read.bytes.len() <= 10);
                }
                let _ = files(&mut Cursor::new(&bytes), &wanted(&["*"])).await;
            });
        }
    }
}
