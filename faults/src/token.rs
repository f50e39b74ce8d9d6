//! Tokens as any client's own login would sign them: HS256, nothing else.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Signs for whoever is named; the key is that of the server's folder.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    key: Vec<u8>,
    expires: u64,
}

impl Signer {
    /// Of a secret as the server keeps it: hexadecimal characters.
    pub(crate) fn of_hex(text: &str) -> Result<Signer> {
        let pairs = text.trim().as_bytes().chunks(2).map(std::str::from_utf8);
        let key: Option<Vec<u8>> = pairs.map(|pair| u8::from_str_radix(pair.ok()?, 16).ok()).collect();
        let key = key.filter(|key| key.len() == 32).context("a secret is 64 hexadecimal characters")?;
        let expires = (SystemTime::now().duration_since(UNIX_EPOCH)? + LIFE).as_secs();
        Ok(Signer { key, expires })
    }

    /// Of a secret as a config has it: its bytes.
    pub(crate) fn of_text(text: &str) -> Result<Signer> {
        let expires = (SystemTime::now().duration_since(UNIX_EPOCH)? + LIFE).as_secs();
        Ok(Signer { key: text.as_bytes().to_vec(), expires })
    }

    pub(crate) fn token(&self, user: &str) -> Result<String> {
        let claims = serde_json::json!({ "sub": user, "name": user, "exp": self.expires }).to_string();
        self.sign(&claims)
    }

    fn sign(&self, claims: &str) -> Result<String> {
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims));
        let mac = Hmac::<Sha256>::new_from_slice(&self.key)?.chain_update(&text).finalize();
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.into_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_one_that_other_signers_make() {
        let signer = Signer { key: b"your-256-bit-secret".to_vec(), expires: 0 };
        let token = signer.sign(r#"{"sub":"1234567890","name":"John Doe","iat":1516239022}"#);
        let expected = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0I\
                        joxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
        assert_eq!(token.ok().as_deref(), Some(expected));
        assert!(Signer::of_hex("00").is_err() && Signer::of_hex(&"0f".repeat(32)).is_ok());
    }
}
