//! What the correlator knows of one device: asked by operators, and told by them.

use std::collections::BTreeMap;

use crate::finding::DeviceFacts;
use crate::identity::{Link, NameGiven, SegmentKey, Stay};

use super::Correlator;
use super::who::facts;

/// A device over time.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceStory {
    /// What it is, now.
    pub device: DeviceFacts,
    /// Where it was when: the segment's name where it still has one, and the stay.
    pub stays: Vec<(Option<Box<str>>, Stay)>,
    /// Names with their sources, best first.
    pub names: Vec<NameGiven>,
    /// Keys that are this device by an operator's word, its own among them.
    pub keys: Vec<String>,
}

impl Correlator {
    /// Takes what operators say about who is who, in place of what they said before; everything is judged anew.
    pub fn set_links(&mut self, links: Vec<Link>) {
        self.identity.set_links(links);
        self.touched.all = true;
    }

    /// What is known of the device with a key; `None` when nothing was heard of it in this run.
    pub fn device(&self, key: &str) -> Option<DeviceStory> {
        let id = self.identity.find(key)?;
        let device = facts(&self.identity, id);
        let names: BTreeMap<SegmentKey, Box<str>> =
            (self.policy.segments.all()).map(|s| (super::key_of_name(&s.name), s.name.clone())).collect();
        let stays = self.identity.stays(id).into_iter().map(|stay| (names.get(&stay.segment).cloned(), stay)).collect();
        let keys = self.identity.all_keys(device.key.clone());
        Some(DeviceStory { stays, names: self.identity.names_given(id), keys, device })
    }
}
