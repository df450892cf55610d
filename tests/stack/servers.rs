//! The real servers, started by the scripts beside this file on ports that were free.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use crate::http;
use crate::patience::{SOON, eventually};
use crate::process::Process;

/// The token that `influx-init` makes.
pub(crate) const INFLUX_TOKEN: &str = "stack-test-token";

/// InfluxDB 2.7 brings back overwritten values when a snapshot of its cache and a compaction of eight such snapshots
/// meet (influxdata/influxdb#24388): after some million points that overwrite others, whoever wrote them and however
/// slowly one after the other. With room for everything in the cache there is no compaction while a test runs.
const INFLUX_CACHE: [&str; 4] =
    ["--storage-cache-snapshot-memory-size", "2g", "--storage-cache-max-memory-size", "4g"];

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Kafka,
    Influx,
    Alertmanager,
    Victoria,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Kind::Kafka => "kafka",
            Kind::Influx => "influxd",
            Kind::Alertmanager => "alertmanager",
            Kind::Victoria => "victoriametrics",
        }
    }

    fn port_variable(self) -> &'static str {
        match self {
            Kind::Kafka => "KAFKA_PORT",
            Kind::Influx => "INFLUX_PORT",
            Kind::Alertmanager => "ALERTMANAGER_PORT",
            Kind::Victoria => "VICTORIA_PORT",
        }
    }
}

/// A server, running or not; its data outlives its process.
pub(crate) struct Server {
    kind: Kind,
    folder: PathBuf,
    port: u16,
    environment: Vec<(&'static str, String)>,
    process: Option<Process>,
}

impl Server {
    /// A server that keeps its data in a folder of `folder`; not started.
    pub(crate) fn new(kind: Kind, folder: &Path) -> Server {
        let port = free_port();
        let mut environment = vec![(kind.port_variable(), port.to_string())];
        match kind {
            Kind::Kafka => environment.push(("KAFKA_CONTROLLER_PORT", free_port().to_string())),
            Kind::Influx => environment.push(("INFLUX_TOKEN", INFLUX_TOKEN.to_owned())),
            Kind::Alertmanager | Kind::Victoria => {}
        }
        Server { kind, folder: folder.join(kind.as_str()), port, environment, process: None }
    }

    /// An Alertmanager that sends to a webhook.
    pub(crate) fn alertmanager(folder: &Path, webhook: SocketAddr) -> Server {
        let mut server = Server::new(Kind::Alertmanager, folder);
        server.environment.push(("ALERT_WEBHOOK_URL", format!("http://{webhook}/hook")));
        server
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Starts it without waiting.
    pub(crate) fn launch(&mut self) {
        let folder = self.folder.display().to_string();
        let mut arguments = vec![self.kind.as_str(), &folder];
        match self.kind {
            Kind::Influx => arguments.extend(INFLUX_CACHE),
            Kind::Kafka | Kind::Alertmanager | Kind::Victoria => {}
        }
        let script = script("start");
        self.process =
            Some(Process::start(self.kind.as_str(), script.as_os_str(), &arguments, &self.environment));
    }

    /// Waits until it can be used.
    pub(crate) fn ready(&mut self) {
        let (kind, address) = (self.kind, self.address());
        let process = self.process.as_mut().expect("it was launched");
        eventually(&format!("{} is ready", kind.as_str()), SOON, || {
            if let Some(status) = process.ended() {
                panic!("{} ended: {status}", kind.as_str());
            }
            match kind {
                Kind::Kafka => {
                    let started = "Transition from STARTING to STARTED";
                    let said = process.lines().iter().any(|line| line.contains(started));
                    TcpStream::connect(address).map_err(|error| error.to_string())?;
                    if said { Ok(()) } else { Err("it has not said so".to_owned()) }
                }
                Kind::Influx | Kind::Victoria => ok(address, "/health"),
                Kind::Alertmanager => ok(address, "/-/ready"),
            }
        });
        if kind == Kind::Influx {
            let mut init = Process::start::<&str>(
                "influx-init",
                script("influx-init").as_os_str(),
                &[],
                &self.environment,
            );
            assert!(init.wait(SOON).success(), "influx-init failed");
        }
    }

    /// Starts it and waits until it can be used.
    pub(crate) fn start(&mut self) {
        self.launch();
        self.ready();
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }
}

fn ok(address: SocketAddr, path: &str) -> Result<(), String> {
    let answer = http::get(address, path, &[])?;
    if answer.status == 200 { Ok(()) } else { Err(format!("{} {}", answer.status, answer.text())) }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("stack").join(name)
}

/// A port below those that the kernel gives to outgoing connections, so that none of these can take it meanwhile.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = (std::process::id() % 100) as u16 * 100;
    (0..10_000)
        .map(|_| 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("one of ten thousand ports is free")
}

/// A pause that a killed server makes before it comes back.
pub(crate) const OUTAGE: Duration = Duration::from_secs(4);
