//! Who made a NIC, by the registry of the IEEE (MA-L, MA-M, MA-S, IAB) that the crate `oui-data` carries.

use ringfence_core::net::Mac;

/// The block of the Internet's own number registry: virtual routers, multicast, documentation (RFC 9542 section 2.1). No NIC is made
/// with it.
const IANA: [u8; 3] = [0x00, 0x00, 0x5e];

/// The organisation that a MAC was given to. A locally administered one was given to nobody, and a group is no NIC.
pub fn of(mac: Mac) -> Option<&'static str> {
    if mac.is_local() || !mac.is_unicast() || mac.0.starts_with(&IANA) {
        return None;
    }
    let name = oui_data::lookup(&mac.to_string())?.organization().trim();
    // Who asked the IEEE not to be named, and blocks that are given out in parts, of which this one is not.
    (!matches!(name, "" | "Private" | "IEEE Registration Authority")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors() {
        for (mac, vendor) in [
            ("50:a6:d8:00:00:01", Some("Apple, Inc.")),
            ("28:cd:c1:12:34:56", Some("Raspberry Pi Trading Ltd")),
            ("b8:4c:87:40:00:01", Some("Blum Novotest GmbH")),
            ("8c:1f:64:af:a0:01", Some("DATA ELECTRONIC DEVICES, INC")),
            ("00:00:5e:00:53:01", None),
            ("00:00:5e:00:01:0a", None),
            // A locally administered address whose first bits are a company's all the same (registry CID).
            ("ea:27:01:00:00:01", None),
            ("52:a6:d8:00:00:01", None),
            ("51:a6:d8:00:00:01", None),
        ] {
            assert_eq!(of(mac.parse().expect("mac")), vendor, "{mac}");
        }
    }
}
