use super::*;

fn from_json(text: &str) -> DateTime {
    serde_json::from_value(text.into()).unwrap()
}

#[test]
fn a_time_in_json_is_the_time_in_the_text_to_the_microsecond() {
    for text in ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00.123456789Z", "1969-12-31T23:59:59.999999999Z"] {
        let time = from_json(text);
        assert_eq!(text.parse().ok(), Some(time));
        assert_eq!(DateTime::from_micros(time.as_micros()), Ok(time));
    }
    assert_eq!(serde_json::to_value(from_json("2024-01-01T00:00:00.123456789Z")).unwrap(), "2024-01-01T00:00:00.123456Z");
}

#[test]
fn every_time_that_is_read_survives_the_database() {
    for text in ["9999-12-30T22:00:00.999999999Z", "9999-12-30T22:00:00.5Z", "-009999-01-02T01:59:59Z"] {
        let time = from_json(text);
        assert_eq!(DateTime::from_micros(time.as_micros()), Ok(time), "{text}");
    }
    assert_eq!(DateTime::from_micros(i64::MAX), Err(OutOfRange(i64::MAX)));
    assert_eq!(DateTime::from_micros(i64::MIN), Err(OutOfRange(i64::MIN)));
}
