//! Kafka as a far end: librdkafka's own mock of a cluster. No gate can stand before it, for brokers say where they are; it gets into
//! trouble by itself.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::far::{FarEnd, Seen};
use super::gate::Trouble;
use crate::sensor::Json;

/// The topic.
pub const TOPIC: &str = "sec.findings";
/// Its partitions.
pub const PARTITIONS: i32 = 3;
/// Brokers of the cluster, numbered from 1.
pub const BROKERS: i32 = 3;

/// A message as a reader gets it.
pub struct Got {
    /// Its partition.
    pub partition: i32,
    /// Its key.
    pub key: String,
    /// The header `id`.
    pub id: String,
    /// The event.
    pub event: Json,
}

/// A cluster.
pub struct Kafka {
    /// The mock.
    pub cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Kafka {
    /// Starts it.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start() -> Kafka {
        let cluster = MockCluster::new(BROKERS).expect("a cluster");
        cluster.create_topic(TOPIC, PARTITIONS, BROKERS).expect("a topic");
        Kafka { cluster }
    }

    /// Every broker goes down, or comes back.
    ///
    /// # Panics
    /// When the mock refuses.
    pub fn all(&self, up: bool) {
        for broker in 1..=BROKERS {
            let done = if up { self.cluster.broker_up(broker) } else { self.cluster.broker_down(broker) };
            done.expect("a broker");
        }
    }

    /// How long every broker takes for an answer.
    ///
    /// # Panics
    /// When the mock refuses.
    pub fn slow(&self, delay: Duration) {
        (1..=BROKERS).for_each(|broker| self.cluster.broker_round_trip_time(broker, delay).expect("a broker"));
    }

    /// Every message, read from the beginning of every partition until there is no more.
    ///
    /// # Errors
    /// When there is no answer in time.
    pub fn got(&self) -> Result<Vec<Got>, String> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.cluster.bootstrap_servers()).set("group.id", "reader").set("enable.partition.eof", "true");
        let consumer: BaseConsumer = config.create().map_err(|e| e.to_string())?;
        let mut all = TopicPartitionList::new();
        (0..PARTITIONS).try_for_each(|p| all.add_partition_offset(TOPIC, p, Offset::Beginning)).map_err(|e| e.to_string())?;
        consumer.assign(&all).map_err(|e| e.to_string())?;
        let (mut found, mut ended) = (Vec::new(), BTreeSet::new());
        while ended.len() < PARTITIONS as usize {
            match consumer.poll(Duration::from_secs(30)).ok_or("no answer in time")? {
                Ok(message) => {
                    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
                    let header = message.headers().map(|h| h.get(0)).filter(|h| h.key == "id").ok_or("no header")?;
                    let event = serde_json::from_slice(message.payload().unwrap_or_default()).map_err(|e| e.to_string())?;
                    found.push(Got { partition: message.partition(), key: text(message.key()), id: text(header.value), event });
                }
                Err(KafkaError::PartitionEOF(partition)) => drop(ended.insert(partition)),
                // The reader tries again by itself.
                Err(_) => {}
            }
        }
        Ok(found)
    }
}

impl FarEnd for Kafka {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn output(&self) -> String {
        let brokers = self.cluster.bootstrap_servers();
        let first = brokers.split(',').next().unwrap_or_default();
        format!("[[output]]\nname = \"kafka\"\nkind = \"kafka\"\nidentities = true\nendpoint = \"kafka://{first}\"\ntopic = \"{TOPIC}\"\n")
    }

    fn falls_into(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::None => {}
            Trouble::Slow => self.slow(Duration::from_millis(400)),
            Trouble::Hangs | Trouble::Deaf | Trouble::Stopped => self.slow(Duration::from_secs(600)),
            Trouble::Broken | Trouble::Cut | Trouble::Killed => self.all(false),
        }
    }

    fn recovers(&mut self) {
        self.slow(Duration::ZERO);
        self.all(true);
    }

    fn seen(&self) -> Result<Vec<Seen>, String> {
        Ok(self.got()?.into_iter().map(|m| Seen { finding: m.key, event: m.id }).collect())
    }
}
