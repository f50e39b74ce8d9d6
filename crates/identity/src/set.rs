//! A set of public keys (RFC 7517) as keys that prove tokens. Which algorithms it may prove its owner says, not the set.

use std::fmt;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};

use crate::key::Family;
use crate::{Algorithm, ProvingKey};

/// More keys than anybody rotates through at once; each is tried for a token that names none.
const KEYS_MAX: usize = 64;
/// A set of so many keys fits well into this.
pub const SET_BYTES_MAX: usize = 256 << 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetError {
    TooLarge,
    NotASet,
    TooManyKeys,
    /// Not one of its keys is of an algorithm that it may prove.
    NoUsableKey,
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetError::TooLarge => write!(f, "more than {SET_BYTES_MAX} bytes"),
            SetError::NotASet => f.write_str("not a set of keys: {\"keys\":[…]} is expected"),
            SetError::TooManyKeys => write!(f, "more than {KEYS_MAX} keys"),
            SetError::NoUsableKey => f.write_str("none of its keys is for one of the configured algorithms"),
        }
    }
}

impl std::error::Error for SetError {}

#[derive(Clone, Debug)]
pub struct KeySet {
    pub(crate) keys: Vec<ProvingKey>,
    /// Keys of kinds or uses that are none of ours.
    pub passed_over: usize,
}

impl KeySet {
    pub fn read(json: &[u8], issuer: Option<&str>, algorithms: &[Algorithm]) -> Result<KeySet, SetError> {
        if json.len() > SET_BYTES_MAX {
            return Err(SetError::TooLarge);
        }
        // A key that cannot be read is passed over; the others are as good as ever.
        let set: serde_json::Value = serde_json::from_slice(json).map_err(|_| SetError::NotASet)?;
        let listed = set.get("keys").and_then(|keys| keys.as_array()).ok_or(SetError::NotASet)?;
        if listed.len() > KEYS_MAX {
            return Err(SetError::TooManyKeys);
        }
        let readable = listed.iter().filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok());
        let set = JwkSet { keys: readable.collect() };
        let keys: Vec<ProvingKey> =
            set.keys.iter().filter_map(|key| proving(key, issuer, algorithms)).collect();
        if keys.is_empty() {
            return Err(SetError::NoUsableKey);
        }
        Ok(KeySet { passed_over: listed.len() - keys.len(), keys })
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

fn proving(key: &Jwk, issuer: Option<&str>, algorithms: &[Algorithm]) -> Option<ProvingKey> {
    if key.common.public_key_use.as_ref().is_some_and(|used| *used != PublicKeyUse::Signature) {
        return None;
    }
    let family = match &key.algorithm {
        AlgorithmParameters::RSA(_) => Family::Rsa,
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => Family::Curve256,
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P384 => Family::Curve384,
        AlgorithmParameters::OctetKeyPair(_) => Family::Edwards,
        // A secret in a set that others can read is none.
        _ => return None,
    };
    let mut fitting = algorithms.iter().copied().filter(|algorithm| algorithm.family() == family);
    let algorithm = match &key.common.key_algorithm {
        Some(named) => fitting.find(|algorithm| algorithm.name() == named.to_string())?,
        None => {
            let only = fitting.next()?;
            // Which of several it is for, nobody has said.
            if fitting.next().is_some() {
                return None;
            }
            only
        }
    };
    let decoding = DecodingKey::from_jwk(key).ok()?;
    Some(ProvingKey::of_set(key.common.key_id.clone(), issuer.map(str::to_owned), algorithm, decoding))
}
