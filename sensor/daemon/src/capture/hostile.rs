//! Files that are cut, that lie, that bomb: what must hold for each, and that every whole frame is delivered.

use super::pcap::Order;
use super::samples::*;
use super::*;
use crate::cli::Failure;

const ETHERNET: u16 = 1;

fn error(bytes: &[u8]) -> Failure {
    match read(bytes, 1 << 16) {
        Ok(read) => panic!("no error, but {read:?}"),
        Err(error) => error.into(),
    }
}

#[test]
fn reads_pcap_of_every_kind() {
    for (order, magic, ticks) in [
        (Order::Little, 0xa1b2_c3d4, 1_000),
        (Order::Big, 0xa1b2_c3d4, 1_000),
        (Order::Little, 0xa1b2_3c4d, 1),
        (Order::Big, 0xa1b2_3c4d, 1),
    ] {
        let frames = clean(&Bytes::new(order).pcap(magic, (2, 4), 0x5400_0001).record((10, 20), 99, &[7; 60]).out);
        let expect = Owned { nanos: 10_000_000_000 + 20 * ticks, link_type: ETHERNET, interface: 0, bytes: vec![7; 60], wire_len: 99 };
        assert_eq!(frames, [expect], "{order:?} {magic:x}");
    }
}

#[test]
fn old_versions_have_their_lengths_swapped() {
    // 16 bytes of header, then the lengths as they were in the version: captured and original, or the other way round
    for (minor, first, second) in [(0, 90, 4), (2, 90, 4), (3, 90, 4), (3, 4, 90), (4, 4, 90), (9, 4, 90)] {
        let file = Bytes::new(Order::Big).pcap(0xa1b2_c3d4, (2, minor), 1).u32(1).u32(0).u32(first).u32(second).raw(&[8; 4]);
        let frames = clean(&file.out);
        assert_eq!(frames.iter().map(|f| (f.bytes.len(), f.wire_len)).collect::<Vec<_>>(), [(4, 90)], "2.{minor}");
    }
}

#[test]
fn reads_every_packet_block_of_every_section() {
    let frames = clean(&small_pcapng());
    let seen: Vec<_> = frames.iter().map(|f| (f.nanos, f.link_type, f.interface, f.bytes.len(), f.wire_len)).collect();
    // the simple packet has no time of its own and belongs to the first interface
    assert_eq!(
        seen,
        [
            (5_000_000_001, 1, 0, 60, 60),
            (7_000_000_000, 101, 1, 21, 21),
            (7_000_000_000, 1, 0, 30, 30),
            (12_000_000_000, 113, 2, 5, 50),
            (3_000_001_000, 113, 2, 2, 2),
        ]
    );
}

#[test]
fn times_follow_resolution_and_offset_and_never_overflow() {
    let time = |resolution: u8, offset: i64, ticks: u64| {
        let options: &[(u16, &[u8])] = &[(9, &[resolution]), (14, &offset.to_le_bytes())];
        clean(&Bytes::new(Order::Little).section().interface(1, 0, options).packet(0, ticks, 1, &[0]).out)[0].nanos
    };
    for (resolution, offset, ticks, expect) in [
        (0, 0, 7, 7_000_000_000),
        (3, 0, 1_500, 1_500_000_000),
        (6, 0, 1, 1_000),
        (9, 0, 77, 77),
        (12, 0, 5_999, 5),
        (0x80, 0, 3, 3_000_000_000),
        (0x8a, 0, 1_024 + 512, 1_500_000_000),
        (0xa0, 0, 1 << 31, 500_000_000),
        (6, 2, 1, 2_000_001_000),
        (6, -1, 3_000_000, 2_000_000_000),
        (6, -9, 3_000_000, 0),
        (6, i64::MIN, u64::MAX, u64::MAX - u64::MAX),
        (6, i64::MAX, u64::MAX, u64::MAX),
        (0, 0, u64::MAX, u64::MAX),
        (99, 0, u64::MAX, 0),
        (127, 0, u64::MAX, 0),
        (28, 0, u64::MAX, 1),
        (0xff, 0, u64::MAX, 0),
        (0x80, 0, u64::MAX, u64::MAX),
    ] {
        assert_eq!(time(resolution, offset, ticks), expect, "resolution {resolution:#x} offset {offset} ticks {ticks}");
    }
    let late = Bytes::new(Order::Little).pcap(0xa1b2_c3d4, (2, 4), 1).record((u32::MAX, u32::MAX), 1, &[0]).out;
    assert_eq!(clean(&late)[0].nanos, 4_294_967_295_000_000_000 + 4_294_967_295_000);
}

#[test]
fn what_is_no_capture_is_an_error_with_a_remedy() {
    let kuznetzov = Bytes::new(Order::Little).pcap(0xa1b2_cd34, (2, 4), 1).out;
    let version = Bytes::new(Order::Little).pcap(0xa1b2_c3d4, (9, 9), 1).out;
    let link = Bytes::new(Order::Little).pcap(0xa1b2_c3d4, (2, 4), 0x03ff_ffff).out;
    let window = [0x28, 0xb5, 0x2f, 0xfd, 0, 0xff, 0, 0];
    for (bytes, expect) in [
        (&b""[..], "byte 0: the file is empty"),
        (b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0", "a file header of 24 bytes begins here, but the file ends after 10"),
        (b"\x0a\x0d\x0d\x0a\x1c\0", "a section header of 28 bytes begins here, but the file ends after 6"),
        (b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x01\x02\x03\x04\x01\0\0\0", "without a byte-order magic"),
        (b"\xd4\xc3", "begins with d4 c3"),
        (b"hello world", "neither pcap nor pcapng: it begins with 68 65 6c 6c"),
        (&kuznetzov, "Kuznetzov"),
        (&version, "byte 4: pcap version 9.9"),
        (&link, "byte 20: link type 0x03ffffff"),
        (b"snoop\0\0\0\0\0\0\x02", "Solaris snoop"),
        (b"GMBU....", "Network Monitor"),
        (b"\xfd7zXZ\0\0", "xz"),
        (&window, "needs 4123168604160 bytes of history"),
        (&[0x28, 0xb5, 0x2f, 0xfd, 0, 0x88, 0, 0], "needs 134217728 bytes of history"),
        (&gzip(&gzip(b"x")), "a gzip file inside another"),
        (&gzip(b""), "empty"),
        (b"\x1f\x8b\x08", "gzip data ends"),
    ] {
        let failure = error(bytes);
        assert_eq!(failure.exit, crate::cli::Exit::Data);
        assert!(failure.message.starts_with("sample"), "{}", failure.message);
        assert!(failure.message.contains(expect), "{:?} has no {expect:?}", failure.message);
    }
    for bytes in [&b""[..], b"hello world", &kuznetzov, &version, &link] {
        assert!(error(bytes).help.is_some());
    }
}

#[test]
fn truncation_anywhere_loses_only_what_is_cut() {
    for whole in [small_pcap(Order::Little), small_pcap(Order::Big), small_pcapng()] {
        let all = clean(&whole);
        let mut most = 0;
        for cut in 0..whole.len() {
            let Ok((frames, warnings)) = read(&whole[..cut], 16) else {
                assert!(cut < 24, "cut at {cut}");
                continue;
            };
            assert!(frames == all[..frames.len()] && frames.len() >= most, "cut at {cut}");
            assert!(frames.len() < all.len() || cut + 8 > whole.len());
            assert!(warnings.iter().all(|w| w.loss == Loss::Cut && w.exit() == crate::cli::Exit::Fine), "{warnings:?}");
            assert!(warnings.iter().all(|w| w.broken.offset <= cut as u64));
            most = frames.len();
        }
        assert_eq!(most, all.len() - usize::from(!whole.starts_with(&[10])));
    }
}

#[test]
fn cut_warnings_point_at_the_record() {
    let file = small_pcap(Order::Little);
    let (frames, warnings) = read(&file[..file.len() - 1], 1 << 16).expect("a capture");
    assert_eq!(frames.len(), 2);
    let expect =
        "sample: byte 116: a record of 49 bytes begins here, but the file ends after 48 of them; every whole frame before was read";
    assert_eq!(warnings[0].to_string(), expect);
    let file = small_pcapng();
    let (frames, warnings) = read(&file[..file.len() - 3], 1 << 16).expect("a capture");
    assert_eq!((frames.len(), warnings.len()), (5, 1));
    assert_eq!(warnings[0].broken.offset, file.len() as u64 - 36);
}

#[test]
fn every_chunk_size_gives_the_same() {
    for whole in [small_pcap(Order::Big), small_pcapng(), noise(20)] {
        let all = clean(&whole);
        for chunk in (1..80).chain([100, 255, 256, 1_000, 4_096]) {
            assert_eq!(read(&whole, chunk), Ok((all.clone(), vec![])), "chunk {chunk}");
        }
    }
}

#[test]
fn records_beyond_the_snap_length_are_read_up_to_the_cap() {
    let head = Bytes::new(Order::Little).pcap(0xa1b2_c3d4, (2, 4), 1);
    let big = vec![5; 256 * 1024];
    assert_eq!(clean(&head.clone().record((1, 1), 1, &big).out)[0].wire_len, 256 * 1024);
    for caplen in [256 * 1024 + 1, 0x7fff_ffff, u32::MAX] {
        let file = head.clone().record((1, 1), 4, &[1; 4]).u32(1).u32(1).u32(caplen).u32(4).raw(&[1; 64]).out;
        let mut source = open(&file, 64).expect("a capture");
        let (frames, warnings) = drain(&mut source);
        assert_eq!((frames.len(), losses(&warnings)), (1, vec![Loss::Damaged]));
        assert_eq!((warnings[0].broken.offset, warnings[0].exit()), (44, crate::cli::Exit::Data));
        assert!(source.memory() < 4_096);
        assert!(matches!(source.next(), Ok(Step::End)));
    }
}

#[test]
fn block_lengths_that_lie_end_the_file_and_no_more() {
    let head = Bytes::new(Order::Little).section().interface(1, 0, &[]).packet(0, 1, 4, &[1; 4]);
    for total in [0, 1, 4, 8, 11, 13, 33, 0x7fff_fffc, 0xffff_fff0, u32::MAX] {
        for kind in [1, 2, 3, 6, 0x0a0d_0d0a, 0xbad] {
            let magic = if kind == 0x0a0d_0d0a { 0x1a2b_3c4d } else { 0 };
            let file = head.clone().u32(kind).u32(total).u32(magic).raw(&[0; 64]).out;
            let mut source = open(&file, 64).expect("a capture");
            let (frames, warnings) = drain(&mut source);
            assert_eq!((frames.len(), losses(&warnings)), (1, vec![Loss::Damaged]), "{kind:x} {total}");
            assert!(source.memory() < 4_096);
        }
    }
    let (frames, warnings) = read(&head.clone().u32(0xbad).u32(100 << 20).raw(&[0; 64]).out, 64).expect("a capture");
    assert_eq!((frames.len(), losses(&warnings)), (1, vec![Loss::Damaged]));
    let (frames, warnings) = read(&head.clone().u32(0xbad).u32(16).u32(0).u32(20).raw(&[0; 64]).out, 64).expect("a capture");
    assert_eq!((frames.len(), losses(&warnings)), (1, vec![Loss::Damaged]));
    assert!(warnings[0].to_string().contains("says 16 bytes at its start but 20 at its end"), "{}", warnings[0]);
}

#[test]
fn blocks_that_lie_inside_are_skipped_and_counted() {
    let lie = Bytes::new(Order::Little).u32(0).u32(0).u32(9).u32(0x4000_0000).u32(60).raw(&[1; 8]).out;
    let file = Bytes::new(Order::Little).section().packet(0, 1, 1, &[1]).simple(4, &[1; 4]);
    let file = file.interface(1, 0, &[]).block(6, &lie).block(6, &lie[..8]).block(6, &lie).block(1, &[0; 4]).block(3, &[]);
    let file = file.packet(u32::MAX, 1, 1, &[1]).packet(0, 8, 4, &[2; 4]).out;
    let (frames, warnings) = read(&file, 1 << 16).expect("a capture");
    assert_eq!(frames.iter().map(|f| &f.bytes[..]).collect::<Vec<_>>(), [[2; 4]]);
    assert_eq!(losses(&warnings), [Loss::Skipped, Loss::Skipped]);
    assert_eq!(warnings.iter().map(|w| (w.times, w.broken.offset)).collect::<Vec<_>>(), [(3, 28), (5, 104)]);
    assert!(warnings[0].to_string().ends_with("; skipped, and 2 more like it"), "{}", warnings[0]);
}

#[test]
fn options_that_overrun_are_ignored_from_there() {
    let body = Bytes::new(Order::Little).u16(1).u16(0).u32(0).u16(9).u16(1).raw(&[9, 0, 0, 0]).u16(2).u16(0xfff0).raw(b"eth0").out;
    let file = Bytes::new(Order::Little).section().block(1, &body).packet(0, 42, 1, &[1]).out;
    let (frames, warnings) = read(&file, 1 << 16).expect("a capture");
    assert_eq!((frames[0].nanos, losses(&warnings)), (42, vec![Loss::Skipped]));
}

#[test]
fn interfaces_are_bounded_and_their_numbers_never_wrap() {
    let mut file = Bytes::new(Order::Little).section();
    for _ in 0..70_000 {
        file = file.interface(1, 0, &[]);
    }
    let file = file.packet(65_535, 1, 1, &[1]).packet(65_536, 1, 1, &[1]).section().interface(1, 0, &[]).packet(0, 1, 1, &[2]);
    let (frames, warnings) = read(&file.out, 1 << 16).expect("a capture");
    assert_eq!(frames.iter().map(|f| f.interface).collect::<Vec<_>>(), [65_535, 65_535]);
    assert_eq!(warnings.iter().map(|w| w.times).collect::<Vec<_>>(), [1, 70_000 - 65_536]);
}

#[test]
fn simple_packets_are_as_long_as_the_snap_length_says() {
    let file = Bytes::new(Order::Big).section().interface(1, 10, &[]).simple(60, &[1; 10]).simple(3, &[2; 3]).out;
    let seen: Vec<_> = clean(&file).iter().map(|f| (f.bytes.len(), f.wire_len, f.nanos)).collect();
    assert_eq!(seen, [(10, 60, 0), (3, 3, 0)]);
}

#[test]
fn flipped_bits_and_falsified_numbers_never_panic_or_loop() {
    let mut seed = 7u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for whole in [small_pcap(Order::Little), small_pcap(Order::Big), small_pcapng()] {
        for _ in 0..4_000 {
            let mut bad = whole.clone();
            for _ in 0..=random(3) {
                let at = random(bad.len());
                match random(3) {
                    0 => bad[at] ^= 1 << random(8),
                    1 => bad[at] = [0, 1, 0x7f, 0x80, 0xff][random(5)],
                    _ => bad.iter_mut().skip(at & !3).take(4).for_each(|b| *b = 0xff),
                }
            }
            if let Ok(mut source) = open(&bad, 32) {
                let (frames, warnings) = drain(&mut source);
                // every frame takes at least 16 bytes of the file
                assert!(frames.len() <= bad.len() / 16 && warnings.len() <= 5);
                assert!(frames.iter().all(|f| f.wire_len as usize >= f.bytes.len()));
                // one record of the largest size, though the file has no such record
                assert!(source.memory() <= 300 * 1024);
            }
        }
    }
}

#[test]
fn several_files_keep_their_order_and_number_their_interfaces() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("a"), small_pcapng()).expect("write");
    std::fs::write(path("b"), &small_pcap(Order::Big)[..150]).expect("write");
    std::fs::write(path("c"), "no capture\x1b[31m").expect("write");
    std::fs::write(path("d"), gzip(&small_pcap(Order::Little))).expect("write");
    let paths = ["a", "b", "c", "missing", "d"].map(path).to_vec();
    let mut files = Files::new(paths, Options::default());
    let (mut interfaces, mut errors) = (Vec::new(), Vec::new());
    loop {
        match files.next() {
            Ok(Step::Frame(frame)) => interfaces.push(frame.interface),
            Ok(Step::Idle(_)) => panic!("files are never idle"),
            Ok(Step::End) => break,
            Err(error) => errors.push(Failure::from(error)),
        }
    }
    assert_eq!(interfaces, [0, 1, 0, 2, 2, 3, 3, 4, 4, 4]);
    assert_eq!(errors.iter().map(|e| e.exit as u8).collect::<Vec<_>>(), [65, 66]);
    assert!(errors.iter().all(|e| e.help.is_some()));
    let warnings = files.warnings();
    assert_eq!(losses(&warnings), [Loss::Cut]);
    assert!(warnings[0].broken.file.ends_with("/b"));
    assert_eq!(files.warnings(), []);
    assert_eq!(FileSource::open(&dir.path().to_string_lossy(), &Options::default()).err().map(|e| e.exit() as u8), Some(66));
}

#[test]
fn the_made_hostile_files_behave() {
    let Some(folder) = shared("hostile/made") else { return };
    // frames, and what is told: e = error at opening, c = cut, d = damaged, s = skipped blocks
    let expect = [
        ("f01", 0, "e"),
        ("f02", 0, "e"),
        ("f03", 0, ""),
        ("f04", 5, "c"),
        ("f05", 9, "c"),
        ("f06", 5, ""),
        ("f07", 3, "d"),
        ("f08", 3, "d"),
        ("f09", 5, ""),
        ("f10", 55, ""),
        ("f11", 5, ""),
        ("f12", 5, ""),
        ("f13", 5, ""),
        ("f14", 0, "e"),
        ("f15", 5, ""),
        ("f16", 0, "e"),
        ("f17", 0, "e"),
        ("g01", 0, "d"),
        ("g02", 0, "d"),
        ("g03", 0, "d"),
        ("g04", 1, "d"),
        ("g05", 0, "s"),
        ("g06", 0, "s"),
        ("g07", 0, "s"),
        ("g08", 5, ""),
        ("g09", 5, ""),
        ("g10", 5, ""),
        ("g11", 5, "s"),
        ("g12", 5, "s"),
        ("g13", 5, ""),
    ];
    let files = captures_below(&folder);
    for (prefix, frames, told) in expect {
        let path = files.iter().find(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(prefix))).expect(prefix);
        let got = match FileSource::open(&path.to_string_lossy(), &Options::default()) {
            Err(error) => {
                assert!(matches!(error, CaptureError::Broken(_)), "{error}");
                (0, "e".to_string())
            }
            Ok(mut source) => {
                let (frames, warnings) = drain(&mut source);
                assert!(source.memory() <= 2 << 20);
                let letter = |loss| match loss {
                    Loss::Cut => 'c',
                    Loss::Damaged => 'd',
                    Loss::Skipped => 's',
                };
                (frames.len(), losses(&warnings).into_iter().map(letter).collect())
            }
        };
        assert_eq!(got, (frames, told.to_string()), "{prefix}");
    }
}

#[test]
fn files_that_crashed_tcpdump_are_read_to_the_end() {
    let Some(folder) = shared("hostile/tcpdump") else { return };
    let (mut opened, mut frames) = (0, 0);
    for path in captures_below(&folder) {
        if let Ok(mut source) = FileSource::open(&path.to_string_lossy(), &Options { chunk: 4_096, ..Options::default() }) {
            opened += 1;
            frames += drain(&mut source).0.len();
            assert!(source.memory() <= 512 * 1024);
        }
    }
    assert!(opened > 500 && frames > 500, "{opened} opened, {frames} frames");
}
