//! Who may come in. On loopback everyone; elsewhere whoever has the token, of which only the hash is kept.

use anyhow::Context;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use shared::id::{BootNonce, Digest, Epoch, WorkerId};
use std::io::Write;
use std::path::Path;

/// Where the hash of the token lies in the data folder.
const HASH_FILE: &str = "token.sha256";

/// Who may come in.
#[derive(Debug, Clone)]
pub enum Access {
    /// Everyone: only this machine can reach the port.
    Open,
    /// Whoever has the token with this SHA-256.
    Token(Digest),
}

/// What the first start on an open address prints once.
#[derive(Debug)]
pub struct NewToken(pub String);

impl Access {
    /// Finds the token's hash: given by the operator, kept by an earlier start, or of a new token, which is returned so
    /// that it can be shown once.
    ///
    /// # Errors
    /// The hash cannot be read or written.
    pub fn with_token(given: Option<&str>, data_dir: &Path) -> anyhow::Result<(Self, Option<NewToken>)> {
        if let Some(token) = given {
            return Ok((Self::Token(hash(token)), None));
        }
        let path = data_dir.join(HASH_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let kept =
                    text.trim().parse().with_context(|| format!("{} does not hold the hash of a token", path.display()))?;
                Ok((Self::Token(kept), None))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let token = format!("ek_{}", Digest(random()));
                let mut file = std::fs::File::create(&path).with_context(|| format!("creating {}", path.display()))?;
                writeln!(file, "{}", hash(&token))
                    .and_then(|()| file.sync_all())
                    .with_context(|| format!("writing {}", path.display()))?;
                Ok((Self::Token(hash(&token)), Some(NewToken(token))))
            }
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// Whether a caller that sends this bearer token may come in.
    pub fn admits(&self, bearer: Option<&str>) -> bool {
        match self {
            Access::Open => true,
            Access::Token(kept) => bearer.is_some_and(|token| is_equal(hash(token), *kept)),
        }
    }

    /// Whether a worker that answers a challenge so has the token.
    pub fn proves(&self, mac: Option<Digest>, nonce: BootNonce, worker: WorkerId, epoch: Epoch) -> bool {
        match self {
            Access::Open => true,
            Access::Token(kept) => mac.is_some_and(|mac| is_equal(mac, proof(*kept, nonce, worker, epoch))),
        }
    }
}

/// What a worker that has the token answers to a challenge: the token itself never travels.
fn proof(key: Digest, nonce: BootNonce, worker: WorkerId, epoch: Epoch) -> Digest {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.0).expect("any length of key will do");
    mac.update(&nonce.0);
    mac.update(&worker.0);
    mac.update(&epoch.0.to_be_bytes());
    Digest(mac.finalize().into_bytes().into())
}

fn hash(token: &str) -> Digest {
    Digest(Sha256::digest(token.trim().as_bytes()).into())
}

/// Compares without telling by its duration where the first difference is.
fn is_equal(a: Digest, b: Digest) -> bool {
    a.0.iter().zip(b.0).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

/// Bytes nobody can guess.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has a source of randomness");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_shown_once_and_known_ever_after() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (access, shown) = Access::with_token(None, dir.path()).expect("writable");
        let NewToken(token) = shown.expect("the first start makes one");
        let (again, shown) = Access::with_token(None, dir.path()).expect("readable");
        assert!(shown.is_none());
        for access in [access, again] {
            assert!(access.admits(Some(&token)) && !access.admits(Some("ek_wrong")) && !access.admits(None));
        }
        let kept = std::fs::read_to_string(dir.path().join(HASH_FILE)).expect("kept");
        assert!(!kept.contains(&token));
    }

    #[test]
    fn a_proof_is_good_for_one_nonce_worker_and_epoch() {
        let (nonce, worker, epoch) = (BootNonce([1; 8]), WorkerId([2; 16]), Epoch(3));
        let access = Access::Token(hash("secret"));
        let mac = proof(hash("secret"), nonce, worker, epoch);
        assert!(access.proves(Some(mac), nonce, worker, epoch));
        assert!(!access.proves(Some(mac), BootNonce([9; 8]), worker, epoch));
        assert!(!access.proves(Some(mac), nonce, WorkerId([9; 16]), epoch));
        assert!(!access.proves(Some(mac), nonce, worker, Epoch(4)));
        assert!(!access.proves(None, nonce, worker, epoch));
    }
}
