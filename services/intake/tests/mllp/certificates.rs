//! Certificates that are made for each run: `ca` signed `server` (localhost) and `client`, `other-ca` signed `stranger`.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// A file of the folder in which they are, such as `server.key.pem`.
pub(crate) fn pem(name: &str) -> PathBuf {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    MADE.get_or_init(make).path().join(name)
}

fn make() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write =
        |name: &str, text: String| fs::write(folder.path().join(name), text).expect("a folder of ours");
    for (authority, signed) in [("ca", &["server", "client"][..]), ("other-ca", &["stranger"])] {
        let mut parameters = CertificateParams::new(Vec::new()).expect("no names");
        // Of the same name as its authority a certificate would pass for signed by itself.
        parameters.distinguished_name.push(DnType::CommonName, authority);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        write(&format!("{authority}.pem"), parameters.self_signed(&key).expect("a certificate").pem());
        let issuer = Issuer::new(parameters, key);
        for name in signed {
            let key = KeyPair::generate().expect("a key");
            let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
            parameters.distinguished_name.push(DnType::CommonName, *name);
            write(&format!("{name}.pem"), parameters.signed_by(&key, &issuer).expect("a certificate").pem());
            write(&format!("{name}.key.pem"), key.serialize_pem());
        }
    }
    folder
}
