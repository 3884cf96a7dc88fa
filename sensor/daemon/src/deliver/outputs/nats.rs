//! NATS JetStream: an event counts as taken when the stream has stored it. Its id is the message's id, by which the stream drops copies
//! within its `duplicate_window`.
//!
//! Of one finding one message is on its way at a time, so what the stream keeps is in order also where an acknowledgement was lost.

use std::io;
use std::path::Path;
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{Context, ContextBuilder, stream};

use crate::config::Output as Settings;
use crate::deliver::format::{self, Format};
use crate::deliver::{Event, Failure, Kind, Output, Sending, event, net};

/// The row of the table.
pub const KIND: Kind = Kind {
    name: "nats",
    about: "NATS JetStream",
    formats: &["json", "eve", "ecs", "ocsf"],
    schemes: &["nats", "tls"],
    port: 4222,
    make: |settings| Box::new(Nats { settings: settings.clone(), format: settings.format.unwrap_or(format::FORMATS[0]), context: None }),
};

/// How long an acknowledgement, or a connection, may take.
const SOON: Duration = Duration::from_secs(5);
/// For how long a stream that is made here knows which messages it has: a far end that was down longer may get copies.
const KNOWS_COPIES: Duration = Duration::from_secs(2 * 3_600);

struct Nats {
    settings: Settings,
    format: Format,
    /// While it is connected.
    context: Option<Context>,
}

impl Nats {
    async fn deliver(&mut self, events: &[Event]) -> Result<(), Failure> {
        let context = match &self.context {
            Some(context) => context.clone(),
            None => self.connect().await.map_err(|e| Failure::later(0, e))?,
        };
        self.context = Some(context.clone());
        let mut taken = 0;
        while let Some(rest) = events.get(taken..).filter(|rest| !rest.is_empty()) {
            let (got, outcome) = self.wave(&context, &rest[..event::apart(rest)]).await;
            taken += got;
            if let Err(error) = outcome {
                // Whatever is wrong: a fresh connection leaves nothing of this one behind.
                self.context = None;
                return Err(Failure { taken, refused: error.kind() == PublishErrorKind::MaxPayloadExceeded, what: self.told(&error) });
            }
        }
        Ok(())
    }

    /// Publishes together, then waits for each; how many, from the front, are stored.
    async fn wave(&self, context: &Context, events: &[Event]) -> (usize, Result<(), PublishError>) {
        let (mut sent, mut outcome) = (Vec::new(), Ok(()));
        for event in events {
            let message = PublishMessage::build().payload((self.format.render)(event).into()).message_id(&event.id);
            match context.send_publish(self.settings.channel.clone(), message).await {
                Ok(answer) => sent.push(answer),
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        let mut stored = 0;
        for answer in sent {
            if let Err(error) = answer.await {
                return (stored, Err(error));
            }
            stored += 1;
        }
        (stored, outcome)
    }

    async fn connect(&self) -> io::Result<Context> {
        let endpoint = self.settings.endpoint.as_ref().ok_or_else(|| io::Error::other("there is no endpoint"))?;
        let mut options = ConnectOptions::new().name("ringfence").connection_timeout(SOON).max_reconnects(1).ignore_discovered_servers();
        if endpoint.tls {
            options = options.require_tls(true).tls_client_config(net::client_config(&self.settings.tls)?);
        }
        if let Some(path) = &self.settings.secret_file {
            options = signed_in(options, path)?;
        }
        let client = options.connect(format!("{}://{}", endpoint.scheme, endpoint.authority())).await.map_err(io::Error::other)?;
        let context = ContextBuilder::new().timeout(SOON).ack_timeout(SOON).build(client);
        if let Some(name) = &self.settings.stream {
            let wanted = stream::Config {
                name: name.clone(),
                subjects: vec![self.settings.channel.clone()],
                duplicate_window: KNOWS_COPIES,
                ..stream::Config::default()
            };
            context.get_or_create_stream(wanted).await.map_err(|e| io::Error::other(format!("stream {name}: {e}")))?;
        }
        Ok(context)
    }

    fn told(&self, error: &PublishError) -> String {
        match error.kind() {
            PublishErrorKind::StreamNotFound => {
                format!("no stream takes {}: make one, or name one as `stream` to have it made", self.settings.channel)
            }
            _ => std::error::Error::source(error).map_or_else(|| error.to_string(), |why| format!("{error}: {why}")),
        }
    }
}

/// What the file holds says how we are known: credentials (a JWT and its key), the seed of an NKey, `user:password`, or a token.
fn signed_in(options: ConnectOptions, path: &Path) -> io::Result<ConnectOptions> {
    let secret = net::secret(path)?;
    if secret.contains("-----BEGIN") {
        return options.credentials(&secret).map_err(|e| io::Error::other(format!("{}: {e}", path.display())));
    }
    if secret.starts_with("SU") && secret.len() == 58 {
        return Ok(options.nkey(secret));
    }
    Ok(match secret.split_once(':') {
        Some((user, password)) => options.user_and_password(user.to_string(), password.to_string()),
        None => options.token(secret),
    })
}

impl Output for Nats {
    fn send<'a>(&'a mut self, events: &'a [Event]) -> Sending<'a> {
        Box::pin(self.deliver(events))
    }

    fn reset(&mut self) {
        self.context = None;
    }
}
