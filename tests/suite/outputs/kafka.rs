//! Kafka: librdkafka's own mock of a cluster, whose brokers go down, refuse and are slow.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use ringfence_core::ledger::Event;
use ringfence_tests::lab::wait_until;
use ringfence_tests::outputs::{Source, id, tracked};
use ringfence_tests::sensor::Json;

use super::SOON;

type Cluster = MockCluster<'static, DefaultProducerContext>;

const TOPIC: &str = "sec.findings";
const PARTITIONS: i32 = 3;
const BROKERS: i32 = 3;

/// A message as a reader gets it.
struct Got {
    partition: i32,
    key: String,
    id: String,
    event: Json,
}

fn cluster() -> Cluster {
    let cluster = MockCluster::new(BROKERS).expect("a cluster");
    cluster.create_topic(TOPIC, PARTITIONS, BROKERS).expect("a topic");
    cluster
}

fn output(cluster: &Cluster) -> String {
    let brokers = cluster.bootstrap_servers();
    let first = brokers.split(',').next().expect("a broker");
    format!("[[output]]\nname = \"bus\"\nkind = \"kafka\"\nidentities = true\nendpoint = \"kafka://{first}\"\ntopic = \"{TOPIC}\"\n")
}

/// Every message, read from the beginning of every partition until there is no more.
fn got(cluster: &Cluster) -> Vec<Got> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", cluster.bootstrap_servers()).set("group.id", "reader").set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create().expect("a reader");
    let mut all = TopicPartitionList::new();
    (0..PARTITIONS).for_each(|p| all.add_partition_offset(TOPIC, p, Offset::Beginning).expect("added"));
    consumer.assign(&all).expect("assigned");
    let (mut found, mut ended) = (Vec::new(), BTreeSet::new());
    while ended.len() < PARTITIONS as usize {
        match consumer.poll(Duration::from_secs(30)).expect("an answer in time") {
            Ok(message) => {
                let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap_or_default().to_vec()).expect("text");
                let header = message.headers().expect("headers").get(0);
                assert_eq!(header.key, "id");
                found.push(Got {
                    partition: message.partition(),
                    key: text(message.key()),
                    id: text(header.value),
                    event: serde_json::from_slice(message.payload().expect("a payload")).expect("JSON"),
                });
            }
            Err(rdkafka::error::KafkaError::PartitionEOF(partition)) => drop(ended.insert(partition)),
            Err(error) => eprintln!("the reader tries again: {error}"),
        }
    }
    found
}

fn delivered(source: &Source) {
    wait_until("nothing waits", SOON, || {
        let standing = source.desk.board().all()["bus"].clone();
        if standing.depth == 0 && standing.problem.is_empty() { Ok(()) } else { Err(standing) }
    });
}

#[test]
fn an_event_has_its_finding_as_key_and_its_id_beside_it() {
    let (dir, cluster) = (tempfile::tempdir().expect("a folder"), cluster());
    let mut source = Source::open(dir.path(), &output(&cluster));
    source.opens(0..200);
    delivered(&source);
    source.end();
    let there = got(&cluster);
    assert_eq!((there.len(), there.iter().map(|m| &m.id).collect::<BTreeSet<_>>().len()), (200, 200));
    for message in &there {
        assert_eq!((message.event["id"].as_str(), message.event["finding"]["id"].as_str()), (Some(&*message.id), Some(&*message.key)));
    }
    let keys: BTreeSet<String> = there.iter().map(|m| m.key.clone()).collect();
    assert_eq!(keys, (0..200).map(id).collect());
    assert!(there.iter().map(|m| m.partition).collect::<BTreeSet<_>>().len() > 1, "they are spread");
}

/// Leaders die and move, requests are refused and slow, the whole cluster is away for longer than the client tries.
#[test]
fn nothing_is_lost_and_each_finding_is_in_order() {
    let (dir, cluster) = (tempfile::tempdir().expect("a folder"), cluster());
    let mut source = Source::open(dir.path(), &output(&cluster));
    let mut written = 0;
    for round in 0..5 {
        let down = round % BROKERS + 1;
        match round {
            0 => cluster.request_errors(
                RDKafkaApiKey::Produce,
                &[
                    RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                    RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT,
                    RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                    RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT,
                ],
            ),
            3 => (1..=BROKERS).for_each(|broker| cluster.broker_down(broker).expect("down")),
            4 => (1..=BROKERS).for_each(|b| cluster.broker_round_trip_time(b, Duration::from_millis(400)).expect("slow")),
            _ => cluster.broker_down(down).expect("down"),
        }
        for n in 0..80 {
            let event = [Event::Opened, Event::Acknowledged, Event::Resolved, Event::Reopened][(written / 10) % 4];
            source.happens(event, tracked(n % 10));
            written += 1;
        }
        match round {
            // The mock does not choose new leaders by itself.
            1 | 2 => (0..PARTITIONS).for_each(|p| cluster.partition_leader(TOPIC, p, Some(down % BROKERS + 1)).expect("moved")),
            3 => {
                wait_until("it is told", SOON, || {
                    let standing = source.desk.board().all()["bus"].clone();
                    if standing.problem.contains("no broker has acknowledged within 15 s") { Ok(()) } else { Err(standing) }
                });
                (1..=BROKERS).for_each(|broker| cluster.broker_up(broker).expect("up"));
            }
            _ => {}
        }
        delivered(&source);
        cluster.broker_up(down).expect("up");
    }
    source.end();
    (1..=BROKERS).for_each(|broker| cluster.broker_round_trip_time(broker, Duration::ZERO).expect("quick"));
    let there = got(&cluster);
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
