//! Numbers and addresses appended to a text: what `Display` writes, without the way through a formatter, which costs several times as much.
//! For texts that are made anew in each judgement, such as device keys.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::Mac;

/// Appends a number in decimal.
pub fn push_number(text: &mut String, number: u32) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    text.extend(char::from_digit(number % 10, 10));
}

/// Appends a byte in two hexadecimal digits.
pub fn push_hex(text: &mut String, byte: u8) {
    text.extend([byte >> 4, byte & 15].into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)));
}

/// Appends an address.
pub fn push_addr(text: &mut String, addr: IpAddr) {
    match addr {
        IpAddr::V4(addr) => {
            let [first, rest @ ..] = addr.octets();
            push_number(text, first.into());
            for octet in rest {
                text.push('.');
                push_number(text, octet.into());
            }
        }
        // Writing to a text cannot fail.
        IpAddr::V6(addr) => drop(write!(text, "{addr}")),
    }
}

/// Appends a hardware address.
pub fn push_mac(text: &mut String, mac: Mac) {
    let [first, rest @ ..] = mac.0;
    push_hex(text, first);
    for octet in rest {
        text.push(':');
        push_hex(text, octet);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn made(push: impl Fn(&mut String)) -> String {
        let mut text = "before ".to_string();
        push(&mut text);
        text
    }

    proptest! {
        #[test]
        fn it_is_what_display_writes(number: u32, v4: [u8; 4], v6: [u8; 16], mac: [u8; 6]) {
            prop_assert_eq!(made(|t| push_number(t, number)), format!("before {number}"));
            for addr in [IpAddr::from(v4), IpAddr::from(v6)] {
                prop_assert_eq!(made(|t| push_addr(t, addr)), format!("before {addr}"));
            }
            prop_assert_eq!(made(|t| push_mac(t, Mac(mac))), format!("before {}", Mac(mac)));
        }
    }

    #[test]
    fn ends_of_the_range() {
        for number in [0, 9, 10, 99, 100, 255, u32::MAX] {
            assert_eq!(made(|t| push_number(t, number)), format!("before {number}"));
        }
    }
}
