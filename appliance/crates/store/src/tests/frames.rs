//! Frames, whole and broken.

use proptest::prelude::*;

use crate::frame::{Frame, FrameError, HEADER_LEN, MAX_PAYLOAD_LEN, decode, encode};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_frame_comes_back_as_it_went_in(
        table: u8,
        number: u64,
        key in prop::collection::vec(any::<u8>(), 0..100),
        payload in prop::collection::vec(any::<u8>(), 0..300),
        tail in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let frame = Frame { table, key: &key, number, payload: &payload };
        let mut bytes = encode(frame);
        bytes.extend(tail);
        prop_assert_eq!(decode(&bytes), Ok(frame));
    }

    #[test]
    fn a_frame_with_a_flipped_bit_or_cut_short_is_never_taken_for_whole(
        key in prop::collection::vec(any::<u8>(), 0..20),
        payload in prop::collection::vec(any::<u8>(), 0..60),
        place: prop::sample::Index,
        bit in 0..8,
    ) {
        let bytes = encode(Frame { table: 2, key: &key, number: 7, payload: &payload });
        let at = place.index(bytes.len());
        let mut flipped = bytes.clone();
        flipped[at] ^= 1_u8 << bit;
        prop_assert!(decode(&flipped).is_err());
        prop_assert!(decode(&bytes[..at]).is_err());
    }

    #[test]
    fn any_bytes_are_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(decode(&bytes).is_err());
        let mut with_magic = b"kbx\xF1".to_vec();
        with_magic.extend(bytes);
        prop_assert!(decode(&with_magic).is_err());
    }
}

#[test]
fn a_frame_that_announces_too_much_is_refused_before_it_is_read() {
    let mut bytes = encode(Frame { table: 2, key: b"k", number: 7, payload: b"{}" });
    bytes[8..12].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(decode(&bytes), Err(FrameError::Truncated));
    bytes[8..12].copy_from_slice(&(u32::try_from(MAX_PAYLOAD_LEN).unwrap() + 1).to_be_bytes());
    assert_eq!(decode(&bytes), Err(FrameError::Truncated));
    assert!(bytes.len() > HEADER_LEN);
}
