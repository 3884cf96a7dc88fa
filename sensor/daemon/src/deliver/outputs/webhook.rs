//! JSON posted over HTTP, signed: `x-ringfence-signature: v1=` and the HMAC-SHA256 of timestamp, a dot, and the body, under the secret
//! that both ends know. The timestamp lets the far end refuse what somebody recorded and sends again.

use ring::hmac;

use crate::clock::now;
use crate::config::Output as Settings;
use crate::deliver::format::{self, Format};
use crate::deliver::{Event, Failure, Kind, Output, Sending, net};

/// The row of the table.
pub const KIND: Kind = Kind {
    name: "webhook",
    about: "JSON over HTTP, signed",
    formats: &["json", "eve", "ecs", "ocsf"],
    schemes: &["http", "https"],
    port: 443,
    make: |settings| Box::new(Webhook { settings: settings.clone(), format: settings.format.unwrap_or(format::FORMATS[0]), careful: 0 }),
};

/// Events that are posted together.
const AT_ONCE: usize = 64;

struct Webhook {
    settings: Settings,
    format: Format,
    /// So many events are posted one by one, to find the one that is refused.
    careful: usize,
}

/// The signature of a body.
pub fn signature(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()));
    context.update(timestamp.as_bytes());
    context.update(b".");
    context.update(body);
    let tag: String = context.sign().as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("v1={tag}")
}

impl Webhook {
    async fn post(&mut self, events: &[Event]) -> Result<(), Failure> {
        let endpoint = self.settings.endpoint.as_ref().ok_or_else(|| Failure::later(0, "there is no endpoint"))?;
        let lines: Vec<String> = events.iter().map(self.format.render).collect();
        let body = format!("{{\"events\":[{}]}}", lines.join(",")).into_bytes();
        let mut headers = Vec::new();
        if let Some(path) = &self.settings.secret_file {
            let timestamp = now().secs().to_string();
            let signature = signature(&net::secret(path).map_err(|e| Failure::later(0, e))?, &timestamp, &body);
            headers = vec![("x-ringfence-timestamp", timestamp), ("x-ringfence-signature", signature)];
        }
        let (status, said) = net::post(endpoint, &self.settings.tls, body, &headers).await.map_err(|e| Failure::later(0, e))?;
        self.careful = self.careful.saturating_sub(1);
        match status {
            200..300 => Ok(()),
            // It understood, and will not have it: again would be in vain.
            400 | 413 | 422 if events.len() == 1 => Err(Failure { taken: 0, what: format!("HTTP {status} {said}"), refused: true }),
            400 | 413 | 422 => {
                self.careful = AT_ONCE;
                Err(Failure::later(0, format!("HTTP {status} {said}; events are sent one by one")))
            }
            _ => Err(Failure::later(0, format!("HTTP {status} {said}"))),
        }
    }
}

impl Output for Webhook {
    fn send<'a>(&'a mut self, events: &'a [Event]) -> Sending<'a> {
        Box::pin(self.post(events))
    }

    fn at_once(&self) -> usize {
        if self.careful > 0 { 1 } else { AT_ONCE }
    }
}
