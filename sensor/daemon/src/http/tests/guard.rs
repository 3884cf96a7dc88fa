//! Who is answered: token, TLS, names of loopback, and what is refused before it listens.

use std::path::Path;

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto};

use super::*;

const TOKEN: &str = "a-token-of-some-length";

/// Token, certificate and key in a folder.
fn guarded(dir: &Path) -> config::Http {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_string()]).expect("a certificate");
    let file = |name: &str, text: &str| {
        std::fs::write(dir.join(name), text).expect("written");
        Some(dir.join(name))
    };
    config::Http {
        token_file: file("token", &format!("{TOKEN}\n")),
        tls_certificate: file("chain.pem", &made.cert.pem()),
        tls_key: file("key.pem", &made.signing_key.serialize_pem()),
        ..loopback()
    }
}

fn obedient() -> Arc<Obedient> {
    Arc::new(Obedient(Ok(ReloadReport::default())))
}

fn with_token(server: &Running, target: &str, token: &str) -> u16 {
    let request = format!("GET {target} HTTP/1.1\r\nHost: sensor.example.org\r\nAuthorization: {token}\r\nConnection: close\r\n\r\n");
    server.ask(&request).status
}

#[test]
fn a_token_opens_everything_and_health_is_open() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let config = config::Http { tls_certificate: None, tls_key: None, ..guarded(dir.path()) };
    let server = Running::start(&config, obedient());
    for (target, token, status) in [
        ("/metrics", "Bearer a-token-of-some-length", 200),
        ("/metrics", "bearer a-token-of-some-length", 200),
        ("/metrics", "Bearer a-token-of-some-lengtH", 401),
        ("/metrics", "Bearer ", 401),
        ("/metrics", "Basic YTpi", 401),
        ("/metrics", "", 401),
        ("/api/v1/findings", "Bearer x", 401),
        ("/nothing", "Bearer x", 401),
        ("/nothing", "Bearer a-token-of-some-length", 404),
        ("/healthz", "", 200),
        ("/readyz", "", 200),
        ("/version", "", 401),
    ] {
        assert_eq!(with_token(&server, target, token), status, "{target} {token}");
    }
    let refused = server.get("/metrics");
    assert!(refused.head.contains("www-authenticate: bearer"), "{}", refused.head);
    refused.problem();
    std::fs::write(dir.path().join("token"), "another-token-of-length").expect("written");
    server.handle.lock().expect("no panic").as_ref().expect("running").refresh_tokens().expect("read");
    assert_eq!(with_token(&server, "/metrics", "Bearer a-token-of-some-length"), 401);
    assert_eq!(with_token(&server, "/metrics", "Bearer another-token-of-length"), 200);
}

#[test]
fn a_reload_reads_the_token_anew() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let config = config::Http { tls_certificate: None, tls_key: None, ..guarded(dir.path()) };
    let server = Running::start(&config, obedient());
    std::fs::write(dir.path().join("token"), "another-token-of-length").expect("written");
    let post = |query: &str| {
        format!("POST /api/v1/reload{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n")
    };
    assert_eq!(server.ask(&post("?dry_run=true")).status, 200);
    assert_eq!(with_token(&server, "/metrics", &format!("Bearer {TOKEN}")), 200, "a dry run changes nothing");
    assert_eq!(server.ask(&post("")).status, 200);
    assert_eq!(with_token(&server, "/metrics", &format!("Bearer {TOKEN}")), 401);
}

#[test]
fn without_a_token_only_loopback_names_are_served() {
    let server = Running::plain();
    let ask = |method: &str, target: &str, headers: &str| {
        server.ask(&format!("{method} {target} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n")).status
    };
    assert_eq!(ask("GET", "/metrics", "Host: localhost:9477\r\n"), 200);
    assert_eq!(ask("GET", "/metrics", "Host: rebound.example.org\r\n"), 403);
    assert_eq!(ask("GET", "/metrics", ""), 403);
    assert_eq!(ask("POST", "/api/v1/reload", "Host: localhost\r\nOrigin: https://evil.example.org\r\n"), 403);
    assert_eq!(ask("POST", "/api/v1/reload", "Host: localhost\r\nOrigin: http://localhost\r\n"), 200);
    assert_eq!(ask("POST", "/api/v1/reload", "Host: localhost\r\nContent-Length: 100000\r\n"), 413);
}

#[test]
fn tls_serves_and_plain_text_gets_nothing() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let config = guarded(dir.path());
    let server = Running::start(&config, obedient());
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(config.tls_certificate.expect("set")).expect("readable");
    roots.add(CertificateDer::from_pem_slice(&pem).expect("PEM")).expect("a root");
    let client = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let mut stream = StreamOwned::new(ClientConnection::new(Arc::new(client), name).expect("a client"), server.connect());
    let request = format!("GET /version HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    assert_eq!(Reply::read(&mut stream).status, 200);
    assert_eq!(server.ask("GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 0);
}

#[test]
fn what_cannot_be_served_safely_is_refused_with_file_and_remedy() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let good = guarded(dir.path());
    let taken = Running::plain();
    let outside = Some(SocketAddr::from(([0, 0, 0, 0], 0)));
    let empty = dir.path().join("empty");
    std::fs::write(&empty, "").expect("written");
    let missing = Some(dir.path().join("missing"));
    for (config, message, help) in [
        (config::Http { listen: None, ..good.clone() }, "switched off", "address"),
        (config::Http { listen: outside, ..loopback() }, "can be reached from outside", "token_file"),
        (config::Http { listen: outside, token_file: None, ..good.clone() }, "can be reached from outside", "token_file"),
        (config::Http { listen: Some(taken.addr), ..loopback() }, "in use", "ss -ltnp"),
        (config::Http { token_file: missing.clone(), ..good.clone() }, "missing: No such file", "create it"),
        (config::Http { token_file: Some(empty.clone()), ..good.clone() }, "empty: a token has 16 to 512 bytes", "openssl rand"),
        (config::Http { tls_certificate: missing, ..good.clone() }, "missing: No such file", "http.tls_certificate"),
        (config::Http { tls_certificate: Some(empty.clone()), ..good.clone() }, "there is no certificate", "PEM"),
        (config::Http { tls_key: Some(empty), ..good.clone() }, "http.tls_key", "PEM"),
    ] {
        let error = Server::bind(&config).err().expect("refused");
        assert!(error.to_string().contains(message) && error.help().contains(help), "{error}: {}", error.help());
    }
    let other = tempfile::tempdir().expect("temporary folder");
    let mixed = config::Http { tls_key: guarded(other.path()).tls_key, ..good };
    assert!(matches!(Server::bind(&mixed), Err(crate::http::HttpError::Pair(..))));
}
