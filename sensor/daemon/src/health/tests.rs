//! Each kind of alarm: begins when it should, does not when it should not, ends, and does not flap.

use super::*;

/// A sensor with one interface, fed second by second.
struct Day {
    health: Health,
    sample: Sample,
    told: Vec<Alarm>,
}

impl Day {
    /// Capturing on `span0`.
    fn new() -> Self {
        let link = LinkView { interface: "span0".into(), state: LinkState::Capturing, ..LinkView::default() };
        let rings = vec![RingSample { link, counts: RingCounts::default() }];
        let now = Timestamp::from_secs_nanos(1_700_000_000, 0);
        let sample = Sample { now, uptime: Duration::ZERO, rings, ..Sample::default() };
        let mut day = Day { health: Health::new(Bars::default()), sample, told: Vec::new() };
        day.told = day.health.feed(&day.sample);
        day
    }

    /// Some seconds pass, in each of which `change` happens.
    fn pass(&mut self, secs: u64, mut change: impl FnMut(&mut RingSample)) -> &mut Self {
        for _ in 0..secs {
            self.sample.uptime += Duration::from_secs(1);
            self.sample.now = self.sample.now.after(Duration::from_secs(1));
            change(&mut self.sample.rings[0]);
            self.told = self.health.feed(&self.sample);
        }
        self
    }

    fn traffic(&mut self, secs: u64) -> &mut Self {
        self.pass(secs, |ring| ring.link.received += 100)
    }

    fn stand(&mut self, state: LinkState) -> &mut Self {
        self.sample.rings[0].link.state = state;
        self
    }

    fn kinds(&self) -> Vec<AlarmKind> {
        self.told.iter().map(|a| a.kind).collect()
    }

    fn is(&self, kinds: &[AlarmKind]) {
        assert_eq!(self.kinds(), kinds, "{:#?}", self.told);
    }
}

#[test]
fn an_interface_that_is_missing_down_or_refused() {
    let cases = [
        (LinkState::Waiting, AlarmKind::InterfaceMissing, 3, 5),
        (LinkState::Gone, AlarmKind::InterfaceMissing, 3, 5),
        (LinkState::Down, AlarmKind::InterfaceDown, 3, 5),
        (LinkState::Refused, AlarmKind::Permission, 0, 0),
    ];
    for (state, kind, raise, clear) in cases {
        let mut day = Day::new();
        day.traffic(5).is(&[]);
        day.sample.rings[0].link.error = Some("why".into());
        let began = day.sample.now.after(Duration::from_secs(1));
        day.stand(state).pass(raise, |_| {}).is(&[]);
        day.pass(1, |_| {}).is(&[kind]);
        assert_eq!(day.told[0], Alarm { kind, interface: Some("span0".into()), since: began, detail: "why".into() });
        day.stand(LinkState::Capturing).traffic(clear).is(&[kind]);
        day.traffic(1).is(&[]);
    }
}

#[test]
fn an_interface_that_flaps_is_one_alarm() {
    let mut day = Day::new();
    day.stand(LinkState::Down).pass(4, |_| {}).is(&[AlarmKind::InterfaceDown]);
    let since = day.told[0].since;
    for _ in 0..10 {
        day.stand(LinkState::Capturing).traffic(2).is(&[AlarmKind::InterfaceDown]);
        day.stand(LinkState::Down).pass(1, |_| {}).is(&[AlarmKind::InterfaceDown]);
    }
    assert_eq!(day.told[0].since, since);
    // A blink is no alarm at all.
    let mut day = Day::new();
    day.stand(LinkState::Down).pass(2, |_| {}).stand(LinkState::Capturing).traffic(9).is(&[]);
}

#[test]
fn silence_where_there_was_traffic() {
    let mut day = Day::new();
    day.traffic(5).pass(59, |_| {}).is(&[]);
    day.pass(1, |_| {}).is(&[AlarmKind::Silence]);
    assert!(day.told[0].detail.contains("no frame for 60 s"), "{}", day.told[0].detail);
    day.pass(500, |_| {}).is(&[AlarmKind::Silence]);
    day.traffic(10).is(&[AlarmKind::Silence]);
    day.traffic(1).is(&[]);
    // Where there never was any, and where there is a frame now and then, nobody is alarmed.
    Day::new().pass(500, |_| {}).is(&[]);
    let mut day = Day::new();
    day.pass(9, |ring| ring.link.received += 1).pass(500, |_| {}).is(&[]);
    // A link that is down is not silent, and has its time when it is back.
    let mut day = Day::new();
    day.traffic(5).stand(LinkState::Down).pass(200, |_| {}).is(&[AlarmKind::InterfaceDown]);
    day.stand(LinkState::Capturing).pass(59, |_| {}).is(&[]);
    day.pass(1, |_| {}).is(&[AlarmKind::Silence]);
}

#[test]
fn one_direction_only() {
    let flows = |one_way: u64| {
        move |ring: &mut RingSample| {
            ring.link.received += 100;
            ring.counts.flows += 10;
            ring.counts.flows_one_way += one_way;
        }
    };
    let mut day = Day::new();
    day.pass(1, flows(9)).is(&[]);
    day.pass(2, flows(9)).is(&[AlarmKind::OneWay]);
    // Between half of the bar and the bar it stays, and below it ends after its time.
    day.pass(300, flows(4)).is(&[AlarmKind::OneWay]);
    day.pass(100, flows(1)).is(&[]);
    day.pass(300, flows(4)).is(&[]);
}

#[test]
fn lost_frames() {
    let drops = |kernel: u64, nic: u64| {
        move |ring: &mut RingSample| {
            ring.link.received += 1_000;
            ring.link.dropped_kernel += kernel;
            ring.link.dropped_nic += nic;
        }
    };
    let mut day = Day::new();
    day.pass(100, drops(4, 4)).is(&[]);
    day.pass(60, drops(10, 10)).is(&[AlarmKind::Loss]);
    assert!(day.told[0].detail.contains("1200 of 61200 frames"), "{}", day.told[0].detail);
    day.pass(59, drops(0, 0)).is(&[AlarmKind::Loss]);
    day.pass(40, drops(0, 0)).is(&[]);
    let mut day = Day::new();
    day.traffic(5).pass(1, |ring| ring.counts.evidence_dropped += 1).is(&[AlarmKind::Loss]);
    // A window without a frame has no share, and nothing divides by it.
    Day::new().pass(100, drops(0, 0)).is(&[]);
}

#[test]
fn clocks_that_jump() {
    let mut day = Day::new();
    day.traffic(5).is(&[]);
    day.sample.now = day.sample.now.after(Duration::from_secs(3_600));
    day.traffic(1).is(&[AlarmKind::ClockStep]);
    assert!(day.told[0].detail.contains("3600.0 s") && day.told[0].interface.is_none(), "{:?}", day.told[0]);
    day.traffic(60).is(&[AlarmKind::ClockStep]);
    day.traffic(1).is(&[]);
    day.sample.now = day.sample.now.before(Duration::from_secs(3_600));
    day.traffic(1).is(&[AlarmKind::ClockStep]);
    // The frames' own clock; and one that is slewed is no step.
    let mut day = Day::new();
    day.traffic(5).pass(1, |ring| ring.counts.clock_steps += 1).is(&[AlarmKind::ClockStep]);
    let mut day = Day::new();
    for _ in 0..100 {
        day.sample.now = day.sample.now.after(Duration::from_millis(200));
        day.traffic(1).is(&[]);
    }
}

#[test]
fn work_that_was_left_out() {
    let mut day = Day::new();
    day.traffic(5).pass(1, |ring| ring.counts.shed += 5).is(&[AlarmKind::Shedding]);
    day.traffic(59).is(&[AlarmKind::Shedding]);
    day.traffic(1).is(&[]);
}

#[test]
fn a_store_or_a_reload_that_failed() {
    let mut day = Day::new();
    (day.sample.store_failing, day.sample.reload_failed) = (Some("the disk is full".into()), Some("rules/apps/x.toml".into()));
    day.traffic(1).is(&[AlarmKind::StoreFailing, AlarmKind::ReloadFailed]);
    assert_eq!(day.told[0].detail, "the disk is full");
    (day.sample.store_failing, day.sample.reload_failed) = (None, None);
    day.traffic(1).is(&[AlarmKind::StoreFailing]);
    day.traffic(10).is(&[]);
}

#[test]
fn an_output_that_fails_for_a_minute() {
    let mut day = Day::new();
    let output = |name: &str| OutputSample { name: name.into(), ..OutputSample::default() };
    day.sample.outputs = vec![output("siem"), output("soar")];
    day.traffic(5).is(&[]);
    day.sample.outputs[1].problem = "connection refused".into();
    day.traffic(60).is(&[]);
    day.traffic(1).is(&[AlarmKind::OutputFailing]);
    assert!(day.told[0].detail.starts_with("soar: connection refused"), "{:?}", day.told);
    day.sample.outputs[1].problem.clear();
    day.traffic(10).is(&[AlarmKind::OutputFailing]);
    day.traffic(1).is(&[]);
    // One that fails now and then is tried again, and no alarm.
    for _ in 0..30 {
        day.sample.outputs[0].problem = "HTTP 500".into();
        day.traffic(40).is(&[]);
        day.sample.outputs[0].problem.clear();
        day.traffic(11).is(&[]);
    }
}

#[test]
fn events_that_are_gone() {
    let mut day = Day::new();
    day.sample.outputs = vec![OutputSample { name: "siem".into(), ..OutputSample::default() }];
    day.traffic(5).is(&[]);
    day.sample.outputs[0].gone = 3;
    day.traffic(1).is(&[AlarmKind::OutputDropping]);
    day.sample.outputs[0].gone = 5;
    day.traffic(60).is(&[AlarmKind::OutputDropping]);
    assert!(day.told[0].detail.starts_with("siem: 5 events are gone"), "{:?}", day.told);
    day.traffic(2).is(&[]);
    day.sample.events_left_out = 7;
    day.traffic(1).is(&[AlarmKind::OutputDropping]);
    assert!(day.told[0].detail.starts_with("7 events found no room"), "{:?}", day.told);
    // An output that starts anew counts from nothing.
    day.traffic(70).is(&[]);
    day.sample.outputs[0].gone = 0;
    day.traffic(1).is(&[]);
    day.sample.outputs[0].gone = 1;
    day.traffic(1).is(&[AlarmKind::OutputDropping]);
}

#[test]
fn interfaces_are_judged_each_for_itself() {
    let mut day = Day::new();
    let mut other = day.sample.rings[0].clone();
    other.link.interface = "span1".into();
    day.sample.rings.push(other);
    day.traffic(5).pass(1, |ring| ring.counts.shed += 1).is(&[AlarmKind::Shedding]);
    assert_eq!(day.told[0].interface.as_deref(), Some("span0"));
    day.sample.rings[1].link.state = LinkState::Gone;
    day.traffic(4).is(&[AlarmKind::InterfaceMissing, AlarmKind::Shedding]);
    // An interface that is not configured any more alarms nobody.
    day.sample.rings.pop();
    day.traffic(6).is(&[AlarmKind::Shedding]);
}

#[test]
fn every_kind_has_one_row_and_one_word() {
    let mut names: Vec<_> = AlarmKind::all().map(AlarmKind::name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), KINDS.len());
    assert!(AlarmKind::all().is_sorted());
}
