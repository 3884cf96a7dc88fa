//! Who is who, by an operator's word: devices joined and kept apart, and one device shown over time.

use ringfence_core::correlate::DeviceStory;
use ringfence_core::identity::{LINKS_MAX, Link, LinkKind, is_device_key};

use super::{Hub, text};
use crate::clock::now;
use crate::control::{Asked, Refusal};

impl Hub {
    /// Reads what earlier runs were told, and lets it count.
    pub(in crate::hub) fn take_up_links(&mut self, links: Vec<Link>) {
        self.status.links.clone_from(&links);
        self.correlator.set_links(links);
    }

    /// What is known of a device. What was not heard of in this run is known by its findings alone.
    pub(in crate::hub) fn device(&mut self, key: &str, asked: Option<Asked>) -> Result<DeviceStory, Refusal> {
        let latest = || self.ledger.iter().filter(|t| t.finding.device.key == key).max_by_key(|t| t.finding.last_seen);
        let remembered = || {
            let device = latest()?.finding.device.clone();
            Some(DeviceStory { device, stays: Vec::new(), names: Vec::new(), keys: vec![key.to_string()] })
        };
        let story = self.correlator.device(key).or_else(remembered).ok_or(Refusal::Unknown)?;
        if let Some(Asked { by, pseudonym, reason }) = asked {
            let reason = text("reason", &reason)?;
            // Who a device is is told under the same rules as for `resolve`.
            if self.privacy.resolve_two_persons {
                let help = "`ringfence resolve` asks for the second one; without a reason this shows pseudonyms";
                return Err(Refusal::Conflict("it takes two operators to learn who a device is".into(), help.into()));
            }
            self.within_limit(&by)?;
            self.audit_of(&by, "device-show", format!("{pseudonym}: {reason}"));
            self.commit()?;
        }
        Ok(story)
    }

    /// Takes an operator's word, and judges everything by it.
    pub(in crate::hub) fn link(&mut self, link: Link, told: String) -> Result<Link, Refusal> {
        let reason = text("reason", &link.reason)?;
        if reason.is_empty() {
            return Err(Refusal::Invalid(vec!["devices are not joined or parted without a reason".into()]));
        }
        if !is_device_key(&link.a) || !is_device_key(&link.b) || link.a == link.b {
            return Err(Refusal::Invalid(vec!["it takes two devices".into()]));
        }
        if self.status.links.len() >= LINKS_MAX {
            return Err(Refusal::Conflict(format!("{LINKS_MAX} links are the most that are kept"), "register the devices instead".into()));
        }
        let link = Link { reason, at: now(), ..link };
        let action = if link.kind == LinkKind::Merge { "device-merge" } else { "device-split" };
        self.changes.links.push(link.clone());
        self.status.links.push(link.clone());
        self.correlator.set_links(self.status.links.clone());
        self.audit_of(&link.by, action, told);
        self.tick(now(), true);
        self.commit()?;
        self.show_status(true);
        Ok(link)
    }
}
