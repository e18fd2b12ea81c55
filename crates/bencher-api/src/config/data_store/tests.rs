use super::{DataStore, Place, S3};

fn s3(access_point: &str) -> S3 {
    S3 {
        access_key_id: "id".to_owned(),
        secret_access_key: bencher_types::Secret::new("hunter2"),
        access_point: access_point.to_owned(),
        chunk_size: None,
        region: None,
        endpoint: None,
    }
}

#[track_caller]
fn check(access_point: &str, expected: Option<(&str, Option<&str>, &str, &str)>) {
    let expected = expected.map(|(bucket, host, region, prefix)| Place {
        bucket: bucket.to_owned(),
        host: host.map(str::to_owned),
        region: region.to_owned(),
        prefix: prefix.to_owned(),
    });
    assert_eq!(s3(access_point).place(), expected, "{access_point}");
}

#[test]
fn an_access_point_is_an_arn_or_a_name_with_or_without_a_folder() {
    check("bench", Some(("bench", None, "us-east-1", "")));
    check("bench/blobs/of/ours/", Some(("bench", None, "us-east-1", "blobs/of/ours")));
    check("arn:aws:s3:::bench/blobs", Some(("bench", None, "us-east-1", "blobs")));
    let host = Some("bench-123456789012.s3-accesspoint.eu-central-1.amazonaws.com");
    check("arn:aws:s3:eu-central-1:123456789012:accesspoint/bench", Some(("bench", host, "eu-central-1", "")));
    check("arn:aws:s3:eu-central-1:123456789012:accesspoint/bench/a/b", Some(("bench", host, "eu-central-1", "a/b")));
    for nothing in
        ["", "x", "/bench", "arn:", "arn:aws:s3", "arn:aws:ec2:::bench", "arn:aws:s3:::", "a bucket", "arn:aws:s3:::bench?"]
    {
        check(nothing, None);
    }
    check("arn:aws:s3::123:accesspoint/bench", None);
    check("arn:aws:s3:eu-central-1:evil.example:accesspoint/bench", None);
}

#[test]
fn parts_are_of_a_size_that_the_protocol_allows() {
    for (chunk_size, expected) in [(None, 8 << 20), (Some(1), 5 << 20), (Some(16 << 20), 16 << 20), (Some(u64::MAX), 64 << 20)] {
        assert_eq!(S3 { chunk_size, ..s3("bench") }.part_bytes(), expected);
    }
}

#[test]
fn a_secret_is_in_no_debug_text() {
    assert!(!format!("{:?}", DataStore::AwsS3(s3("bench"))).contains("hunter2"));
}
