//! TLS for whoever asks from outside: rustls with ring.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

use super::error::HttpError;

/// The TLS set-up of a certificate chain and its key.
///
/// # Errors
/// [`HttpError`] when a file cannot be read, is no PEM, or the two do not fit.
pub fn load(chain: &Path, key: &Path) -> Result<Arc<ServerConfig>, HttpError> {
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read("tls_certificate", chain)?)
        .collect::<Result<_, _>>()
        .map_err(|e| HttpError::Malformed("tls_certificate", chain.to_path_buf(), e.to_string()))?;
    if certificates.is_empty() {
        return Err(HttpError::Malformed("tls_certificate", chain.to_path_buf(), "there is no certificate in it".into()));
    }
    let private = PrivateKeyDer::from_pem_slice(&read("tls_key", key)?)
        .map_err(|e| HttpError::Malformed("tls_key", key.to_path_buf(), e.to_string()))?;
    let pair = |e: tokio_rustls::rustls::Error| HttpError::Pair(chain.to_path_buf(), key.to_path_buf(), e.to_string());
    let mut config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(certificates, private)
        .map_err(pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, HttpError> {
    std::fs::read(path).map_err(|e| HttpError::Unreadable(key, path.to_path_buf(), e))
}
