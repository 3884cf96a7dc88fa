//! Kafka: librdkafka's own mock of a cluster, whose brokers go down, refuse and are slow.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use ringfence_core::ledger::Event;
use ringfence_tests::lab::wait_until;
use ringfence_tests::outage::far::FarEnd;
use ringfence_tests::outage::kafka::{BROKERS, Kafka, PARTITIONS, TOPIC};
use ringfence_tests::outputs::{Source, id, tracked};

use super::SOON;

fn delivered(source: &Source) {
    wait_until("nothing waits", SOON, || {
        let standing = source.desk.board().all()["kafka"].clone();
        if standing.depth == 0 && standing.problem.is_empty() { Ok(()) } else { Err(standing) }
    });
}

#[test]
fn an_event_has_its_finding_as_key_and_its_id_beside_it() {
    let (dir, kafka) = (tempfile::tempdir().expect("a folder"), Kafka::start());
    let mut source = Source::open(dir.path(), &kafka.output());
    source.opens(0..200);
    delivered(&source);
    source.end();
    let there = kafka.got().expect("readable");
    assert_eq!((there.len(), there.iter().map(|m| &m.id).collect::<BTreeSet<_>>().len()), (200, 200));
    for message in &there {
        assert_eq!((message.event["id"].as_str(), message.event["finding"]["id"].as_str()), (Some(&*message.id), Some(&*message.key)));
    }
    let keys: BTreeSet<String> = there.iter().map(|m| m.key.clone()).collect();
    assert_eq!(keys, (0..200).map(id).collect());
    assert!(there.iter().map(|m| m.partition).collect::<BTreeSet<_>>().len() > 1, "they are spread");
}

/// What happens in a round; the mock does not choose new leaders by itself.
fn trouble(kafka: &Kafka, round: i32) {
    use RDKafkaRespErr::{
        RD_KAFKA_RESP_ERR__TRANSPORT as CUT, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS as ALONE,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION as MOVED,
    };
    match round {
        0 => kafka.cluster.request_errors(RDKafkaApiKey::Produce, &[ALONE, CUT, MOVED, CUT]),
        3 => kafka.all(false),
        4 => kafka.slow(Duration::from_millis(400)),
        _ => kafka.cluster.broker_down(round % BROKERS + 1).expect("down"),
    }
}

/// Leaders die and move, requests are refused and slow, the whole cluster is away for longer than the client tries.
#[test]
fn nothing_is_lost_and_each_finding_is_in_order() {
    let (dir, kafka) = (tempfile::tempdir().expect("a folder"), Kafka::start());
    let mut source = Source::open(dir.path(), &kafka.output());
    let mut written = 0;
    for round in 0..5 {
        trouble(&kafka, round);
        for n in 0..80 {
            let event = [Event::Opened, Event::Acknowledged, Event::Resolved, Event::Reopened][(written / 10) % 4];
            source.happens(event, tracked(n % 10));
            written += 1;
        }
        match round {
            1 | 2 => {
                let leader = (round % BROKERS + 1) % BROKERS + 1;
                (0..PARTITIONS).for_each(|p| kafka.cluster.partition_leader(TOPIC, p, Some(leader)).expect("moved"));
            }
            3 => wait_until("it is told", SOON, || {
                let standing = source.desk.board().all()["kafka"].clone();
                if standing.problem.contains("no broker has acknowledged within 15 s") { Ok(()) } else { Err(standing) }
            }),
            _ => {}
        }
        if round == 3 {
            kafka.all(true);
        }
        delivered(&source);
        kafka.all(true);
    }
    source.end();
    kafka.slow(Duration::ZERO);
    let there = kafka.got().expect("readable");
    assert_eq!(there.iter().map(|m| &m.id).collect::<BTreeSet<_>>().len(), written, "every event, by its id");
    let mut latest: BTreeMap<&str, u64> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    // A copy may come again; what comes first is in order.
    for message in there.iter().filter(|m| seen.insert(&m.id)) {
        let seq = message.event["seq"].as_u64().expect("a number");
        let before = latest.insert(&message.key, seq);
        assert!(before.is_none_or(|before| before < seq), "{before:?} before {seq}");
    }
}
