//! Connections that go out: TCP, TLS by rustls with ring, and one HTTP request on one connection.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use crate::config::{Endpoint, OutputTls};

/// What the system trusts, on Debian and on Fedora.
const SYSTEM_ROOTS: &[&str] = &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// A stream, with TLS or without.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Connects; with TLS where the endpoint says so. Files are read anew each time: certificates are renewed on disk.
///
/// # Errors
/// What does not work, with the file where one is to blame.
pub async fn connect(endpoint: &Endpoint, tls: &OutputTls) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?;
    stream.set_nodelay(true)?;
    if !endpoint.tls {
        return Ok(Box::new(stream));
    }
    let name = ServerName::try_from(endpoint.host.clone()).map_err(io::Error::other)?;
    Ok(Box::new(TlsConnector::from(Arc::new(client_config(tls)?)).connect(name, stream).await?))
}

/// The first address of an endpoint.
///
/// # Errors
/// When its name is not known.
pub async fn resolve(endpoint: &Endpoint) -> io::Result<SocketAddr> {
    let mut found = lookup_host((endpoint.host.as_str(), endpoint.port)).await?;
    found.next().ok_or_else(|| io::Error::other(format!("{} has no address", endpoint.host)))
}

/// A client's side of TLS: whom it trusts, and who it is.
///
/// # Errors
/// What is wrong with which file.
pub fn client_config(tls: &OutputTls) -> io::Result<ClientConfig> {
    let system = || SYSTEM_ROOTS.iter().map(PathBuf::from).find(|p| p.exists());
    let ca =
        tls.ca.clone().or_else(system).ok_or_else(|| io::Error::other("this system has no list of certificate authorities; set `ca`"))?;
    let mut roots = RootCertStore::empty();
    if roots.add_parsable_certificates(certificates(&ca)?).0 == 0 {
        return Err(told(&ca, "there is no certificate in it"));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots);
    Ok(match (&tls.certificate, &tls.key) {
        (Some(chain), Some(key)) => {
            let private = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|e| told(key, e))?;
            config.with_client_auth_cert(certificates(chain)?, private).map_err(|e| told(chain, e))?
        }
        _ => config.with_no_client_auth(),
    })
}

fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    Ok(CertificateDer::pem_slice_iter(&read(path)?).filter_map(Result::ok).collect())
}

/// A file, or an error that names it.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| told(path, e))
}

/// The secret in a file, without the end of its line.
///
/// # Errors
/// When it cannot be read or is empty.
pub fn secret(path: &Path) -> io::Result<String> {
    let text = String::from_utf8(read(path)?).map_err(|e| told(path, e))?;
    let text = text.trim();
    if text.is_empty() { Err(told(path, "is empty")) } else { Ok(text.to_string()) }
}

fn told(path: &Path, what: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {what}", path.display()))
}

/// Posts JSON; the status and the beginning of what was answered.
///
/// # Errors
/// When there is no answer.
pub async fn post(endpoint: &Endpoint, tls: &OutputTls, body: Vec<u8>, headers: &[(&'static str, String)]) -> io::Result<(u16, String)> {
    let stream = connect(endpoint, tls).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let driver = tokio::spawn(connection);
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(&endpoint.path)
        .header(HOST, endpoint.authority())
        .header(USER_AGENT, concat!("ringfence/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(HeaderName::from_static(name), value);
    }
    let request = request.body(Full::new(Bytes::from(body))).map_err(io::Error::other)?;
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    driver.abort();
    Ok((status, String::from_utf8_lossy(&body).chars().take(200).filter(|c| !c.is_control()).collect()))
}
