//! Messages made by hand.

use super::message::Message;
use super::name;

fn wire(host: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        host.split('.').filter(|l| !l.is_empty()).flat_map(|l| [&[l.len() as u8][..], l.as_bytes()].concat()).collect();
    bytes.push(0);
    bytes
}

fn record(owner: &str, kind: u16, data: &[u8]) -> Vec<u8> {
    [wire(owner), kind.to_be_bytes().to_vec(), vec![0, 1, 0, 0, 1, 44], (data.len() as u16).to_be_bytes().to_vec(), data.to_vec()].concat()
}

fn response(questions: &[&str], answers: &[Vec<u8>]) -> Vec<u8> {
    let head = [7u16, 0x8180, questions.len() as u16, answers.len() as u16, 0, 0];
    let asked = questions.iter().flat_map(|q| [wire(q), vec![0, 1, 0, 1]].concat());
    head.iter().flat_map(|n| n.to_be_bytes()).chain(asked).chain(answers.concat()).collect()
}

fn addresses(bytes: &[u8], host: &str) -> Vec<String> {
    let mut found = Vec::new();
    Message::parse(bytes).expect("a message").addresses_of(host.as_bytes(), &mut |addr, ttl| found.push(format!("{addr}/{ttl}")));
    found
}

#[test]
fn addresses_follow_the_aliases_of_the_question_only() {
    let answers = [
        record("b.example", 1, &[192, 0, 2, 2]),
        record("a.example", 5, &wire("b.example")),
        record("glue.example", 1, &[192, 0, 2, 99]),
        record("B.EXAMPLE", 28, &[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]),
    ];
    assert_eq!(addresses(&response(&["a.example"], &answers), "A.Example"), ["192.0.2.2/300", "2001:db8::2/300"]);
}

#[test]
fn an_alias_of_itself_ends() {
    let answers =
        [record("a.example", 5, &wire("b.example")), record("b.example", 5, &wire("a.example")), record("a.example", 1, &[192, 0, 2, 1])];
    assert_eq!(addresses(&response(&["a.example"], &answers), "a.example"), ["192.0.2.1/300"]);
}

#[test]
fn hints_of_https_records() {
    let data = [&[0, 1, 0][..], &[0, 1, 0, 3, 2, b'h', b'3'], &[0, 4, 0, 8, 192, 0, 2, 5, 192, 0, 2, 6]].concat();
    assert_eq!(addresses(&response(&["a.example"], &[record("a.example", 65, &data)]), "a.example"), ["192.0.2.5/300", "192.0.2.6/300"]);
}

#[test]
fn a_dot_in_a_label_is_no_dot() {
    let mut bytes = vec![3, b'a', b'.', b'b'];
    bytes.extend(wire("qq.com"));
    assert_eq!(name::read(&bytes, 0), Some((b"a\\.b.qq.com".to_vec(), 12)));
}

#[test]
fn pointers_go_backwards_and_end() {
    let mut bytes = wire("example");
    let at = bytes.len();
    bytes.extend([1, b'a', 0xc0, 0]);
    assert_eq!(name::read(&bytes, at), Some((b"a.example".to_vec(), at + 4)));
    for bad in [&[0xc0, 0][..], &[0xc0, 2, 0xc0, 0], &[0xc0, 9], &[0x40, 1], &[63, 1], &[1, b'a', 0xc0, 0]] {
        assert_eq!(name::read(bad, 0), None, "{bad:?}");
    }
    let long: Vec<u8> = (0..200).flat_map(|_| [1, b'x']).collect();
    assert_eq!(name::read(&long, 0), None);
}

#[test]
fn cut_anywhere_and_counts_that_lie() {
    let whole = response(&["a.example"], &[record("a.example", 1, &[192, 0, 2, 1])]);
    for cut in 0..whole.len() {
        let _ = Message::parse(&whole[..cut]);
    }
    let mut lie = whole.clone();
    lie[4..8].fill(0xff);
    assert!(Message::parse(&lie).is_some_and(|m| m.cut && m.questions.len() < 256));
}

#[test]
fn doubtful_bytes_on_other_ports() {
    let plain = |bytes: &[u8]| Message::parse(bytes).is_some_and(|m| m.is_plain());
    assert!(plain(&response(&["web.example.org"], &[])));
    assert!(!plain(&response(&["a.example", "b.example"], &[])));
    assert!(!plain(&[0; 40]) && !plain(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"));
}
