use proptest::prelude::*;

use super::*;
use crate::config::{Bounds, FileContents, Token};

fn config() -> GuestConfig {
    GuestConfig {
        version: crate::PROTOCOL_VERSION,
        token: Token([1; 16]),
        hostname: "bench".into(),
        args: vec!["/bin/true".into()],
        env: vec![("SECRET".into(), "hidden".into())],
        working_dir: "/".into(),
        user: None,
        rlimits: Vec::new(),
        max_pids: Some(100),
        bounds: Bounds { max_output_size: 1, max_files_size: 2, max_file_count: 3, max_symlinks: 4 },
        file_paths: Vec::new(),
        file_contents: FileContents::Read,
        grace_period_ms: 1000,
        live: false,
        network: None,
    }
}

#[test]
fn a_configuration_comes_back_from_whole_sectors() {
    let bytes = encode(&config()).unwrap();
    assert_eq!(bytes.len() % SECTOR, 0);
    assert_eq!(read(&mut bytes.as_slice()).unwrap(), config());
}

#[test]
fn every_damaged_byte_of_it_is_noticed() {
    let whole = encode(&config()).unwrap();
    let end = 48 + serde_json::to_vec(&config()).unwrap().len();
    for at in 0..end {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        assert!(read(&mut bytes.as_slice()).is_err(), "byte {at}");
    }
}

#[test]
fn the_values_of_the_environment_are_in_no_debug_text() {
    let text = format!("{:?}", config());
    assert!(text.contains("SECRET") && !text.contains("hidden"), "{text}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        assert!(read(&mut bytes.as_slice()).is_err());
    }
}
