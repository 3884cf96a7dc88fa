//! A small client of the sensor's API: one request on one connection, with a bound on time and size.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args as ClapArgs;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use crate::cli::safe::{printable, printable_up_to};
use crate::cli::{Exit, Failure};

/// An answer must be there after so long.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same where the sensor has to load and judge everything anew.
const PATIENCE_FOR_WORK: Duration = Duration::from_secs(35);
/// Bytes of an answer: a page of 200 findings has about 500 kB.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// What the system trusts, on Debian and on Fedora.
const SYSTEM_ROOTS: &[&str] = &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];
/// The port where the URL names none.
const PORT: u16 = 9477;

/// Which sensor is asked.
#[derive(Debug, ClapArgs)]
pub struct Sensor {
    /// Where the sensor serves its API
    #[arg(long, default_value = "http://127.0.0.1:9477")]
    url: String,
    /// A file with the token that the sensor asks for
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Whom to trust over https, PEM; without it, what the system trusts
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl Sensor {
    /// A client of it.
    ///
    /// # Errors
    /// [`Failure`] when the URL is none, or a file cannot be read.
    pub fn client(&self) -> Result<Client, Failure> {
        Client::new(&self.url, self.token_file.as_deref(), self.ca.as_deref())
    }
}

/// What the sensor has against a request (RFC 9457).
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    detail: String,
    remedy: String,
    problems: Vec<String>,
}

type Broken = Box<dyn std::error::Error + Send + Sync>;

/// A request.
struct Asked<'a> {
    method: Method,
    path: &'a str,
    body: Vec<u8>,
    patience: Duration,
}

/// A client of one sensor.
pub struct Client {
    runtime: tokio::runtime::Runtime,
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
    token: Option<String>,
}

impl Client {
    /// A client for a URL.
    ///
    /// # Errors
    /// [`Failure`] when the URL is none, or a file cannot be read.
    pub fn new(url: &str, token_file: Option<&Path>, ca: Option<&Path>) -> Result<Client, Failure> {
        let bad = || Failure::new(Exit::Usage, format!("`{url}` is no URL of a sensor"), "such as http://127.0.0.1:9477".to_string());
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(bad()),
        };
        let host = uri.host().ok_or_else(bad)?.to_string();
        if !matches!(uri.path(), "" | "/") {
            return Err(bad());
        }
        let token = token_file.map(|path| text(path).map(|t| t.trim().to_string())).transpose()?;
        let tls = secure.then(|| connector(ca)).transpose()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Failure::new(Exit::Software, format!("no runtime: {e}"), None))?;
        Ok(Client { runtime, host, port: uri.port_u16().unwrap_or(PORT), tls, token })
    }

    /// What a path answers with.
    ///
    /// # Errors
    /// [`Failure`] when nothing answers, or not with that.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Asked { method: Method::GET, path, body: Vec::new(), patience: PATIENCE })
    }

    /// What a path answers with when it is to do something, which may take half a minute.
    ///
    /// # Errors
    /// [`Failure`] when nothing answers, or it is refused; what is wrong stands in its message, a line each.
    pub fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Asked { method: Method::POST, path, body: Vec::new(), patience: PATIENCE_FOR_WORK })
    }

    /// The same with a body that says what.
    ///
    /// # Errors
    /// As for [`Client::post`].
    pub fn post_with<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        // Structs with text keys are always JSON.
        let body = serde_json::to_vec(body).unwrap_or_default();
        self.ask(Asked { method: Method::POST, path, body, patience: PATIENCE_FOR_WORK })
    }

    fn ask<T: DeserializeOwned>(&self, asked: Asked<'_>) -> Result<T, Failure> {
        let (path, patience) = (asked.path, asked.patience);
        let timed = async { tokio::time::timeout(patience, self.fetch(asked)).await };
        let answer = self.runtime.block_on(timed).map_err(|_| Broken::from("no answer in time"));
        let (status, body) = answer.and_then(|a| a).map_err(|e| self.unreachable(&e))?;
        match status {
            200 => serde_json::from_slice(&body).map_err(|e| {
                let help = "is this a sensor, of this version?".to_string();
                Failure::new(Exit::Data, format!("{}{path}: {e}", self.name()), help)
            }),
            401 => Err(Failure::new(Exit::Permission, format!("{} asks for another token", self.name()), "give --token-file".to_string())),
            403 => Err(Failure { exit: Exit::Permission, ..self.refused(path, status, &body) }),
            _ => Err(self.refused(path, status, &body)),
        }
    }

    fn refused(&self, path: &str, status: u16, body: &[u8]) -> Failure {
        let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
        if refusal.detail.is_empty() {
            return Failure::new(Exit::Data, format!("{}{path}: {status} {}", self.name(), printable_up_to(body, 200)), None);
        }
        let exit = if refusal.problems.is_empty() { Exit::Unavailable } else { Exit::Config };
        let lines = refusal.problems.iter().map(|p| format!("\n  {}", printable(p.as_bytes())));
        let message = lines.fold(printable(refusal.detail.as_bytes()), |text, line| text + &line);
        Failure::new(exit, message, Some(printable(refusal.remedy.as_bytes())))
    }

    async fn fetch(&self, asked: Asked<'_>) -> Result<(u16, Bytes), Broken> {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((bare, self.port)).await?;
        match &self.tls {
            None => self.exchange(stream, asked).await,
            Some(tls) => self.exchange(tls.connect(ServerName::try_from(bare.to_string())?, stream).await?, asked).await,
        }
    }

    async fn exchange<S>(&self, stream: S, asked: Asked<'_>) -> Result<(u16, Bytes), Broken>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let mut request = Request::builder().method(asked.method).uri(asked.path).header(HOST, format!("{}:{}", self.host, self.port));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if !asked.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let response = sender.send_request(request.body(Full::new(Bytes::from(asked.body)))?).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await?.to_bytes();
        driver.abort();
        Ok((status, body))
    }

    fn name(&self) -> String {
        format!("{}://{}:{}", if self.tls.is_some() { "https" } else { "http" }, self.host, self.port)
    }

    fn unreachable(&self, error: &Broken) -> Failure {
        let help = "is the sensor running (`systemctl status ringfence`), and is this its http.listen? --url says where".to_string();
        Failure::new(Exit::NoInput, format!("{}: {error}", self.name()), help)
    }
}

/// A name as a part of a path: what has a meaning in paths is written as `%XX` (RFC 3986 section 2.1).
pub fn segment(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b':');
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|e| Failure::input(&path.display().to_string(), &e))
}

fn connector(ca: Option<&Path>) -> Result<TlsConnector, Failure> {
    let system = || SYSTEM_ROOTS.iter().map(Path::new).find(|p| p.exists());
    let path = ca.or_else(system).ok_or_else(|| {
        Failure::new(Exit::NoInput, "this system has no list of certificate authorities", "give the sensor's own with --ca".to_string())
    })?;
    let broken = |e: String| Failure::new(Exit::Config, format!("{}: {e}", path.display()), "a file in PEM form".to_string());
    let mut roots = RootCertStore::empty();
    let pem = text(path)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok).collect();
    if roots.add_parsable_certificates(certificates).0 == 0 {
        return Err(broken("there is no certificate in it".to_string()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| broken(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
