//! Tokens as any client's own login would sign them: HS256, nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use anyhow::{Context, Result};

/// `key` in, compact JWT out; `claims` is a JSON object.
pub(crate) fn sign(key: &[u8], claims: &str) -> Result<String> {
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims));
    let mac = Hmac::<Sha256>::new_from_slice(key)?.chain_update(&text).finalize();
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.into_bytes())))
}

/// The key that 64 hexadecimal characters spell.
pub(crate) fn key_from_hex(text: &str) -> Result<Vec<u8>> {
    let text = text.trim();
    let pairs = text.as_bytes().chunks(2).map(std::str::from_utf8);
    let bytes: Option<Vec<u8>> = pairs
        .map(|pair| {
            pair.ok().filter(|pair| pair.len() == 2).and_then(|pair| u8::from_str_radix(pair, 16).ok())
        })
        .collect();
    bytes.filter(|bytes| bytes.len() == 32).context("a secret is 64 hexadecimal characters")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_one_that_other_signers_make() {
        let token =
            sign(b"your-256-bit-secret", r#"{"sub":"1234567890","name":"John Doe","iat":1516239022}"#);
        let expected = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0I\
                        joxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
        assert_eq!(token.ok().as_deref(), Some(expected));
    }

    #[test]
    fn secrets() {
        let good = "00ff".repeat(16);
        assert_eq!(key_from_hex(&format!("{good}\n")).ok(), Some([0x00, 0xff].repeat(16)));
        for bad in ["", "00", &"zz".repeat(32), &"0".repeat(63), &"00".repeat(33)] {
            assert!(key_from_hex(bad).is_err(), "{bad}");
        }
    }
}
