//! Who is named in answers and in what leaves: nobody, unless `identities` says so.
//!
//! A finding is copied without what tells its device, before any answer is made of it: so no answer can forget to.

use std::borrow::Cow;
use std::net::IpAddr;

use ringfence_core::finding::{DeviceFacts, Finding};
use ringfence_core::net::Mac;

use crate::pseudonym::Pseudonyms;

/// What stands for a hidden value.
const HIDDEN: &str = "[hidden]";

/// Who is named, and how.
#[derive(Clone, Debug)]
pub struct Veil {
    pseudonyms: Pseudonyms,
    identities: bool,
}

impl Veil {
    /// A veil; with `identities` it hides nothing, but names stay those of `pseudonyms`.
    pub fn new(pseudonyms: Pseudonyms, identities: bool) -> Self {
        Veil { pseudonyms, identities }
    }

    /// Whether plain names are served.
    pub fn names(&self) -> bool {
        self.identities
    }

    /// The name of a finding.
    pub fn finding_id(&self, id: &str) -> String {
        self.pseudonyms.finding(id)
    }

    /// The name of a device.
    pub fn device_id(&self, key: &str) -> String {
        self.pseudonyms.device(key)
    }

    /// A finding as it may be shown.
    pub fn finding(&self, finding: &Finding) -> Finding {
        let mut shown = finding.clone();
        shown.id = self.finding_id(&finding.id);
        shown.device.id = self.device_id(&finding.device.key);
        if self.identities {
            return shown;
        }
        let waived = finding.waiver.as_ref().map(|id| (format!("waiver {id} ("), format!("waiver {id} covers it")));
        for reason in &mut shown.reasons {
            // The sentence about a waiver goes on with its free text and who approved it.
            match &waived {
                Some((begin, short)) if reason.starts_with(begin.as_str()) => reason.clone_from(short),
                _ => self.hide(reason),
            }
        }
        shown.fingerprints.iter_mut().for_each(|(_, value)| self.hide(value));
        for line in &mut shown.evidence {
            if names(&finding.device, &line.value) {
                line.value = HIDDEN.to_string();
            }
            self.hide(&mut line.value);
        }
        self.device(&mut shown.device);
        shown
    }

    /// Takes away what tells who a device is; its id stays.
    pub fn device(&self, device: &mut DeviceFacts) {
        device.reasons.iter_mut().for_each(|r| *r = without_addresses(r).into_owned());
        (device.key, device.mac, device.addresses, device.name, device.register) = (String::new(), None, Vec::new(), None, None);
    }

    /// A text as it may be shown: without addresses.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.identities { Cow::Borrowed(text) } else { without_addresses(text) }
    }

    fn hide(&self, text: &mut String) {
        if let Cow::Owned(hidden) = self.text(text) {
            *text = hidden;
        }
    }
}

/// Whether a value is one of the device's own names.
fn names(device: &DeviceFacts, value: &str) -> bool {
    [&device.name, &device.register].into_iter().flatten().any(|name| name.eq_ignore_ascii_case(value))
}

/// Every hardware and network address is replaced. Networks (`10.1.20.0/24`) stay: they name segments.
pub fn without_addresses(text: &str) -> Cow<'_, str> {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '/' | '%' | '_');
    let mut out = String::new();
    let mut kept = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = text.get(at..).unwrap_or("");
        let len = rest.find(|c| !part(c)).unwrap_or(rest.len());
        let word = rest.get(..len).unwrap_or("");
        if is_address(word) {
            out.push_str(text.get(kept..at).unwrap_or(""));
            out.push_str(HIDDEN);
            kept = at + len;
        }
        at += len + rest.get(len..).and_then(|r| r.chars().next()).map_or(0, char::len_utf8);
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(kept..).unwrap_or(""));
    Cow::Owned(out)
}

fn is_address(word: &str) -> bool {
    plain_address(word) || plain_address(word.trim_end_matches(['.', ':', '-', '/']))
}

fn plain_address(word: &str) -> bool {
    let bare = word.strip_prefix("mac:").or(word.strip_prefix("addr:")).unwrap_or(word);
    let (host, rest) = bare.split_once(['/', '%']).unwrap_or((bare, ""));
    let network = matches!(rest.parse::<u8>(), Ok(len) if len < if host.contains(':') { 128 } else { 32 });
    let is_ip = |text: &str| text.parse::<IpAddr>().is_ok();
    let with_port = || host.rsplit_once(':').is_some_and(|(a, p)| is_ip(a) && p.parse::<u16>().is_ok());
    host.parse::<Mac>().is_ok() || (!network && (is_ip(host) || with_port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_and_the_rest_stays() {
        for (text, expect) in [
            ("10.1.2.3", "[hidden]"),
            ("seen at 10.1.2.3, and 2001:db8::1.", "seen at [hidden], and [hidden]"),
            ("mac:02:00:5e:10:00:01 moved", "[hidden] moved"),
            ("02-00-5e-10-00-01", "[hidden]"),
            ("10.1.2.3:443 and [fe80::1]:53", "[hidden] and [[hidden]]:53"),
            ("fe80::1%eth0 10.1.2.3/32", "[hidden] [hidden]"),
            ("10.1.20.0/24 is not configured as a segment", "10.1.20.0/24 is not configured as a segment"),
            ("szshort.weixin.qq.com, 1.2, 12:30, 2026-11-23", "szshort.weixin.qq.com, 1.2, 12:30, 2026-11-23"),
            ("微信 10.0.0.1 ü", "微信 [hidden] ü"),
            ("", ""),
        ] {
            assert_eq!(without_addresses(text), expect);
        }
    }
}
