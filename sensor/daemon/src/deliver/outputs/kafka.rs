//! Kafka, by librdkafka: an event counts as taken when every replica that is in step has it. The key is the finding, so the events of one
//! finding are in one partition, in order; the header `id` lets a reader drop copies.
//!
//! The producer is idempotent: its own repetitions leave no copies. Of one finding one message is on its way at a time.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};

use crate::config::{Endpoint, Output as Settings};
use crate::deliver::format::{self, Format};
use crate::deliver::{Event, Failure, Kind, Output, Sending, event};

/// The row of the table.
pub const KIND: Kind = Kind {
    name: "kafka",
    about: "Kafka",
    formats: &["json", "eve", "ecs", "ocsf"],
    schemes: &["kafka"],
    port: 9092,
    make: |settings| Box::new(Kafka { settings: settings.clone(), format: settings.format.unwrap_or(format::FORMATS[0]), producer: None }),
};

/// How long librdkafka tries before a message has failed: shorter than the patience with an output that says nothing.
const TRIES: Duration = Duration::from_secs(15);
/// The largest message, bytes.
const MESSAGE_MAX: usize = 1_000_000;

struct Kafka {
    settings: Settings,
    format: Format,
    producer: Option<FutureProducer>,
}

impl Kafka {
    async fn deliver(&mut self, events: &[Event]) -> Result<(), Failure> {
        let producer = match &self.producer {
            Some(producer) => producer.clone(),
            None => self.connect().map_err(|e| Failure::later(0, e))?,
        };
        self.producer = Some(producer.clone());
        let mut taken = 0;
        while let Some(rest) = events.get(taken..).filter(|rest| !rest.is_empty()) {
            let (got, outcome) = self.wave(&producer, &rest[..event::apart(rest)]).await;
            taken += got;
            if let Err(error) = outcome {
                if producer.client().fatal_error().is_some() {
                    self.reset();
                }
                let refused = error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge);
                return Err(Failure { taken, what: self.told(&error), refused });
            }
        }
        Ok(())
    }

    /// Hands over together, then waits for each; how many, from the front, the far end has.
    async fn wave(&self, producer: &FutureProducer, events: &[Event]) -> (usize, Result<(), KafkaError>) {
        let (mut sent, mut outcome) = (Vec::new(), Ok(()));
        for event in events {
            let text = (self.format.render)(event);
            let key = event.happened().map_or("held", |h| &h.tracked.finding.id);
            let headers = OwnedHeaders::new().insert(Header { key: "id", value: Some(&event.id) });
            match producer.send_result(FutureRecord::to(&self.settings.channel).key(key).payload(&text).headers(headers)) {
                Ok(delivery) => sent.push(delivery),
                Err((error, _)) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        let mut stored = 0;
        for delivery in sent {
            match delivery.await {
                Ok(Ok(_)) => stored += 1,
                Ok(Err((error, _))) => return (stored, Err(error)),
                Err(_) => return (stored, Err(KafkaError::Canceled)),
            }
        }
        (stored, outcome)
    }

    fn told(&self, error: &KafkaError) -> String {
        let at = self.settings.endpoint.as_ref().map(Endpoint::authority).unwrap_or_default();
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageTimedOut) => format!("{at}: no broker has acknowledged within {} s", TRIES.as_secs()),
            _ => format!("{at}: {error}"),
        }
    }

    fn connect(&self) -> Result<FutureProducer, String> {
        let endpoint = self.settings.endpoint.as_ref().ok_or("there is no endpoint")?;
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", endpoint.authority())
            .set("client.id", "ringfence")
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", TRIES.as_millis().to_string())
            .set("message.max.bytes", MESSAGE_MAX.to_string())
            .set("linger.ms", "5")
            .set("reconnect.backoff.max.ms", "2000");
        config.create().map_err(|e| e.to_string())
    }
}

impl Output for Kafka {
    fn send<'a>(&'a mut self, events: &'a [Event]) -> Sending<'a> {
        Box::pin(self.deliver(events))
    }

    fn reset(&mut self) {
        // It waits for its threads when it is dropped.
        let old = self.producer.take();
        tokio::task::spawn_blocking(move || drop(old));
    }
}
