//! One client: how long it may take, and who goes when there are too many. A client that hangs makes room for one that asks.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::metrics::Connections;

/// Connections at once; each holds about 20 KiB.
pub const CONNECTIONS_MAX: usize = 256;
/// A request's head must be there after so long; an idle connection ends after so long.
const HEAD_MAX: Duration = Duration::from_secs(10);
/// A TLS handshake must be done after so long.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// A connection ends after so long, whatever it does; a scraper makes a new one.
const CONNECTION_MAX: Duration = Duration::from_secs(120);
/// How long an answer may take to be written once the connection is to end.
const GOODBYE_MAX: Duration = Duration::from_secs(2);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1_024;
/// Header lines of a request.
const HEADERS_MAX: usize = 64;

/// The connections that are open.
pub struct Slots {
    table: Mutex<Table>,
    counts: Arc<Connections>,
}

#[derive(Default)]
struct Table {
    next: u64,
    open: BTreeMap<u64, Arc<Entry>>,
}

#[derive(Default)]
struct Entry {
    /// An answer is being made.
    busy: AtomicBool,
    close: Notify,
}

/// A place among the connections; free again when dropped.
pub struct Slot {
    id: u64,
    entry: Arc<Entry>,
    slots: Arc<Slots>,
}

impl Slots {
    /// No connection yet.
    pub fn new(counts: Arc<Connections>) -> Arc<Self> {
        Arc::new(Slots { table: Mutex::default(), counts })
    }

    /// A place for a new connection. When all are taken, the oldest that is not being answered goes; none when all are.
    pub fn enter(self: &Arc<Self>) -> Option<Slot> {
        let mut table = self.table();
        if table.open.len() >= CONNECTIONS_MAX {
            let idle = table.open.iter().find(|(_, e)| !e.busy.load(Ordering::Relaxed)).map(|(id, _)| *id)?;
            if let Some(entry) = table.open.remove(&idle) {
                entry.close.notify_one();
                self.counts.evicted.fetch_add(1, Ordering::Relaxed);
            }
        }
        table.next += 1;
        let (id, entry) = (table.next, Arc::<Entry>::default());
        table.open.insert(id, Arc::clone(&entry));
        self.counts.open.store(table.open.len() as u64, Ordering::Relaxed);
        Some(Slot { id, entry, slots: Arc::clone(self) })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut table = self.slots.table();
        table.open.remove(&self.id);
        self.slots.counts.open.store(table.open.len() as u64, Ordering::Relaxed);
    }
}

/// Serves a client until it goes, takes too long, must make room, or the server stops.
pub async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router, slot: Slot, stopped: watch::Receiver<bool>) {
    // Small answers must not wait for an acknowledgement; where that cannot be set they merely do.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return talk(stream, router, &slot, stopped).await };
    let handshake = timeout(HANDSHAKE_MAX, tls.accept(stream));
    let accepted = tokio::select! {
        done = handshake => done,
        () = slot.entry.close.notified() => return,
    };
    if let Ok(Ok(stream)) = accepted {
        talk(stream, router, &slot, stopped).await;
    }
}

async fn talk<S>(stream: S, router: Router, slot: &Slot, mut stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let inner = TowerToHyperService::new(router);
    let service = service_fn(|request| {
        let (inner, entry) = (inner.clone(), Arc::clone(&slot.entry));
        async move {
            entry.busy.store(true, Ordering::Relaxed);
            let answer = inner.call(request).await;
            entry.busy.store(false, Ordering::Relaxed);
            answer
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_MAX).max_headers(HEADERS_MAX).max_buf_size(HEAD_BYTES_MAX);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // A client that broke off is nobody's problem.
        _ = connection.as_mut() => return,
        () = slot.entry.close.notified() => return,
        _ = stopped.wait_for(|stop| *stop) => {}
        () = sleep(CONNECTION_MAX) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(GOODBYE_MAX, connection).await;
}
