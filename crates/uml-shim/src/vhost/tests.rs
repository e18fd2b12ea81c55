use super::*;

fn message(request: u32, flags: u32, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap();
    let header = [request, flags, size].map(u32::to_ne_bytes).concat();
    [header.as_slice(), payload].concat()
}

/// Takes a device through the question for its features, and returns what the kernel hears.
fn ask_for_features(fd: c_int, offered: u64) -> u64 {
    assert!(matches!(sent(fd, &message(GET_PROTOCOL_FEATURES, FLAG_VERSION, &[])), Sent::Unchanged));
    assert!(watches(fd));
    let mut header = message(GET_PROTOCOL_FEATURES, FLAG_VERSION | FLAG_REPLY, &[0; 8]);
    header.truncate(HEADER);
    received(fd, &mut header);
    let mut payload = offered.to_ne_bytes();
    received(fd, &mut payload);
    u64::from_ne_bytes(payload)
}

#[test]
fn a_memory_table_with_one_region_has_the_size_of_one() {
    let mut payload = vec![0; TWO_REGIONS as usize];
    payload[0] = 1;
    payload[8] = 9;
    let Sent::Instead(changed) = sent(10, &message(SET_MEM_TABLE, FLAG_VERSION, &payload)) else { panic!("it must change") };
    let expected = message(SET_MEM_TABLE, FLAG_VERSION, &payload[..ONE_REGION as usize]);
    assert_eq!(changed.bytes[..changed.length], expected);
}

#[test]
fn a_memory_table_with_two_regions_is_left_alone() {
    let mut payload = vec![0; TWO_REGIONS as usize];
    payload[0] = 2;
    assert!(matches!(sent(11, &message(SET_MEM_TABLE, FLAG_VERSION, &payload)), Sent::Unchanged));
}

#[test]
fn a_device_without_requests_is_described_as_one_with_them_and_never_told() {
    assert_eq!(ask_for_features(12, 0b1000), 0b1000 | BACKEND_REQ);
    let accepted = message(SET_PROTOCOL_FEATURES, FLAG_VERSION, &(0b1000 | BACKEND_REQ).to_ne_bytes());
    let Sent::Instead(changed) = sent(12, &accepted) else { panic!("it must change") };
    assert_eq!(changed.bytes[..changed.length], message(SET_PROTOCOL_FEATURES, FLAG_VERSION, &0b1000_u64.to_ne_bytes()));
    assert!(matches!(sent(12, &message(SET_BACKEND_REQ_FD, FLAG_VERSION, &[])), Sent::Swallowed));
    assert!(!watches(12), "no reply was asked for");
}

#[test]
fn a_swallowed_request_is_acknowledged_in_the_pieces_that_the_kernel_reads() {
    ask_for_features(13, 0);
    assert!(matches!(sent(13, &message(SET_BACKEND_REQ_FD, FLAG_VERSION | FLAG_NEED_REPLY, &[])), Sent::Swallowed));
    let (mut header, mut payload) = ([0; HEADER], [1; 8]);
    assert_eq!(answer(13, &mut header), Some(HEADER));
    assert_eq!(answer(13, &mut payload), Some(8));
    assert_eq!(header.to_vec(), message(SET_BACKEND_REQ_FD, FLAG_VERSION | FLAG_REPLY, &[0; 8])[..HEADER]);
    assert_eq!(payload, [0; 8]);
    assert_eq!(answer(13, &mut header), None);
}

#[test]
fn a_device_with_requests_gets_everything() {
    assert_eq!(ask_for_features(14, BACKEND_REQ), BACKEND_REQ);
    assert!(matches!(sent(14, &message(SET_BACKEND_REQ_FD, FLAG_VERSION, &[])), Sent::Unchanged));
}

#[test]
fn what_is_no_message_of_the_protocol_is_left_alone() {
    assert!(matches!(sent(15, b"short"), Sent::Unchanged));
    assert!(matches!(sent(15, &[0xff; 300]), Sent::Unchanged));
    assert!(matches!(sent(-1, &message(GET_PROTOCOL_FEATURES, FLAG_VERSION, &[])), Sent::Unchanged));
    assert!(!watches(15) && !watches(100_000));
}
