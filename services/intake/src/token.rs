//! Who may post: whoever has the one bearer token, or, without a token, programs on this machine.

use std::fmt;
use std::net::IpAddr;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, ORIGIN};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Who may post.
#[derive(Clone)]
pub enum Access {
    /// Whoever has the token. Kept as its digest: compared in constant time, whatever the lengths.
    Token([u8; 32]),
    /// Whoever reaches the loopback address, but no web page in a browser.
    Loopback,
}

/// No token, and an address that others can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a token is required where others than this machine can post; set one, or listen on 127.0.0.1 and not on {0}"
)]
pub struct NoToken(IpAddr);

/// Why a request may not post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// No token, or not ours: 401.
    Unknown,
    /// It comes from a web page, which must not post to a machine that asks for no token: 403.
    FromAPage,
}

impl Access {
    /// `address` is where the door listens. An empty token is none.
    pub fn new(token: Option<&str>, address: IpAddr) -> Result<Access, NoToken> {
        match token.filter(|token| !token.is_empty()) {
            Some(token) => Ok(Access::Token(digest(token.as_bytes()))),
            None if address.is_loopback() => Ok(Access::Loopback),
            None => Err(NoToken(address)),
        }
    }

    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Denied> {
        match self {
            Access::Loopback if headers.contains_key(ORIGIN) => Err(Denied::FromAPage),
            Access::Loopback => Ok(()),
            Access::Token(expected) => {
                let given = bearer(headers).ok_or(Denied::Unknown)?;
                if bool::from(digest(given).ct_eq(expected)) { Ok(()) } else { Err(Denied::Unknown) }
            }
        }
    }
}

fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::Token(_) => "Token(..)",
            Access::Loopback => "Loopback",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn only_the_token_opens_the_door() {
        let access = Access::new(Some("s3cret"), "0.0.0.0".parse().unwrap()).unwrap();
        for good in ["Bearer s3cret", "bearer s3cret", "BEARER   s3cret "] {
            assert_eq!(access.check(&headers("authorization", good)), Ok(()), "{good}");
        }
        for bad in [
            "Bearer s3cre",
            "Bearer s3crett",
            "Bearer ",
            "Bearer",
            "s3cret",
            "Basic s3cret",
            "Token s3cret",
            "",
        ] {
            assert_eq!(access.check(&headers("authorization", bad)), Err(Denied::Unknown), "{bad}");
        }
        assert_eq!(access.check(&HeaderMap::new()), Err(Denied::Unknown));
        assert_eq!(format!("{access:?}"), "Token(..)");
    }

    #[test]
    fn without_a_token_only_this_machine_may_post_and_no_page_in_its_browser() {
        for address in ["127.0.0.1", "127.9.9.9", "::1"] {
            let access = Access::new(None, address.parse().unwrap()).unwrap();
            assert_eq!(access.check(&HeaderMap::new()), Ok(()));
            assert_eq!(access.check(&headers("origin", "https://elsewhere.example")), Err(Denied::FromAPage));
            assert_eq!(access.check(&headers("origin", "null")), Err(Denied::FromAPage));
        }
        for address in ["0.0.0.0", "::", "10.0.0.1"] {
            assert!(Access::new(None, address.parse().unwrap()).is_err());
            assert!(Access::new(Some(""), address.parse().unwrap()).is_err());
        }
    }
}
