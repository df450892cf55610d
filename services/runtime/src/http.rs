//! HTTP for every service: a server that drains, and the routes that say how the process is.
//!
//! What else is served, and who may ask, is each service's own.

mod connections;

use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::serve::Listener;
use prometheus::Registry;

use crate::health::Health;
use crate::metrics;
use crate::shutdown::Shutdown;

pub use connections::{Bounds, Connection, Connections};

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
/// a stream of server-sent events would otherwise never end.
pub async fn serve<L: Listener<Addr = SocketAddr>>(
    listener: L,
    router: Router,
    shutdown: Shutdown,
    drain: Duration,
) -> io::Result<()> {
    let stop = shutdown.clone();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move { stop.begun().await });
    let bound = async {
        shutdown.begun().await;
        tokio::time::sleep(drain).await;
    };
    tokio::select! {
        served = server.into_future() => served,
        () = bound => {
            tracing::info!("open connections were cut after the drain");
            Ok(())
        }
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
}
