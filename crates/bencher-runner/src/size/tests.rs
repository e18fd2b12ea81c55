use super::ByteSize;

#[test]
fn sizes_read_as_people_type_them() {
    for (text, bytes) in
        [("0", 0), ("26214400", 25 << 20), ("25MiB", 25 << 20), ("1 GiB", 1 << 30), ("2TiB", 2 << 40), ("4KiB", 4096)]
    {
        assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
    }
    for text in ["", "-1", "1MB", "MiB", "1.5GiB", "99999999999999TiB"] {
        assert!(text.parse::<ByteSize>().is_err(), "{text}");
    }
}

#[test]
fn sizes_are_shown_as_short_as_is_exact() {
    assert_eq!(ByteSize(25 << 20).to_string(), "25MiB");
    assert_eq!(ByteSize(1500).to_string(), "1500");
}
