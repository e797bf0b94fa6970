//! The loop that accepts the API's connections: so many at one time and no more, and none that is kept open in silence.

use super::patient::Patient;
use crate::driver::Shutdown;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What the connections of one listener may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections held at one time; the next waits in the system's queue until one ends.
    pub(super) connections: usize,
    /// Until the head of a request is complete, from the connection's first moment or the end of its last answer.
    pub(super) head: Duration,
    /// While a client takes nothing of its answer.
    pub(super) write: Duration,
    /// For what is under way when the node stops.
    pub(super) patience: Duration,
    /// Before trying again when the system gives no socket (too many open files).
    pub(super) pause: Duration,
}

impl Limits {
    /// Twice as many connections as requests are served at one time (see [`super::guard`]): a client may think between two.
    pub(super) const NODE: Self = Self {
        connections: 128,
        head: Duration::from_secs(10),
        write: Duration::from_secs(20),
        patience: Duration::from_secs(2),
        pause: Duration::from_millis(200),
    };
}

/// Serves `router` until `stop` is cancelled, and then, for a while, what is under way.
pub(super) async fn run(listener: TcpListener, router: Router, limits: Limits, stop: Shutdown) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let accepting = async {
        loop {
            // The semaphore is never closed.
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => serve(stream, router.clone(), limits, &graceful, place),
                Err(error) => {
                    tracing::warn!(%error, "the API takes no connection for a moment");
                    tokio::time::sleep(limits.pause).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop.cancelled() => {}
    }
    drop(listener);
    // Idle connections of clients must not keep a node from stopping.
    let _ = tokio::time::timeout(limits.patience, graceful.shutdown()).await;
}

fn serve(stream: TcpStream, router: Router, limits: Limits, graceful: &GracefulShutdown, place: OwnedSemaphorePermit) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .serve_connection(TokioIo::new(Patient::new(stream, limits.write)), TowerToHyperService::new(router));
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        // A client that went away, was too slow or spoke no HTTP: its own affair, and it could fill a log with it.
        if let Err(error) = connection.await {
            tracing::trace!(%error, "an API connection ended");
        }
        drop(place);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const DEADLINE: Duration = Duration::from_secs(30);

    async fn start(limits: Limits) -> (SocketAddr, Shutdown, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), Shutdown::new());
        let router = Router::new().route("/", get(|| async { "here" }));
        (address, stop.clone(), tokio::spawn(run(listener, router, limits, stop)))
    }

    async fn read(stream: &mut TcpStream, what: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A reset is an end too.
        let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut bytes)).await.expect(what);
        bytes
    }

    #[tokio::test]
    async fn silent_and_dribbling_clients_are_cut_and_leave_their_places_to_others() {
        let limits = Limits { connections: 2, head: Duration::from_millis(300), ..Limits::NODE };
        let (address, stop, server) = start(limits).await;
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
        // Both places are taken: this one waits for them.
        let mut third = TcpStream::connect(address).await.unwrap();
        third.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let answer = read(&mut third, "awaited an answer, and the end of a connection without a second request").await;
        assert!(answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"here"), "{answer:?}");
        read(&mut silent, "awaited the end of a silent connection").await;
        read(&mut half, "awaited the end of a connection with half a head").await;
        stop.cancel();
        tokio::time::timeout(DEADLINE, server).await.expect("awaited the end of the server").unwrap();
    }

    #[tokio::test]
    async fn beyond_the_bound_a_client_waits_until_another_leaves() {
        let (address, stop, server) = start(Limits { connections: 1, ..Limits::NODE }).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        first.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut byte = [0];
        first.read_exact(&mut byte).await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        second.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let early = tokio::time::timeout(Duration::from_millis(200), second.read_exact(&mut byte)).await;
        assert!(early.is_err(), "two connections are served, and one is the bound");
        drop(first);
        let answer = read(&mut second, "awaited an answer once the first had left").await;
        assert!(answer.ends_with(b"here"), "{answer:?}");
        stop.cancel();
        tokio::time::timeout(DEADLINE, server).await.expect("awaited the end of the server").unwrap();
    }

    #[tokio::test]
    async fn who_asks_for_much_and_takes_nothing_is_cut_and_who_takes_it_is_not() {
        const BYTES: usize = 64 * 1024 * 1024;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), Shutdown::new());
        let router = Router::new().route("/", get(|| async { vec![7u8; BYTES] }));
        let limits = Limits { connections: 1, write: Duration::from_millis(300), ..Limits::NODE };
        let server = tokio::spawn(run(listener, router, limits, stop.clone()));
        let mut idle = TcpStream::connect(address).await.unwrap();
        idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        // There is one place: this one gets it when the idle client is cut.
        let mut busy = TcpStream::connect(address).await.unwrap();
        busy.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let answer = read(&mut busy, "awaited an answer once the idle client was cut").await;
        assert!(answer.len() > BYTES, "{} bytes", answer.len());
        let got = read(&mut idle, "awaited the end of the idle client's connection").await;
        assert!(got.len() < BYTES, "it was given all {} bytes", got.len());
        stop.cancel();
        tokio::time::timeout(DEADLINE, server).await.expect("awaited the end of the server").unwrap();
    }
}
