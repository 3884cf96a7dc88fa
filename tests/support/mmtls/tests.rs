//! Lengths as measured, and the layout of a reference capture byte for byte where a byte is no secret.

use std::path::Path;

use super::*;

fn installation() -> (Installation, Prng) {
    let mut rng = Prng::new(11);
    (Installation::new("android-34", &mut rng), rng)
}

#[test]
fn lengths_that_were_measured() {
    let (app, mut rng) = installation();
    let at = Timestamp::from_secs_nanos(1_772_524_800, 0);
    for (start, client, server) in [(Start::Resume, 161, 46), (Start::Refresh, 366, 137), (Start::New, 221, 137)] {
        assert_eq!(app.hello(start, at, &mut rng).len(), client);
        assert_eq!(app.server_hello(start, &mut rng).len(), server);
    }
    assert_eq!(app.heartbeat(&mut rng).len(), 37);
    assert_eq!(app.short_body(Start::Resume, at, AUTOAUTH, &mut rng).len(), 5704);
}

#[test]
fn the_legacy_header_ends_where_it_says() {
    let (app, mut rng) = installation();
    let request = legacy_request("short.weixin.qq.com", "rtkvreport", 716, app.account, 312, &mut rng);
    let at = request.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let (header, sealed) = request[at..].split_at(usize::from(request[at] >> 2));
    assert_eq!((header.len(), sealed.len()), (35, 320));
    assert!(header.ends_with(&[0xcc, 5, 0xf0, 4, 0xb8, 2, 0xc4, 0xdd, 1, 2]));
}

#[test]
fn a_disguise_is_never_a_record() {
    let (_, mut rng) = installation();
    for _ in 0..200 {
        let request = disguise_request("short.weixin.qq.com", 64, &mut rng);
        let at = request.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        assert!(request[at] < 0x10);
    }
}

/// The payloads of the reference capture, by client port, in order.
fn reference(port: u16) -> Option<Vec<Vec<u8>>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures/wechat/synthetic-mmtls.pcap");
    let Ok(mut capture) = pcap::Capture::from_file(&path) else {
        eprintln!("skipped: {} is missing", path.display());
        return None;
    };
    let mut payloads = Vec::new();
    while let Ok(packet) = capture.next_packet() {
        let ip = &packet.data[14..];
        let (header, end) = if ip[0] >> 4 == 4 {
            (20, usize::from(ip[2]) << 8 | usize::from(ip[3]))
        } else {
            (40, 40 + (usize::from(ip[4]) << 8 | usize::from(ip[5])))
        };
        let tcp = &ip[header..end];
        let data = &tcp[usize::from(tcp[12] >> 4) * 4..];
        if tcp[..2] == port.to_be_bytes() && !data.is_empty() {
            payloads.push(data.to_vec());
        }
    }
    Some(payloads)
}

/// Where runs with different secrets agree, the reference must agree too.
fn same_layout(reference: &[u8], make: impl Fn(&Installation, &mut Prng) -> Vec<u8>) {
    let runs = [1, 2, 3, 4, 5].map(|seed| {
        let mut rng = Prng::new(seed);
        make(&Installation::new("android-34", &mut rng), &mut rng)
    });
    assert_eq!(runs[0].len(), reference.len());
    let fixed = |i: &usize| runs.iter().all(|r| r[*i] == runs[0][*i]);
    assert!((0..reference.len()).filter(fixed).count() >= 50);
    for i in (0..reference.len()).filter(fixed) {
        assert_eq!(runs[0][i], reference[i], "byte {i}");
    }
}

#[test]
fn hellos_of_the_reference_capture() {
    for (port, start, secs) in
        [(40_001, Start::Resume, 0x6774_8581), (40_002, Start::New, 0x6774_8582), (40_014, Start::Refresh, 0x6774_858e)]
    {
        let at = Timestamp::from_secs_nanos(secs, 0);
        let Some(payloads) = reference(port) else { return };
        same_layout(&payloads[0], |app, rng| app.record(kind::HANDSHAKE, &app.hello(start, at, rng)));
    }
}

#[test]
fn alert_and_old_version_of_the_reference_capture() {
    let Some(payloads) = reference(40_012) else { return };
    let at = Timestamp::from_secs_nanos(0x6774_858c, 0);
    same_layout(&payloads[0], |app, rng| {
        let app = Installation { version: Version::F103, ..app.clone() };
        app.record(kind::HANDSHAKE, &app.hello(Start::Resume, at, rng))
    });
    assert_eq!(installation().0.unknown_ticket(), crate::hex("15f1040007 00000003 0073 02"));
}
