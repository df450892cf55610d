//! TLS of our listeners (rustls): a certificate, its key and, where clients must show one too, who signs theirs.
//!
//! Which port speaks it, and what is said inside, is each service's own. The files are looked at again while the process
//! runs, so that a certificate can be renewed without a restart; connections that there are keep theirs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
pub use tokio_rustls::server::TlsStream;

use crate::shutdown::Shutdown;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// The TLS of one listener: paths of PEM files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate and those between it and the root, the certificate first. Empty: no TLS.
    pub certificate: PathBuf,
    /// The certificate's key (PKCS #8, PKCS #1 or SEC 1).
    pub key: PathBuf,
    /// Certificates of whoever signs the certificates that clients must show. Empty: clients show none.
    pub client_ca: PathBuf,
}

/// Why TLS cannot be spoken; names the key of [`TlsConfig`] and the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One of certificate and key is named and the other is not, or a client's CA without both.
    #[error("{0} is missing: TLS needs a certificate and its key")]
    Missing(&'static str),
    /// A file cannot be read, or holds nothing that it should hold.
    #[error("{key}: {path} cannot be used: {what}")]
    File {
        /// Which key names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Certificate and key do not belong together, or cannot be used.
    #[error("certificate and key cannot be used: {0}")]
    Pair(rustls::Error),
}

impl TlsConfig {
    /// What makes TLS streams of accepted connections; `None` where no certificate is named. `protocols` are offered
    /// to clients that ask (ALPN), such as `http/1.1`; none: none.
    pub fn acceptor(&self, protocols: &[&str]) -> Result<Option<TlsAcceptor>, TlsError> {
        self.check()?;
        if !is_named(&self.certificate) {
            return Ok(None);
        }
        let protocols: Vec<Vec<u8>> = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let files = Files::read(self)?;
        let current = Current { digest: files.digest(), server: files.server(self, &protocols)? };
        let current = RwLock::new(current);
        Ok(Some(TlsAcceptor(Arc::new(Inner { config: self.clone(), protocols, current }))))
    }

    fn check(&self) -> Result<(), TlsError> {
        match (is_named(&self.certificate), is_named(&self.key), is_named(&self.client_ca)) {
            (false, false, false) | (true, true, _) => Ok(()),
            (false, _, _) => Err(TlsError::Missing("certificate")),
            (true, false, _) => Err(TlsError::Missing("key")),
        }
    }
}

fn is_named(path: &Path) -> bool {
    !path.as_os_str().is_empty()
}

/// Makes TLS streams of accepted connections, with the certificate as it is now. Clones are the same.
#[derive(Clone)]
pub struct TlsAcceptor(Arc<Inner>);

struct Inner {
    config: TlsConfig,
    protocols: Vec<Vec<u8>>,
    current: RwLock<Current>,
}

struct Current {
    /// Of the files that were last looked at: those in use, or newer ones that could not be used.
    digest: [u8; 32],
    server: tokio_rustls::TlsAcceptor,
}

impl TlsAcceptor {
    /// The handshake of an accepted connection.
    pub fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> tokio_rustls::Accept<S> {
        let current = self.0.current.read().unwrap_or_else(PoisonError::into_inner);
        current.server.accept(stream)
    }

    /// Looks at the files now and then until the shutdown begins. Those that cannot be used change nothing, and are said.
    pub async fn watch(self, shutdown: Shutdown) {
        shutdown.meanwhile(LOOK, move || self.look()).await;
    }

    /// Reads the files again, if they have changed.
    fn look(&self) {
        let Inner { config, protocols, current } = &*self.0;
        let files = Files::read(config);
        // A file that is not there is about to be: it is replaced.
        let digest = files.as_ref().map_or([0; 32], Files::digest);
        if digest == current.read().unwrap_or_else(PoisonError::into_inner).digest {
            return;
        }
        let certificate = config.certificate.display();
        let server = files.and_then(|files| files.server(config, protocols));
        let mut current = current.write().unwrap_or_else(PoisonError::into_inner);
        current.digest = digest;
        match server {
            Ok(server) => {
                tracing::info!(%certificate, "the certificate has changed: new connections have the new one");
                current.server = server;
            }
            Err(error) => {
                tracing::error!(%certificate, %error, "the certificate has changed and cannot be used: the old one stands");
            }
        }
    }
}

impl fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsAcceptor").field("config", &self.0.config).finish_non_exhaustive()
    }
}

/// What stood in the files at one time.
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    /// Empty: none is named.
    client_ca: Vec<u8>,
}

impl Files {
    fn read(config: &TlsConfig) -> Result<Files, TlsError> {
        let read = |key, path: &Path| std::fs::read(path).map_err(|error| file(key, path, &error));
        Ok(Files {
            certificate: read("certificate", &config.certificate)?,
            key: read("key", &config.key)?,
            client_ca: match is_named(&config.client_ca) {
                true => read("client_ca", &config.client_ca)?,
                false => Vec::new(),
            },
        })
    }

    fn digest(&self) -> [u8; 32] {
        let each = [&self.certificate, &self.key, &self.client_ca].map(Sha256::digest);
        Sha256::digest(each.concat()).into()
    }

    fn server(
        &self,
        config: &TlsConfig,
        protocols: &[Vec<u8>],
    ) -> Result<tokio_rustls::TlsAcceptor, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Pair)?;
        let builder = if is_named(&config.client_ca) {
            let roots = Arc::new(roots(&config.client_ca, &self.client_ca)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
            let verifier = verifier.map_err(|error| file("client_ca", &config.client_ca, &error))?;
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let chain = certificates("certificate", &config.certificate, &self.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key);
        let key = key.map_err(|error| file("key", &config.key, &error))?;
        let mut server = builder.with_single_cert(chain, key).map_err(TlsError::Pair)?;
        server.alpn_protocols = protocols.to_vec();
        Ok(tokio_rustls::TlsAcceptor::from(Arc::new(server)))
    }
}

fn roots(path: &Path, text: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("client_ca", path, text)? {
        roots.add(certificate).map_err(|error| file("client_ca", path, &error))?;
    }
    Ok(roots)
}

/// The certificates of a file, at least one.
fn certificates(
    key: &'static str,
    path: &Path,
    text: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
    let found = read.map_err(|error| file(key, path, &error))?;
    if found.is_empty() { Err(file(key, path, &"it holds no certificate")) } else { Ok(found) }
}

fn file(key: &'static str, path: &Path, what: &dyn std::fmt::Display) -> TlsError {
    TlsError::File { key, path: path.to_owned(), what: what.to_string() }
}

#[cfg(test)]
mod tests;
