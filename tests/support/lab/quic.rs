//! A real QUIC client and server: quinn with rustls.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::rustls::pki_types::pem::PemObject;
use quinn::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use quinn::rustls::{self, RootCertStore};
use quinn::{ClientConfig, Endpoint, ServerConfig};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::Namespace;

const ALPN: &[u8] = b"h3";

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Servers that accept connections until they are dropped.
#[derive(Debug)]
pub struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Listens on each address.
    ///
    /// # Panics
    /// When the certificate cannot be used or an address not be bound.
    pub fn start(namespace: &Namespace, addresses: &[SocketAddr], certificate: &Path, key: &Path) -> Self {
        let chain = vec![CertificateDer::from_pem_file(certificate).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_file(key).expect("a key");
        let builder = rustls::ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().expect("TLS 1.3");
        let mut tls = builder.with_no_client_auth().with_single_cert(chain, key).expect("they belong together");
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).expect("QUIC suites")));
        let (stop, stopped) = oneshot::channel();
        let (ready, listening) = std::sync::mpsc::channel();
        let addresses = addresses.to_vec();
        let serve = move || {
            runtime().block_on(async move {
                let endpoint = |a: &SocketAddr| Endpoint::server(config.clone(), *a).expect("the address is free");
                let endpoints: Vec<Endpoint> = addresses.iter().map(endpoint).collect();
                for endpoint in endpoints {
                    tokio::spawn(accept(endpoint));
                }
                ready.send(()).expect("somebody waits");
                let _ = stopped.await;
            });
        };
        let thread = namespace.spawn(serve);
        listening.recv().expect("the QUIC servers listen");
        Server { stop: Some(stop), thread: Some(thread) }
    }
}

async fn accept(endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            if let Ok(connection) = incoming.await {
                connection.closed().await;
            }
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Connects to a name at an address, and closes the connection when it stands.
///
/// # Errors
/// When it does not stand within five seconds.
pub fn connect(from: &Namespace, to: SocketAddr, name: &str, certificate: &Path) -> io::Result<()> {
    let mut roots = RootCertStore::empty();
    let trusted = CertificateDer::from_pem_file(certificate).map_err(io::Error::other)?;
    roots.add(trusted).map_err(io::Error::other)?;
    let builder =
        rustls::ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let mut tls = builder.with_root_certificates(roots).with_no_client_auth();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).map_err(io::Error::other)?));
    let talk = async {
        let endpoint = Endpoint::client((Ipv4Addr::UNSPECIFIED, 0).into())?;
        let connection = endpoint.connect_with(config, to, name).map_err(io::Error::other)?.await.map_err(io::Error::other)?;
        connection.close(0_u8.into(), b"done");
        endpoint.wait_idle().await;
        Ok(())
    };
    from.run(|| runtime().block_on(async { tokio::time::timeout(Duration::from_secs(5), talk).await.map_err(io::Error::other)? }))
}
