//! The key of a handshake and the answer that proves it was read. It authenticates nobody.

/// `Sec-WebSocket-Key`: sixteen bytes in base64, never decoded. To hold one is to know that it was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key([u8; KEY_BYTES]);

const KEY_BYTES: usize = 24;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// RFC 6455, 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

impl Key {
    /// As a client makes it. The nonce is the caller's, who has the randomness.
    pub fn from_nonce(nonce: [u8; 16]) -> Key {
        let mut key = [b'='; KEY_BYTES];
        for (slot, byte) in key.iter_mut().zip(base64(&nonce).bytes()) {
            *slot = byte;
        }
        Key(key)
    }

    pub fn as_str(&self) -> &str {
        // Both ways to make a key leave ASCII in it.
        str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(super) fn parse(text: &str) -> Option<Key> {
        let key: [u8; KEY_BYTES] = text.as_bytes().try_into().ok()?;
        let (digits, padding) = key.split_at(22);
        (digits.iter().all(|digit| ALPHABET.contains(digit)) && padding == b"==").then_some(Key(key))
    }

    pub(super) fn accept(self) -> String {
        let mut digest = sha1_smol::Sha1::new();
        digest.update(&self.0);
        digest.update(GUID);
        base64(&digest.digest().bytes())
    }
}

fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut wide = [0; 4];
        wide[1..=chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes(wide);
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) & 0x3F;
            out.push(if digit as usize <= chunk.len() { char::from(ALPHABET[index as usize]) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let table = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
        ];
        for (plain, encoded) in table {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
        assert_eq!(base64(&[0xFB, 0xFF, 0xFE]), "+//+");
    }

    #[test]
    fn a_key_made_of_a_nonce_is_one_that_is_accepted() {
        for byte in 0..=255 {
            let key = Key::from_nonce([byte; 16]);
            assert_eq!(Key::parse(key.as_str()), Some(key));
        }
    }
}
