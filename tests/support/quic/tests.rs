//! The vectors of RFC 9001 appendix A and RFC 9369 appendix A.

use super::*;
use crate::hex;

const DCID: &str = "8394c8f03e515708";

/// The ClientHello in a CRYPTO frame of RFC 9001 appendix A.2.
const CRYPTO: &str = "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c00000\
    0010000e00000b6578616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e000500050100000000\
    003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e\
    0403050306030203080408050806002d00020101001c00024001003900320408ffffffffffffffff05048000ffff07048000ffff080110\
    0104800075300901100f088394c8f03e51570806048000ffff";

fn material(version: Version, from: Side) -> [String; 3] {
    Keys::material(version, &hex(DCID), from).map(|bytes| bytes.iter().map(|b| format!("{b:02x}")).collect())
}

#[test]
fn keys_of_rfc_9001_appendix_a1() {
    assert_eq!(
        material(Version::V1, Side::Client),
        ["1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c", "9f50449e04a0e810283a1e9933adedd2"]
    );
    assert_eq!(
        material(Version::V1, Side::Server),
        ["cf3a5331653c364c88f0f379b6067e37", "0ac1493ca1905853b0bba03e", "c206b8d9b9f0f37644430b490eeaa314"]
    );
}

#[test]
fn keys_of_rfc_9369_appendix_a1() {
    assert_eq!(
        material(Version::V2, Side::Client),
        ["8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f", "45b95e15235d6f45a6b19cbcb0294ba9"]
    );
}

fn rfc_initial(version: Version) -> Vec<u8> {
    let packet = Packet { number: 2, number_len: 4, frames: hex(CRYPTO), ..Packet::initial(version, &hex(DCID), &[]) };
    packet.seal(&Keys::new(version, &hex(DCID), Side::Client), 1200)
}

#[test]
fn client_initial_of_rfc_9001_appendix_a2() {
    let packet = rfc_initial(Version::V1);
    assert_eq!(packet.len(), 1200);
    assert!(packet.starts_with(&hex("c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11d242b123dc9bd8bab936b47d92ec356c")));
    assert!(packet.ends_with(&hex("e221af44860018ab0856972e194cd934")));
}

#[test]
fn client_initial_of_rfc_9369_appendix_a2() {
    let packet = rfc_initial(Version::V2);
    assert_eq!(packet.len(), 1200);
    assert!(packet.starts_with(&hex("d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485")));
}

#[test]
fn integers_of_rfc_9000_appendix_a1() {
    for (value, bytes) in [(37, "25"), (15_293, "7bbd"), (494_878_333, "9d7f3e7d"), (151_288_809_941_952_652, "c2197c5eff14e88c")] {
        assert_eq!(varint(value), hex(bytes));
    }
}

#[test]
fn a_big_hello_takes_two_full_datagrams() {
    let mut rng = Prng::new(6);
    let hello = ClientHello::quic("www.kestrel.example", &[], true, &mut rng).message();
    for chunk in [usize::MAX, 300, 7] {
        let shape = Shape { chunk, shuffled: chunk == 300, ..Shape::default() };
        let datagrams = initials(&Packet::initial(Version::V1, &hex(DCID), &[]), &hello, shape, &mut rng);
        assert!(datagrams.len() >= 2 && datagrams.iter().all(|d| d.len() == 1200), "{chunk}: {}", datagrams.len());
    }
}
