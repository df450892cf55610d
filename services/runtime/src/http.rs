//! HTTP for every service: a server that drains, and the routes that say how the process is.
//!
//! What else is served, and who may ask, is each service's own.

mod connections;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use prometheus::Registry;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

use crate::health::Health;
use crate::metrics;
use crate::shutdown::Shutdown;

pub use connections::{Bounds, Connection, Connections};

/// The headers of a request have come by then, counted from the connection's beginning or the end of the answer before:
/// who sends half of them, or nothing, is cut, or a thousand such connections would keep everybody out.
const HEADERS: Duration = Duration::from_secs(10);

/// `GET /metrics`, `/healthz` (200 while alive, else 500 and why), `/readyz` (200, or 503 and a line for each
/// condition that does not hold: its name, since when in Unix milliseconds, why).
pub fn routes(health: Health, registry: Registry) -> Router {
    let alive = health.clone();
    Router::new()
        .route(
            "/metrics",
            get(async move || ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::encode(&registry))),
        )
        .route("/healthz", get(async move || healthz(&alive)))
        .route("/readyz", get(async move || readyz(&health)))
}

fn healthz(health: &Health) -> impl IntoResponse + use<> {
    match health.death() {
        None => (StatusCode::OK, "alive\n".to_owned()),
        Some(why) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{why}\n")),
    }
}

fn readyz(health: &Health) -> impl IntoResponse + use<> {
    if health.is_ready() {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    let waiting = health.waiting().into_iter();
    let mut lines: String = waiting
        .map(|(name, waiting)| format!("{name} since {}: {}\n", waiting.since_ms, waiting.why))
        .collect();
    if let Some(why) = health.death() {
        lines += &format!("dead: {why}\n");
    }
    (StatusCode::SERVICE_UNAVAILABLE, lines)
}

/// Serves until the shutdown begins, then takes no new connection and lets the open requests end, at most for `drain`:
/// a stream of server-sent events would otherwise never end. The headers of a request come within ten seconds.
pub async fn serve<L: Listener<Addr = SocketAddr>>(
    mut listener: L,
    router: Router,
    shutdown: Shutdown,
    drain: Duration,
) -> io::Result<()> {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADERS);
    let router = router.with_state(());
    // What is in it is cut when it goes.
    let mut open = JoinSet::new();
    let mut begun = pin!(shutdown.begun());
    loop {
        tokio::select! {
            (io, peer) = listener.accept() => {
                tracing::trace!(%peer, "a connection began");
                open.spawn(answer(builder.clone(), io, router.clone(), shutdown.clone()));
            }
            Some(_) = open.join_next() => {}
            () = &mut begun => break,
        }
    }
    drop(listener);
    let drained = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(drain, drained).await.is_err() {
        tracing::info!("open connections were cut after the drain");
    }
    Ok(())
}

/// Answers the requests of one connection; once the shutdown has begun only the one that is under way.
async fn answer<I>(builder: http1::Builder, io: I, router: Router, shutdown: Shutdown)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut connection = pin!(builder.serve_connection(TokioIo::new(io), TowerToHyperService::new(router)));
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = shutdown.begun() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection was cut");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::clock::ManualClock;

    async fn ask(address: std::net::SocketAddr, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    fn block_on<T>(what: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(what)
    }

    #[test]
    fn the_routes_say_how_the_process_is() {
        block_on(async {
            let health = Health::new(Arc::new(ManualClock::new(42)));
            let registry = Registry::new();
            metrics::counter(&registry, "sitrep_x_total", "X.").unwrap();
            let shutdown = Shutdown::new();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let router = routes(health.clone(), registry);
            let server = tokio::spawn(serve(listener, router, shutdown.clone(), Duration::from_secs(60)));

            let kafka = health.condition("kafka");
            assert_eq!(ask(address, "/readyz").await.0, "HTTP/1.1 503 Service Unavailable");
            assert_eq!(ask(address, "/readyz").await.1, "kafka since 42: starting\n");
            kafka.holds();
            assert_eq!(ask(address, "/readyz").await, ("HTTP/1.1 200 OK".into(), "ready\n".into()));
            assert!(ask(address, "/metrics").await.1.contains("sitrep_x_total 0"));
            assert_eq!(ask(address, "/healthz").await.1, "alive\n");
            health.dead("stalled");
            assert_eq!(ask(address, "/healthz").await.0, "HTTP/1.1 500 Internal Server Error");
            assert_eq!(ask(address, "/readyz").await.1, "dead: stalled\n");

            shutdown.begin();
            server.await.unwrap().unwrap();
        });
    }

    #[test]
    fn a_request_that_never_ends_does_not_hold_up_the_drain() {
        block_on(async {
            let shutdown = Shutdown::new();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (asked, was_asked) = tokio::sync::oneshot::channel::<()>();
            let asked = Arc::new(std::sync::Mutex::new(Some(asked)));
            let router = Router::new().route(
                "/",
                get(async move || {
                    asked.lock().unwrap().take().unwrap().send(()).unwrap();
                    std::future::pending::<()>().await;
                }),
            );
            let server = tokio::spawn(serve(listener, router, shutdown.clone(), Duration::ZERO));
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            was_asked.await.unwrap();
            shutdown.begin();
            server.await.unwrap().unwrap();
        });
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_whose_headers_do_not_end_is_cut() {
        let shutdown = Shutdown::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "answer"));
        let server = tokio::spawn(serve(listener, router, shutdown.clone(), Duration::from_secs(60)));
        for begun in [
            "",
            "POST /v1/events HTTP/1.1\r\nHost: x\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n",
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(begun.as_bytes()).await.unwrap();
            let began = tokio::time::Instant::now();
            let mut told = Vec::new();
            let ended = tokio::time::timeout(HEADERS * 3, stream.read_to_end(&mut told)).await;
            assert!(ended.is_ok(), "{begun:?} holds a connection for ever");
            assert!(began.elapsed() >= HEADERS / 2, "{begun:?} was cut at once");
            assert_eq!(String::from_utf8_lossy(&told).contains("answer"), begun.starts_with("GET"));
        }
        // Nor do they come byte by byte.
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut sent = 0;
        while sent < 100 && stream.write_all(b"G").await.is_ok() {
            sent += 1;
            tokio::time::sleep(HEADERS / 5).await;
        }
        assert!((2..20).contains(&sent), "{sent} bytes came");
        shutdown.begin();
        server.await.unwrap().unwrap();
    }
}
