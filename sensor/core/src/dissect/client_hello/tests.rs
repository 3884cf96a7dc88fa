//! The walk over a hello beside that of tls-parser.

use proptest::prelude::*;
use tls_parser::parse_tls_handshake_client_hello;

use super::*;

/// What tls-parser makes of a body, with the rules for its extensions as they were written first: lists of everything.
#[derive(Debug, Default, PartialEq, Eq)]
struct Slow {
    version: u16,
    ciphers: Vec<u16>,
    extensions: Vec<u16>,
    names: Vec<(u16, Vec<u8>)>,
    bare: bool,
}

fn slow(body: &[u8]) -> Option<Slow> {
    let (behind, contents) = parse_tls_handshake_client_hello(body).ok()?;
    let mut slow = Slow { version: contents.version.0, ciphers: contents.ciphers.iter().map(|c| c.0).collect(), ..Slow::default() };
    let mut rest = contents.ext.unwrap_or(&[]);
    slow.bare = contents.ext.is_none() && !behind.is_empty();
    while let [k1, k0, l1, l0, after @ ..] = rest {
        let (kind, length) = (u16::from_be_bytes([*k1, *k0]), usize::from(u16::from_be_bytes([*l1, *l0])));
        if length > after.len() || slow.extensions.len() == EXTENSIONS_MAX {
            break;
        }
        if !slow.extensions.contains(&kind) {
            slow.names.push((kind, after[..length].to_vec()));
        }
        slow.extensions.push(kind);
        rest = &after[length..];
    }
    slow.bare |= !rest.is_empty() && slow.extensions.len() < EXTENSIONS_MAX;
    Some(slow)
}

fn agree(body: &[u8]) -> Result<(), TestCaseError> {
    let (ours, theirs) = (ClientHello::parse(Transport::Tls, body), slow(body));
    prop_assert_eq!(ours.is_some(), theirs.is_some());
    let (Some(ours), Some(theirs)) = (ours, theirs) else { return Ok(()) };
    prop_assert_eq!(ours.legacy_version, theirs.version);
    prop_assert_eq!(ours.ciphers.iter().collect::<Vec<_>>(), theirs.ciphers);
    prop_assert_eq!(ours.extension_types().collect::<Vec<_>>(), theirs.extensions);
    prop_assert_eq!(ours.bare, theirs.bare);
    let first = |kind: u16| theirs.names.iter().find(|(k, _)| *k == kind).map(|(_, data)| data.as_slice());
    prop_assert_eq!(ours.sni, first(SERVER_NAME).and_then(server_name));
    prop_assert_eq!(ours.groups(), first(GROUPS).map_or(Values::default(), Values::behind_length));
    prop_assert_eq!(ours.alpn, first(ALPN).map_or(&[][..], |data| Values::behind_length(data).0));
    prop_assert_eq!(ours.signature_algorithms(), first(SIGNATURE_ALGORITHMS).map_or(Values::default(), Values::behind_length));
    prop_assert_eq!(ours.point_formats(), first(POINT_FORMATS).map_or(&[][..], behind_byte));
    let versions = Values(first(SUPPORTED_VERSIONS).map_or(&[][..], behind_byte));
    prop_assert_eq!(ours.version(), versions.iter().filter(|v| !ja::is_grease(*v)).max().unwrap_or(theirs.version));
    // Of two extensions that encrypt the name the last one counts.
    let encrypts = |(kind, data): &&(u16, Vec<u8>)| *kind == ech::ESNI || *kind == ech::ECH && data.first() == Some(&0);
    let encrypted = theirs.names.iter().rfind(encrypts).map(|(_, data)| data.as_slice());
    prop_assert_eq!(ours.ech.map(|(_, data)| data), encrypted);
    Ok(())
}

fn vector8(max: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..max).prop_map(|body| [&[body.len() as u8], &body[..]].concat())
}

fn any_extension() -> impl Strategy<Value = Vec<u8>> {
    let kinds =
        prop_oneof![Just(0u16), Just(0x0a), Just(0x0b), Just(0x0d), Just(0x10), Just(0x2b), Just(ech::ECH), Just(ech::ESNI), any::<u16>()];
    (kinds, proptest::collection::vec(0u8..6, 0..30), any::<bool>()).prop_map(|(kind, data, lies)| {
        let length = (data.len() as u16).wrapping_add(u16::from(lies && data.len() > 25));
        [&kind.to_be_bytes()[..], &length.to_be_bytes(), &data].concat()
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let suites =
        proptest::collection::vec(any::<[u8; 2]>(), 0..20).prop_map(|s| [&(s.len() as u16 * 2).to_be_bytes()[..], &s.concat()].concat());
    let extensions = proptest::option::of(proptest::collection::vec(any_extension(), 0..12));
    (any::<[u8; 2]>(), vector8(34), suites, vector8(3), extensions, vector8(4)).prop_map(
        |(version, session, suites, methods, extensions, tail)| {
            let extensions =
                extensions.map_or(Vec::new(), |e| [&(e.concat().len() as u16).to_be_bytes()[..], &e.concat(), &tail[1..]].concat());
            [&version[..], &[7; 32], &session, &suites, &methods, &extensions].concat()
        },
    )
}

proptest! {
    #[test]
    fn agrees_with_tls_parser(body in body(), cut in 0usize..400) {
        agree(&body)?;
        agree(&body[..cut.min(body.len())])?;
    }

    #[test]
    fn agrees_on_anything(body in proptest::collection::vec(0u8..40, 0..200)) {
        agree(&body)?;
    }
}

#[test]
fn many_extensions_are_bounded() {
    let extensions = [0x12, 0x34, 0, 0].repeat(EXTENSIONS_MAX + 1);
    let length = (extensions.len() as u16).to_be_bytes();
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0], &length, &extensions].concat();
    let hello = ClientHello::parse(Transport::Tls, &body).expect("a hello");
    assert_eq!((hello.extension_types().count(), hello.bare), (EXTENSIONS_MAX, false));
    assert!(agree(&body).is_ok());
}

proptest! {
    /// However many there are, and however the list ends.
    #[test]
    fn protocols_are_shown_as_they_stand(names in proptest::collection::vec("[a-z]{0,3}", 0..70), tail in 0u8..3) {
        let list: Vec<u8> = names.iter().flat_map(|name| [&[name.len() as u8], name.as_bytes()].concat()).collect();
        let list = [list, vec![9; tail.into()]].concat();
        let hello = ClientHello { alpn: &list, ..ClientHello::empty(Transport::Tls) };
        let mut shown = None;
        hello.visit(Detail::Cheap, &mut |field, value| {
            if let ("alpn", Value::List(items)) = (field.key, value) {
                shown = Some(items.iter().map(|item| String::from_utf8_lossy(item).into_owned()).collect::<Vec<_>>());
            }
        });
        let expected: Vec<String> = names.into_iter().take(PROTOCOLS_MAX).collect();
        prop_assert_eq!(shown, (!expected.is_empty()).then_some(expected));
    }
}
