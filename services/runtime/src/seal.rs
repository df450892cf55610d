//! Bytes that only the holder of a private key can read: sealed to a public key in the form of age (`age1…`), so that
//! its own tools open them too.
//!
//! What is sealed, and where it is kept, is decided elsewhere.

use std::fmt;
use std::io::Read;
use std::path::Path;

use age::Encryptor;
use age::x25519;

/// Seals to one public key. Clones are the same.
#[derive(Clone)]
pub struct Sealer(x25519::Recipient);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is no public key.
    #[error("must be a public key of age, such as `age-keygen` prints: age1…")]
    NoRecipient,
    /// The file cannot be read.
    #[error("identity file {0} cannot be read: {1}")]
    Unreadable(String, std::io::Error),
    /// The file holds no private key.
    #[error("identity file {0} holds no line AGE-SECRET-KEY-1…")]
    NoIdentity(String),
}

/// Why sealed bytes cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// They were sealed to another key.
    #[error("sealed to another key than that of the identity file")]
    OtherKey,
    /// They are not what was sealed.
    #[error("not a whole sealed text")]
    Damaged,
}

impl Sealer {
    /// With a public key, `age1…`.
    pub fn new(recipient: &str) -> Result<Sealer, KeyError> {
        recipient.parse().map(Sealer).map_err(|_| KeyError::NoRecipient)
    }

    /// The bytes, sealed: about 200 bytes more. It takes about a tenth of a millisecond.
    pub fn seal(&self, bytes: &[u8]) -> Vec<u8> {
        let recipients = std::iter::once(&self.0 as &dyn age::Recipient);
        let encryptor = Encryptor::with_recipients(recipients).expect("there is one recipient");
        let mut sealed = Vec::with_capacity(bytes.len() + 256);
        let mut writer = encryptor.wrap_output(&mut sealed).expect("a vector takes all");
        std::io::Write::write_all(&mut writer, bytes).expect("a vector takes all");
        writer.finish().expect("a vector takes all");
        sealed
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({})", self.0)
    }
}

/// The private keys of an identity file, as `age-keygen` writes it.
pub struct Identity(Vec<x25519::Identity>);

impl Identity {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Identity, KeyError> {
        let name = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|error| KeyError::Unreadable(name.clone(), error))?;
        let keys: Vec<_> = text.lines().filter_map(|line| line.trim().parse().ok()).collect();
        if keys.is_empty() { Err(KeyError::NoIdentity(name)) } else { Ok(Identity(keys)) }
    }

    /// Opens what was sealed to one of the keys.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let decryptor = age::Decryptor::new(sealed).map_err(|_| OpenError::Damaged)?;
        let keys = self.0.iter().map(|key| key as &dyn age::Identity);
        let mut reader = decryptor.decrypt(keys).map_err(|error| match error {
            age::DecryptError::NoMatchingKeys => OpenError::OtherKey,
            _ => OpenError::Damaged,
        })?;
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(|_| OpenError::Damaged)?;
        Ok(bytes)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} keys)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of no use but here.
    const PRIVATE: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

    fn public() -> String {
        PRIVATE.parse::<x25519::Identity>().unwrap().to_public().to_string()
    }

    fn identity(text: &str) -> Result<Identity, KeyError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        std::fs::write(&path, text).unwrap();
        Identity::read(&path)
    }

    #[test]
    fn what_is_sealed_is_opened_with_the_key_and_with_no_other() {
        let public = public();
        let sealer = Sealer::new(&public).unwrap();
        let own = identity(&format!("# created: some day\n# public key: {public}\n{PRIVATE}\n")).unwrap();
        let other = Identity(vec![x25519::Identity::generate()]);
        for length in [0, 1, 1_000, 65_536, 70_000] {
            let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let sealed = sealer.seal(&bytes);
            // The library adds a stanza of random length to the header now and then.
            assert!(sealed.len() < length + 1_000);
            assert_eq!(own.open(&sealed), Ok(bytes));
            assert_eq!(other.open(&sealed), Err(OpenError::OtherKey));
            assert_eq!(own.open(&sealed[..sealed.len() - 1]), Err(OpenError::Damaged));
            let mut changed = sealed.clone();
            *changed.last_mut().unwrap() ^= 1;
            assert_eq!(own.open(&changed), Err(OpenError::Damaged));
        }
        let text = b"patient 9434765919";
        assert!(!sealer.seal(text).windows(4).any(|four| four == b"9434"));
        assert_ne!(sealer.seal(text), sealer.seal(text), "each is sealed with a key of its own");
    }

    #[test]
    fn what_is_no_key_is_said() {
        let public = public();
        for bad in ["", "age1", PRIVATE, "ssh-ed25519 AAAA", &public[..60]] {
            assert!(matches!(Sealer::new(bad), Err(KeyError::NoRecipient)), "{bad}");
        }
        for bad in ["", &public, "AGE-SECRET-KEY-1QQ"] {
            assert!(matches!(identity(bad), Err(KeyError::NoIdentity(_))), "{bad}");
        }
        let missing = Identity::read(Path::new("nowhere")).unwrap_err().to_string();
        assert!(missing.starts_with("identity file nowhere cannot be read"), "{missing}");
        assert_eq!(format!("{:?}", identity(PRIVATE).unwrap()), "Identity(1 keys)");
    }
}
