//! What every service of a process shares: log, clock, shutdown, health, metrics, the web server, the threads.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use prometheus::Registry;
use runtime::clock::{Clock, SystemClock};
use runtime::health::{Condition, Health};
use runtime::log::kafka::KafkaLog;
use runtime::log::{Log, LogError};
use runtime::shutdown::Shutdown;
use runtime::tls::TlsAcceptor;
use tower::ServiceExt;

use crate::config::Config;
use crate::{topics, usage};

/// The plant of one process.
pub(crate) struct Plant {
    pub(crate) config: Config,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) shutdown: Shutdown,
    pub(crate) health: Health,
    pub(crate) registry: Registry,
    pub(crate) runtime: tokio::runtime::Runtime,
    threads: Vec<(&'static str, JoinHandle<()>)>,
    web: Option<Web>,
}

/// The web server: it says how the process is from the first moment on, and has the service's own routes when the
/// service is made.
struct Web {
    address: SocketAddr,
    routes: Arc<OnceLock<Router>>,
    /// Holds when the service is made and has its own conditions: not ready before.
    made: Condition,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Plant {
    /// Takes the log as it is given.
    pub(crate) fn new(
        config: Config,
        make_log: impl FnOnce(&Plantlet<'_>) -> Result<Arc<dyn Log>>,
    ) -> Result<Plant> {
        runtime::telemetry::init(&config.log).map_err(usage)?;
        if runtime::folder::is_open_to_others(&config.data) {
            let data = config.data.display();
            tracing::warn!(%data, "others on this machine may read the data folder, which holds what was sent: chmod 700 it");
        }
        let clock = SystemClock::shared();
        let shutdown = Shutdown::new();
        shutdown.on_signals(config.shutdown.timeout.get()).context("signals cannot be heard")?;
        let health = Health::new(clock.clone());
        let registry = Registry::new();
        let log =
            make_log(&Plantlet { config: &config, clock: &clock, health: &health, registry: &registry })?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (threads, web) = (Vec::new(), None);
        Ok(Plant { config, log, clock, shutdown, health, registry, runtime, threads, web })
    }

    /// A plant on Kafka, its topics set up; waits for the brokers as long as it takes.
    pub(crate) fn on_kafka(config: Config) -> Result<Plant> {
        let plant = Plant::new(config, |plantlet| {
            let config = plantlet.config.kafka.client();
            let log = KafkaLog::connect(&config, plantlet.clock.clone()).map_err(usage)?;
            let health = log.health();
            health.register(plantlet.registry)?;
            health.tell(plantlet.health.condition("kafka"), plantlet.health.clone());
            Ok(Arc::new(log))
        })?;
        Ok(plant)
    }

    /// Creates and checks the topics; waits while the log is away. `false`: the shutdown began meanwhile.
    pub(crate) fn set_up_topics(&self) -> Result<bool> {
        let condition = self.health.condition("topics");
        let topics = topics::all(self.config.kafka.partitions, self.config.horizon_days());
        let mut said = false;
        loop {
            match self.log.set_up(&topics, self.config.kafka.client().create_topics) {
                Ok(()) => {
                    condition.holds();
                    return Ok(true);
                }
                Err(error @ (LogError::Misconfigured(_) | LogError::NoTopic(_))) => return Err(usage(error)),
                Err(error) => {
                    condition.waits(error.to_string());
                    if !std::mem::replace(&mut said, true) {
                        tracing::warn!(%error, "waiting for the log");
                    }
                }
            }
            if self.shutdown.wait_timeout(std::time::Duration::from_secs(1)) {
                return Ok(false);
            }
        }
    }

    /// A condition of readiness.
    pub(crate) fn condition(&self, name: &'static str) -> Condition {
        self.health.condition(name)
    }

    /// Runs a part of the process on a thread of its own; if it fails, the process ends.
    pub(crate) fn spawn<E: std::error::Error + Send + Sync + 'static>(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<(), E> + Send + 'static,
    ) -> Result<()> {
        let shutdown = self.shutdown.clone();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(error)) if shutdown.is_begun() => tracing::warn!(%error, name, "ended while stopping"),
                Ok(Err(error)) => {
                    shutdown.fail(format!("{name}: {}", crate::causes(&anyhow::Error::new(error))))
                }
                Err(_) => shutdown.fail(format!("{name}: crashed")),
            }
        })?;
        self.threads.push((name, thread));
        Ok(())
    }

    /// Binds the web server. Before anything is waited for, so that `/readyz` can say for what.
    pub(crate) fn listen(&mut self) -> Result<SocketAddr> {
        if let Some(web) = &self.web {
            return Ok(web.address);
        }
        let address = self.config.http.listen;
        let tls = self.config.tls()?;
        self.watch(tls.as_ref());
        let listener = self
            .runtime
            .block_on(tokio::net::TcpListener::bind(address))
            .with_context(|| format!("http.listen: {address} cannot be bound"))?;
        let connections = self.config.http.connections.get() as usize;
        let per_peer = self.config.http.connections_per_peer.get() as usize;
        let bounds = runtime::http::Bounds { connections, per_peer, ..runtime::http::Bounds::default() };
        let listener = {
            let _entered = self.runtime.enter();
            runtime::http::Connections::new(listener, tls, bounds)?
        };
        let address = listener.local_addr()?;
        let routes: Arc<OnceLock<Router>> = Arc::default();
        let (made, late) = (self.condition("service"), routes.clone());
        let all = runtime::http::routes(self.health.clone(), self.registry.clone())
            .route(
                "/openapi.json",
                axum::routing::get(async || {
                    ([(axum::http::header::CONTENT_TYPE, "application/json")], contract::OPENAPI)
                }),
            )
            .fallback(async move |request: Request| made_or_starting(late.get(), request).await);
        let drain = std::time::Duration::from_secs(2);
        let server = self.runtime.spawn(runtime::http::serve(listener, all, self.shutdown.clone(), drain));
        self.web = Some(Web { address, routes, made, server });
        Ok(address)
    }

    /// Has a listener's certificate looked at again while the process runs.
    pub(crate) fn watch(&self, tls: Option<&TlsAcceptor>) {
        if let Some(tls) = tls {
            drop(self.runtime.spawn(tls.clone().watch(self.shutdown.clone())));
        }
    }

    /// Gives the web server the service's routes, and waits until the shutdown begins and everything has drained.
    pub(crate) fn serve(mut self, router: Router, started: impl FnOnce(SocketAddr)) -> Result<()> {
        started(self.listen()?);
        let web = self.web.take().context("the web server was started")?;
        web.routes.get_or_init(|| router);
        web.made.holds();
        let served = self.runtime.block_on(web.server).map_err(anyhow::Error::new);
        let served = served.and_then(|served| served.context("the web server failed"));
        self.shutdown.begin();
        for (name, thread) in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!(name, "a thread crashed");
            }
        }
        served?;
        match self.shutdown.failure() {
            Some(why) => Err(anyhow!(why)),
            None => Ok(()),
        }
    }
}

/// The answer of the service's routes; 503 as long as there are none.
async fn made_or_starting(routes: Option<&Router>, request: Request) -> Response {
    match routes {
        Some(routes) => routes.clone().oneshot(request).await.into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "starting: see /readyz\n").into_response(),
    }
}

/// What there is before the log.
pub(crate) struct Plantlet<'a> {
    pub(crate) config: &'a Config,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) health: &'a Health,
    pub(crate) registry: &'a Registry,
}
