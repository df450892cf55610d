//! Handshakes over loopback, with certificates that are made for each run.

use std::fs;
use std::sync::OnceLock;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use super::*;

/// A file of the folder in which `ca` signed `server` (localhost) and `client`, and `other-ca` signed `stranger`.
fn pem(name: &str) -> PathBuf {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        for (authority, signed) in [("ca", &["server", "client"][..]), ("other-ca", &["stranger"])] {
            let mut parameters = CertificateParams::new(Vec::new()).unwrap();
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let key = KeyPair::generate().unwrap();
            write(&format!("{authority}.pem"), parameters.self_signed(&key).unwrap().pem());
            let issuer = Issuer::new(parameters, key);
            for name in signed {
                let key = KeyPair::generate().unwrap();
                let parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
                write(&format!("{name}.pem"), parameters.signed_by(&key, &issuer).unwrap().pem());
                write(&format!("{name}.key.pem"), key.serialize_pem());
            }
        }
        folder
    });
    folder.path().join(name)
}

fn config(certificate: &str, key: &str, client_ca: &str) -> TlsConfig {
    let path = |name: &str| if name.is_empty() { PathBuf::new() } else { pem(name) };
    TlsConfig { certificate: path(certificate), key: path(key), client_ca: path(client_ca) }
}

async fn heard(server: &TlsConfig, ca: &str, shows: Option<&str>) -> std::io::Result<String> {
    heard_from(server.acceptor(&[]).unwrap().unwrap(), ca, shows).await
}

/// What a client hears that trusts `ca` and shows a certificate, if any; the server says `hello`.
async fn heard_from(acceptor: TlsAcceptor, ca: &str, shows: Option<&str>) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await?;
        stream.write_all(b"hello").await?;
        stream.shutdown().await
    });
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder =
        builder.unwrap().with_root_certificates(roots(&pem(ca), &fs::read(pem(ca)).unwrap()).unwrap());
    let client = match shows {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let file = pem(&format!("{name}.pem"));
            let chain = certificates("certificate", &file, &fs::read(&file).unwrap()).unwrap();
            let key = PrivateKeyDer::from_pem_file(pem(&format!("{name}.key.pem"))).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await?;
    let mut text = String::new();
    let read = stream.read_to_string(&mut text).await;
    let served = serving.await.unwrap();
    read.and(served).map(|()| text)
}

#[tokio::test]
async fn a_client_hears_the_server_that_it_trusts_and_shows_what_is_asked_for() {
    let open = config("server.pem", "server.key.pem", "");
    let closed = config("server.pem", "server.key.pem", "ca.pem");
    for (server, ca, shows, well) in [
        (&open, "ca.pem", None, true),
        (&open, "ca.pem", Some("client"), true),
        (&open, "other-ca.pem", None, false),
        (&closed, "ca.pem", Some("client"), true),
        (&closed, "ca.pem", None, false),
        (&closed, "ca.pem", Some("stranger"), false),
    ] {
        let heard = heard(server, ca, shows).await;
        assert_eq!(heard.is_ok_and(|text| text == "hello"), well, "{ca} {shows:?}");
    }
}

#[tokio::test]
async fn a_certificate_is_renewed_without_a_restart_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let put = |from: &str, to: &str| fs::copy(pem(from), folder.path().join(to)).unwrap();
    put("server.pem", "now.pem");
    put("server.key.pem", "now.key.pem");
    let path = |name: &str| folder.path().join(name);
    let config =
        TlsConfig { certificate: path("now.pem"), key: path("now.key.pem"), client_ca: PathBuf::new() };
    let acceptor = config.acceptor(&[]).unwrap().unwrap();
    let trusted_by = async |ca: &str| {
        acceptor.look();
        heard_from(acceptor.clone(), ca, None).await.is_ok_and(|text| text == "hello")
    };
    assert!(trusted_by("ca.pem").await && !trusted_by("other-ca.pem").await);
    // Files are replaced one after the other: between the two they do not belong together.
    put("stranger.pem", "now.pem");
    assert!(trusted_by("ca.pem").await);
    put("stranger.key.pem", "now.key.pem");
    assert!(trusted_by("other-ca.pem").await && !trusted_by("ca.pem").await);
    fs::remove_file(path("now.pem")).unwrap();
    assert!(trusted_by("other-ca.pem").await);
    fs::write(path("now.pem"), "no certificate").unwrap();
    assert!(trusted_by("other-ca.pem").await);
    put("server.pem", "now.pem");
    put("server.key.pem", "now.key.pem");
    assert!(trusted_by("ca.pem").await && !trusted_by("other-ca.pem").await);
}

#[test]
fn without_a_certificate_there_is_no_tls_and_half_of_it_is_an_error() {
    assert!(TlsConfig::default().acceptor(&[]).unwrap().is_none());
    for (wrong, expected) in [
        (config("server.pem", "", ""), "key is missing"),
        (config("", "server.key.pem", ""), "certificate is missing"),
        (config("", "", "ca.pem"), "certificate is missing"),
        (config("nowhere.pem", "server.key.pem", ""), "certificate: "),
        (config("server.key.pem", "server.key.pem", ""), "it holds no certificate"),
        (config("server.pem", "server.pem", ""), "key: "),
        (config("server.pem", "client.key.pem", ""), "certificate and key cannot be used"),
        (config("server.pem", "server.key.pem", "server.key.pem"), "client_ca: "),
    ] {
        let error = wrong.acceptor(&[]).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(expected), "{wrong:?}: {error:?}");
    }
}
