//! The correlator: evidence of all workers in, judged findings out. There is one.
//!
//! Every join happens here: an address and the name that was proven at it, a flow and its device, a device and the policy.
//! Flows are kept with their signs; findings are a pure fold over them, so the order of arrival does not matter.
//! Must not know frames, packets or dissectors.

mod account;
mod assemble;
mod changes;
mod devices;
mod flows;
mod forget;
mod learned;
mod past;
mod rejudge;
mod retire;
mod sightings;
mod swap;
mod weigh;
mod who;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::evidence::{Bound, Evidence, FlowId, FlowMeta, Sign};
use crate::field::Family;
use crate::finding::{Finding, FlowRow};
use crate::fold::Folded;
use crate::identity::{DeviceId, Fact, Identity, SegmentKey};
use crate::limits::{Limit, LimitCounts};
use crate::net::{Mac, Path};
use crate::policy::{Policy, SegmentId};
use crate::record::BindingSource;
use crate::rules::{Effect, IndicatorId, RuleSet};
use crate::time::Timestamp;
use crate::worker::{Grain, Watch};

use changes::Touched;
use flows::FlowEntry;
use forget::Forgotten;
use learned::{Learned, Lesson};
use past::Past;
use sightings::Sightings;

pub use sightings::{Seen, Sighting};

pub use devices::DeviceStory;
pub use rejudge::{Rejudged, as_of, merged, rejudge};

/// A structural or name sign at least this heavy proves that its server is the app's.
const PROOF_WEIGHT: f64 = 0.80;

/// Announced DNS suffixes that are believed: a network has a few.
const SUFFIXES_MAX: usize = 32;

/// The one that joins.
#[derive(Clone)]
pub struct Correlator {
    rules: Arc<RuleSet>,
    policy: Policy,
    identity: Identity,
    interfaces: Vec<String>,
    flows: BTreeMap<FlowId, FlowEntry>,
    learned: Learned,
    resolvers: HashSet<IpAddr, Folded>,
    presence: BTreeMap<(DeviceId, SegmentId), (Timestamp, Timestamp)>,
    watch: Watch,
    watch_changed: bool,
    limits: LimitCounts,
    touched: Touched,
    /// Findings that were stated, and a handle of their device.
    stated: HashMap<String, DeviceId, Folded>,
    past: Past,
    forgotten: Forgotten,
    /// Ids that were stated and that another policy gave other names.
    renamed: Vec<String>,
    sightings: Sightings,
    /// Broadcast domains of segments, as far as they were asked for; of the present policy.
    segment_keys: HashMap<SegmentId, SegmentKey, Folded>,
}

/// Everything that the correlator has to say at a moment.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Findings, most serious first.
    pub findings: Vec<Finding>,
    /// The flows that they rest on, by first packet.
    pub flows: Vec<FlowRow>,
    /// Ids of findings that were stated before and do not hold any more.
    pub withdrawn: Vec<String>,
}

impl Correlator {
    /// A correlator over rules, a policy and what the operator knows of devices.
    pub fn new(rules: Arc<RuleSet>, policy: Policy, identity: Identity, interfaces: Vec<String>) -> Self {
        let macs = policy.designated_macs().into_iter().collect();
        let watch = Watch { addrs: HashSet::default(), macs, suffixes: policy.local_suffixes.clone() };
        let watch_changed = !watch.macs.is_empty() || !watch.suffixes.is_empty();
        Correlator {
            rules,
            policy,
            identity,
            interfaces,
            flows: BTreeMap::new(),
            learned: Learned::default(),
            resolvers: HashSet::default(),
            presence: BTreeMap::new(),
            watch,
            watch_changed,
            limits: LimitCounts::default(),
            touched: Touched::default(),
            stated: HashMap::default(),
            segment_keys: HashMap::default(),
            past: Past::default(),
            forgotten: Forgotten::default(),
            renamed: Vec::new(),
            sightings: Sightings::default(),
        }
    }

    /// Limits that were hit: its own, and those of identity and segments.
    pub fn limits(&self) -> LimitCounts {
        let mut limits = self.limits.clone();
        (0..self.identity.evicted()).for_each(|_| limits.add(Limit::Devices));
        limits.merge(self.policy.segments.limits());
        limits
    }

    /// How much is held in memory, by what it is.
    pub fn held(&self) -> [(&'static str, usize); 4] {
        let hosts = self.identity.hosts();
        [("flows", self.flows.len()), ("devices", self.identity.stations()), ("addresses", hosts), ("servers", self.learned.len())]
    }

    /// Whether workers are to look out for something new.
    pub fn has_watch_update(&self) -> bool {
        self.watch_changed
    }

    /// What workers are to look out for, when that has changed since the last call.
    pub fn watch_update(&mut self) -> Option<Arc<Watch>> {
        std::mem::take(&mut self.watch_changed).then(|| Arc::new(self.watch.clone()))
    }

    /// Takes one statement of a worker.
    pub fn take(&mut self, evidence: Evidence) {
        if self.forgotten.has(&evidence) {
            return;
        }
        match evidence {
            Evidence::Sign(sign) => self.sign(*sign),
            Evidence::Learned { ts, flow, indicator, addr, ttl_secs } => self.answer(ts, &flow, indicator, addr, ttl_secs),
            Evidence::Contact { flow, last } => {
                let entry = self.entry(&flow, false);
                entry.last = entry.last.max(last);
            }
            Evidence::Traffic { flow, last, bytes, named, ended } => self.traffic(flow, last, bytes, named, ended),
            Evidence::Bound(bound) => self.bound(*bound),
            Evidence::Suffix(suffix) => self.suffix(&suffix),
            Evidence::Presence { ts, mac, addr, interface, path } => self.present(ts, mac, addr, interface, &path),
        }
    }

    fn suffix(&mut self, suffix: &[u8]) {
        let Ok(text) = std::str::from_utf8(suffix) else { return };
        let suffix = text.trim_matches('.').to_ascii_lowercase();
        if self.watch.suffixes.len() < SUFFIXES_MAX && !suffix.is_empty() && !self.watch.suffixes.contains(&suffix) {
            self.watch.suffixes.push(suffix);
            self.watch_changed = true;
        }
    }

    /// The segment of a place, for its coverage: its name and its class.
    pub fn place(&mut self, interface: u16, path: &Path, addr: IpAddr) -> (Box<str>, &'static str) {
        let id = self.segment(interface, path, addr);
        let segment = self.policy.segment(id);
        (segment.name.clone(), segment.class.name())
    }

    /// How finely places must be told apart so that each lies in one segment.
    pub fn grain(&self) -> Grain {
        let (v4, v6) = self.policy.segments.longest_prefixes();
        Grain { v4: v4.max(Grain::default().v4), v6: v6.max(Grain::default().v6) }
    }

    fn segment(&mut self, interface: u16, path: &Path, addr: IpAddr) -> SegmentId {
        let name = self.interfaces.get(usize::from(interface)).map_or("", String::as_str);
        self.policy.segment_of(name, path, addr)
    }

    /// The broadcast domain of a segment: made from its name, so that it is the same after a restart and under another configuration.
    fn key_of(&mut self, segment: SegmentId) -> SegmentKey {
        *self.segment_keys.entry(segment).or_insert_with(|| key_of_name(&self.policy.segment(segment).name))
    }

    /// The kept flow. Whose it is is asked at once when it has a sign; for a mere contact it waits until somebody wants to know.
    fn entry(&mut self, meta: &FlowMeta, signed: bool) -> &mut FlowEntry {
        self.touched.flows.insert(meta.id);
        if !self.flows.contains_key(&meta.id) {
            let segment = self.segment(meta.interface, &meta.path, meta.client.addr);
            self.make_room();
            self.flows.insert(meta.id, FlowEntry::new(meta, segment));
        }
        if signed {
            self.identify(meta.id);
        }
        self.flows.entry(meta.id).or_insert_with(|| FlowEntry::new(meta, SegmentId(0)))
    }

    fn identify(&mut self, id: FlowId) {
        let Some(entry) = self.flows.get_mut(&id).filter(|e| e.device.is_none()) else { return };
        let (meta, segment) = (entry.meta, entry.segment);
        let key = self.key_of(segment);
        let Some(entry) = self.flows.get_mut(&id) else { return };
        self.identity.server(key, meta.server_mac, meta.server.addr);
        let device = self.identity.client(meta.first, key, meta.client_mac, meta.client.addr);
        entry.device = Some(device);
        self.sightings.extend(device, segment, meta.client.addr, (meta.first, entry.last));
    }

    /// Asks whose the mere contacts are, as far as they share an address or a hardware address with a flow that has a sign.
    fn identify_contacts(&mut self) {
        if self.flows.values().all(|f| f.device.is_some()) {
            return;
        }
        let signed = self.flows.values().filter(|f| !f.signs.is_empty());
        let (mut addrs, mut macs): (HashSet<IpAddr, Folded>, HashSet<Mac, Folded>) = Default::default();
        for flow in signed {
            addrs.insert(flow.meta.client.addr);
            macs.extend(flow.meta.client_mac);
        }
        let related = |f: &FlowEntry| addrs.contains(&f.meta.client.addr) || f.meta.client_mac.is_some_and(|m| macs.contains(&m));
        let open: Vec<FlowId> = self.flows.iter().filter(|(_, f)| f.device.is_none() && related(f)).map(|(id, _)| *id).collect();
        open.into_iter().for_each(|id| self.identify(id));
    }

    fn sign(&mut self, sign: Sign) {
        let rules = Arc::clone(&self.rules);
        for hit in &sign.hits {
            let indicator = rules.indicator(hit.indicator);
            let family = indicator.family_on(hit.field);
            let proves = indicator.effect == Effect::Evidence && (indicator.weight_on(hit.field) >= PROOF_WEIGHT || indicator.low);
            if family == Family::Dns && sign.flow.server.port == 53 {
                if self.resolvers.insert(sign.flow.server.addr) {
                    self.touched.clients.insert(sign.flow.server.addr);
                }
            } else if proves && family != Family::Dns {
                let lesson = Lesson::from_flow(hit.indicator, indicator.teaches, &sign.flow, sign.ts);
                self.learn(sign.flow.server.addr, lesson);
            }
            let starts = indicator.starts && indicator.effect == Effect::Evidence && indicator.weight_on(hit.field) >= PROOF_WEIGHT;
            if let (true, Some(mac)) = (starts, sign.flow.client_mac) {
                self.watch_changed |= self.watch.macs.insert(mac);
            }
        }
        self.entry(&sign.flow, true).add(&sign);
    }

    fn traffic(&mut self, id: FlowId, last: Timestamp, bytes: [u64; 2], named: bool, ended: bool) {
        let Some(entry) = self.flows.get_mut(&id) else { return };
        self.touched.flows.insert(id);
        (entry.last, entry.bytes, entry.named, entry.ended) = (entry.last.max(last), bytes, named, ended);
        if let Some(device) = entry.device {
            self.sightings.see(device, entry.segment, entry.meta.client.addr, last);
        }
        if ended && named && entry.signs.is_empty() {
            // A flow to a learned address that turned out to be for somebody else.
            self.flows.remove(&id);
        }
    }

    fn answer(&mut self, ts: Timestamp, flow: &FlowMeta, indicator: IndicatorId, addr: IpAddr, ttl_secs: u32) {
        let teaches = self.rules.indicator(indicator).teaches;
        self.learn(addr, Lesson::from_answer(indicator, teaches, flow, ts, ttl_secs));
    }

    fn learn(&mut self, addr: IpAddr, lesson: Option<Lesson>) {
        let Some(lesson) = lesson else { return };
        if !self.learned.add(addr, lesson) {
            self.limits.add(Limit::Learned);
        }
        self.touched.servers.insert(addr);
        self.watch_changed |= self.watch.addrs.insert(addr);
    }

    fn bound(&mut self, bound: Bound) {
        if bound.source == BindingSource::Radius && !self.policy.radius_accounting {
            return;
        }
        let addr = bound.addr.or(bound.relay).unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        let segment = self.segment(bound.interface, &bound.path, addr);
        self.touched.clients.extend(bound.addr);
        self.touched.macs.extend(bound.mac);
        let segment = self.key_of(segment);
        self.identity.learn(&Fact {
            ts: bound.ts,
            segment,
            source: bound.source,
            mac: bound.mac,
            addr: bound.addr,
            name: bound.name,
            vendor_class: bound.vendor_class,
            parameters: bound.parameters,
            client_id: bound.client_id,
            v6: bound.v6,
            lifetime_secs: bound.lifetime_secs,
            relay: bound.relay,
            released: bound.released,
            router: bound.router,
        });
    }

    fn present(&mut self, ts: Timestamp, mac: Mac, addr: IpAddr, interface: u16, path: &Path) {
        let segment = self.segment(interface, path, addr);
        let key = self.key_of(segment);
        let device = self.identity.client(ts, key, Some(mac), addr);
        self.touched.present.insert(device);
        self.sightings.see(device, segment, addr, ts);
        let span = self.presence.entry((device, segment)).or_insert((ts, ts));
        *span = (span.0.min(ts), span.1.max(ts));
    }
}

fn key_of_name(segment: &str) -> SegmentKey {
    let hash = ring::digest::digest(&ring::digest::SHA256, segment.as_bytes());
    SegmentKey(hash.as_ref().first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes)))
}
