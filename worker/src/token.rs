//! The token: where it is found, and how it is proven without being sent.

use anyhow::{Context, Result, bail};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use shared::id::{BootNonce, Digest, Epoch, WorkerId};
use std::path::Path;

/// The variable that may hold the token; tasks never see it.
pub const TOKEN_VARIABLE: &str = "EVENKEEL_TOKEN";

/// What a coordinator and its workers share.
#[derive(Clone)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// The token in `file`, else in the environment, else in the user's configuration; none where there is none.
    pub fn find(file: Option<&Path>) -> Result<Option<Self>> {
        if let Some(file) = file {
            let text = std::fs::read_to_string(file).with_context(|| format!("reading the token from {}", file.display()))?;
            if text.trim().is_empty() {
                bail!("the token file {} is empty; write the coordinator's token into it", file.display());
            }
            return Ok(Some(Self(text.trim().into())));
        }
        let in_home = || {
            let path = Path::new(&std::env::var_os("HOME")?).join(".config/evenkeel/token");
            std::fs::read_to_string(path).ok()
        };
        let found = std::env::var(TOKEN_VARIABLE).ok().or_else(in_home);
        Ok(found.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).map(Self))
    }

    /// HMAC-SHA256 over nonce, worker id and epoch (big endian), keyed with the SHA-256 of the token.
    pub fn prove(&self, nonce: BootNonce, worker: WorkerId, epoch: Epoch) -> Digest {
        let key = Sha256::digest(self.0.as_bytes());
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length will do");
        mac.update(&nonce.0);
        mac.update(&worker.0);
        mac.update(&epoch.0.to_be_bytes());
        Digest(mac.finalize().into_bytes().into())
    }

    /// The value of an `Authorization` header.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_the_one_that_was_agreed_and_depends_on_every_part() {
        let proof = |token: &str, nonce, worker, epoch| {
            Token(token.into()).prove(BootNonce([nonce; 8]), WorkerId([worker; 16]), Epoch(epoch))
        };
        let base = proof("secret", 1, 2, 3);
        // Computed independently: hmac(sha256("secret"), 01*8 | 02*16 | 00000003).
        assert_eq!(base.to_string(), "72a1ec8ba765ab868220e8c46b754bb1c17c2db261fcc3aaf2da07a7fefd5bf7");
        for other in [proof("other", 1, 2, 3), proof("secret", 9, 2, 3), proof("secret", 1, 9, 3), proof("secret", 1, 2, 9)] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_token_does_not_show_in_debug_output() {
        assert!(!format!("{:?}", Token("secret".into())).contains("secret"));
    }
}
