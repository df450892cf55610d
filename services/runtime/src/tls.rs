//! TLS of our listeners (rustls): a certificate, its key and, where clients must show one too, who signs theirs.
//!
//! Which port speaks it, and what is said inside, is each service's own. Files are read once, at start.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde::Deserialize;

pub use tokio_rustls::TlsAcceptor;
pub use tokio_rustls::server::TlsStream;

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
        let is_named = |path: &Path| !path.as_os_str().is_empty();
        match (is_named(&self.certificate), is_named(&self.key), is_named(&self.client_ca)) {
            (false, false, false) => return Ok(None),
            (false, _, _) => return Err(TlsError::Missing("certificate")),
            (true, false, _) => return Err(TlsError::Missing("key")),
            (true, true, _) => {}
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Pair)?;
        let builder = if is_named(&self.client_ca) {
            let roots = Arc::new(roots(&self.client_ca)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
            let verifier = verifier.map_err(|error| file("client_ca", &self.client_ca, &error))?;
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let chain = certificates("certificate", &self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| file("key", &self.key, &error))?;
        let mut config = builder.with_single_cert(chain, key).map_err(TlsError::Pair)?;
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Some(TlsAcceptor::from(Arc::new(config))))
    }
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("client_ca", path)? {
        roots.add(certificate).map_err(|error| file("client_ca", path, &error))?;
    }
    Ok(roots)
}

/// The certificates of a file, at least one.
fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| file(key, path, &error))?;
    if found.is_empty() { Err(file(key, path, &"it holds no certificate")) } else { Ok(found) }
}

fn file(key: &'static str, path: &Path, what: &dyn std::fmt::Display) -> TlsError {
    TlsError::File { key, path: path.to_owned(), what: what.to_string() }
}

#[cfg(test)]
mod tests;
