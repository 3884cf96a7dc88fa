//! Vectors of the RFCs.

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ascii"), 16).expect("hex")).collect()
}

#[test]
fn varints_of_rfc_9000() {
    for (bytes, value) in
        [("c2197c5eff14e88c", 151_288_809_941_952_652), ("9d7f3e7d", 494_878_333), ("7bbd", 15_293), ("25", 37), ("4025", 37)]
    {
        assert_eq!(varint(&hex(bytes)), Some((value, &[][..])), "{bytes}");
    }
    assert_eq!(varint(&[0xc0]), None);
}

#[test]
fn headers_never_reach_beyond_their_bytes() {
    let mut packet = hex("c000000001088394c8f03e5157080000449e");
    packet.resize(packet.len() + 1182, 0);
    let header = LongHeader::parse(&packet).expect("a header");
    assert_eq!((header.kind, header.dcid, header.number_at, header.end), (Kind::Initial, &hex("8394c8f03e515708")[..], 18, 1200));
    for cut in 0..packet.len() {
        assert!(LongHeader::parse(&packet[..cut]).is_none(), "{cut}");
    }
}

/// RFC 9001 appendix A.1 and RFC 9369 appendix A.1.
#[test]
fn initial_keys_of_the_rfcs() {
    let dcid = hex("8394c8f03e515708");
    for (version, secret, key, iv, hp) in [
        (
            Version::V1,
            "c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea",
            "1f369613dd76d5467730efcbe3b1a22d",
            "fa044b2f42a3fd3b46fb255c",
            "9f50449e04a0e810283a1e9933adedd2",
        ),
        (
            Version::V2,
            "14ec9d6eb9fd7af83bf5a668bc17a7e283766aade7ecd0891f70f9ff7f4bf47b",
            "8b1a0bc121284290a29e0971b5cd045d",
            "91f73e2351d8fa91660e909f",
            "45b95e15235d6f45a6b19cbcb0294ba9",
        ),
    ] {
        let (client, made_key, made_iv, made_hp) = keys::secrets(version, &dcid).expect("derived");
        assert_eq!(
            (client.to_vec(), made_key.to_vec(), made_iv.to_vec(), made_hp.to_vec()),
            (hex(secret), hex(key), hex(iv), hex(hp)),
            "{version:?}"
        );
    }
}

#[test]
fn crypto_frames_in_any_order_and_with_lies() {
    #[derive(Default)]
    struct Count(usize, Vec<Limit>);
    impl Sink for Count {
        fn emit(&mut self, _record: &dyn crate::record::Record) {
            self.0 += 1;
        }
        fn limit(&mut self, limit: Limit) {
            self.1.push(limit);
        }
        fn blind(&mut self, _blind: Blind) {}
    }
    // A minimal hello: version, random, no session, one suite, no compression methods, no extensions.
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0, 0, 0]].concat();
    let hello = [&[1, 0, 0, u8::try_from(body.len()).expect("short")][..], &body].concat();
    let piece = |from: usize, to: usize| {
        [&[6, u8::try_from(from).expect("short"), u8::try_from(to - from).expect("short")][..], &hello[from..to]].concat()
    };
    let mut quic = Quic::default();
    let mut sink = Count::default();
    quic.frames(&[vec![0, 0, 1], piece(30, hello.len()), vec![2, 5, 0, 0, 5], piece(10, 31)].concat(), &mut sink);
    assert_eq!(sink.0, 0, "a gap never yields a hello");
    quic.frames(&piece(0, 10), &mut sink);
    assert_eq!(sink.0, 1);
    quic.frames(&piece(0, 10), &mut sink);
    assert_eq!(sink.0, 1, "a retransmission is not another hello");
    assert_eq!(quic.held(), 0, "what was read is not kept");
    let second = [&[6, u8::try_from(hello.len()).expect("short"), u8::try_from(hello.len()).expect("short")][..], &hello].concat();
    quic.frames(&second, &mut sink);
    assert_eq!(sink.0, 2, "a second hello (RFC 8446 section 4.1.4) goes on where the first ended");
    let far = [&[6][..], &[0xff; 8], &[2, 1, 2]].concat();
    quic.frames(&far, &mut sink);
    assert_eq!(sink.1, [Limit::QuicCrypto]);
    assert!(quic.held() < 1_024, "an offset near 2^62 allocates nothing");
}

#[test]
fn padding_is_stepped_over_and_nothing_else() {
    for zeros in 0..40 {
        for tail in [&[][..], &[6], &[6, 0, 0], &[0xff; 20]] {
            let bytes = [&vec![0; zeros][..], tail].concat();
            assert_eq!(unpadded(&bytes), tail, "{zeros}");
        }
    }
}

/// Sixty thousand connections that say nothing behind their hello are in memory at the same time.
#[test]
fn keys_of_a_connection_are_small() {
    assert!(size_of::<(Cid, Keys)>() <= 72, "{}", size_of::<(Cid, Keys)>());
    assert!(Cid::new(&[7; 21]).is_none());
    let cid = Cid::new(&[7; 8]).expect("an ID");
    assert!(cid.is(&[7; 8]) && !cid.is(&[7; 9]) && !cid.is(&[7; 7]) && !cid.is(&[]));
}

#[test]
fn any_bytes() {
    use proptest::prelude::*;
    proptest!(|(bytes in proptest::collection::vec(any::<u8>(), 0..200), version in proptest::sample::select(vec![1u32, 0x6b33_43cf, 0xff00_001d, 0x1a2a_3a4a]))| {
        let mut packet = bytes.clone();
        if packet.len() > 5 {
            packet[0] |= 0x80;
            packet[1..5].copy_from_slice(&version.to_be_bytes());
        }
        let _ = LongHeader::parse(&packet);
        let header = LongHeader::parse(&packet);
        if let (Some(header), Some(keys)) = (header, Keys::derive(Version::V1, &[1, 2, 3])) {
            prop_assert!(keys.open(&header, &packet, &mut vec![0; packet.len()]).is_none());
        }
    });
}
