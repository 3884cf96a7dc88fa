//! The listener and its threads: a runtime of its own, so that neither the packet path nor the hub ever waits for a client.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::auth::Gate;
use super::connection::{self, Slots};
use super::error::HttpError;
use super::routes::{self, App};
use super::{Context, tls};
use crate::config;

/// Threads that speak HTTP.
const WORKERS: usize = 2;
/// Threads that make answers: reading a full state takes some 100 ms, a reload seconds.
const BLOCKING_THREADS: usize = 8;
/// How often a wish to stop is looked for.
const STOP_CHECK: Duration = Duration::from_millis(100);
/// Pause after the kernel refused a connection: it is out of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long answers that are being written may take once it stops.
const DRAIN: Duration = Duration::from_secs(3);

/// A server that listens but does not answer yet.
pub struct Server {
    listener: TcpListener,
    local: SocketAddr,
    tls: Option<TlsAcceptor>,
    gate: Arc<Gate>,
    identities: bool,
}

impl Server {
    /// Binds, and reads token, certificate and key: while the process may still do so.
    ///
    /// # Errors
    /// [`HttpError`] with file and remedy.
    pub fn bind(config: &config::Http) -> Result<Server, HttpError> {
        let addr = config.listen.ok_or(HttpError::Off)?;
        let gate = Gate::load(config.token_file.as_deref(), &config.operators)?;
        let tls = match (&config.tls_certificate, &config.tls_key) {
            (Some(chain), Some(key)) => Some(TlsAcceptor::from(tls::load(chain, key)?)),
            _ => None,
        };
        if !addr.ip().is_loopback() && (!gate.is_closed() || tls.is_none()) {
            return Err(HttpError::Unguarded(addr));
        }
        let listen = || {
            let listener = TcpListener::bind(addr)?;
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        };
        let (local, listener) = listen().map_err(|e: io::Error| HttpError::Bind(addr, e))?;
        Ok(Server { listener, local, tls, gate, identities: config.identities })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Begins to answer, on threads of its own, until `stop`.
    ///
    /// # Panics
    /// When the system gives no thread.
    pub fn spawn(self, context: Context, stop: Arc<AtomicBool>) -> Handle {
        let gate = Arc::clone(&self.gate);
        let (done, ended) = mpsc::sync_channel(1);
        let serve = move || {
            if let Err(error) = self.run(context, &stop) {
                eprintln!("ringfence: http: {error}; metrics and API are not served");
            }
            // The receiver may be gone: then nobody waits.
            let _ = done.send(());
        };
        std::thread::Builder::new().name("http".into()).spawn(serve).expect("the system gives a thread");
        Handle { ended, gate }
    }

    fn run(self, context: Context, stop: &AtomicBool) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("http")
            .enable_io()
            .enable_time()
            .build()?;
        let result = runtime.block_on(self.accept(context, stop));
        runtime.shutdown_timeout(DRAIN);
        result
    }

    async fn accept(self, context: Context, stop: &AtomicBool) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let slots = Slots::new(context.metrics.connections());
        let router = routes::router(Arc::new(App::new(context, self.gate, self.identities)));
        let (stopping, stopped) = watch::channel(false);
        let mut check = tokio::time::interval(STOP_CHECK);
        while !stop.load(Ordering::Relaxed) {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let Some(slot) = slots.enter() else { continue };
                        tokio::spawn(connection::serve(stream, self.tls.clone(), router.clone(), slot, stopped.clone()));
                    }
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                },
                _ = check.tick() => {}
            }
        }
        drop((listener, stopped));
        let _ = stopping.send(true);
        // Every connection holds a receiver: when the last is gone, all are.
        let _ = tokio::time::timeout(DRAIN, stopping.closed()).await;
        Ok(())
    }
}

/// A server that answers.
#[derive(Debug)]
pub struct Handle {
    ended: mpsc::Receiver<()>,
    gate: Arc<Gate>,
}

impl Handle {
    /// Waits until it has ended after a wish to stop, at most so long; whether it has.
    pub fn join(self, timeout: Duration) -> bool {
        !matches!(self.ended.recv_timeout(timeout), Err(mpsc::RecvTimeoutError::Timeout))
    }

    /// Reads the tokens anew; an old one stays when that fails. A reload over HTTP does so by itself.
    ///
    /// # Errors
    /// [`HttpError`] when the file cannot be read or holds no token.
    pub fn refresh_tokens(&self) -> Result<(), HttpError> {
        self.gate.refresh()
    }
}
