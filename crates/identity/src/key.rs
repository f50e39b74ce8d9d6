//! Keys: each proves tokens of one algorithm, which is its own and never the token's choice. None can be printed.

use std::fmt;
use std::str::FromStr;

use jsonwebtoken::{DecodingKey, EncodingKey};

use crate::header::Parts;

/// Shorter keys can be guessed offline from one token.
const SECRET_BYTES_MIN: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

/// What a kind of key can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Secret,
    Rsa,
    Curve256,
    Curve384,
    Edwards,
}

impl Algorithm {
    pub const ALL: [Algorithm; 12] = [
        Algorithm::Hs256,
        Algorithm::Hs384,
        Algorithm::Hs512,
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::EdDsa,
    ];

    /// As it stands in tokens.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Hs256 => "HS256",
            Algorithm::Hs384 => "HS384",
            Algorithm::Hs512 => "HS512",
            Algorithm::Rs256 => "RS256",
            Algorithm::Rs384 => "RS384",
            Algorithm::Rs512 => "RS512",
            Algorithm::Ps256 => "PS256",
            Algorithm::Ps384 => "PS384",
            Algorithm::Ps512 => "PS512",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            Algorithm::EdDsa => "EdDSA",
        }
    }

    /// Whether who proves could also sign.
    pub fn is_secret(self) -> bool {
        self.family() == Family::Secret
    }

    pub(crate) fn family(self) -> Family {
        match self {
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => Family::Secret,
            Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => Family::Rsa,
            Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => Family::Rsa,
            Algorithm::Es256 => Family::Curve256,
            Algorithm::Es384 => Family::Curve384,
            Algorithm::EdDsa => Family::Edwards,
        }
    }

    fn theirs(self) -> jsonwebtoken::Algorithm {
        use jsonwebtoken::Algorithm as Theirs;
        match self {
            Algorithm::Hs256 => Theirs::HS256,
            Algorithm::Hs384 => Theirs::HS384,
            Algorithm::Hs512 => Theirs::HS512,
            Algorithm::Rs256 => Theirs::RS256,
            Algorithm::Rs384 => Theirs::RS384,
            Algorithm::Rs512 => Theirs::RS512,
            Algorithm::Ps256 => Theirs::PS256,
            Algorithm::Ps384 => Theirs::PS384,
            Algorithm::Ps512 => Theirs::PS512,
            Algorithm::Es256 => Theirs::ES256,
            Algorithm::Es384 => Theirs::ES384,
            Algorithm::EdDsa => Theirs::EdDSA,
        }
    }
}

impl FromStr for Algorithm {
    type Err = KeyError;

    fn from_str(name: &str) -> Result<Algorithm, KeyError> {
        let found = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name);
        found.ok_or(KeyError::UnknownAlgorithm)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    SecretTooShort,
    UnknownAlgorithm,
    /// A secret where a public key is needed, or the other way round.
    WrongKind(Algorithm),
    NotPem(Algorithm),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::SecretTooShort => write!(f, "a secret must be at least {SECRET_BYTES_MIN} bytes"),
            KeyError::UnknownAlgorithm => {
                let names: Vec<&str> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
                write!(f, "the algorithm must be one of {}", names.join(", "))
            }
            KeyError::WrongKind(algorithm) if algorithm.is_secret() => {
                write!(f, "{} needs a secret, not a public key", algorithm.name())
            }
            KeyError::WrongKind(algorithm) => {
                write!(f, "{} needs a public key, not a secret", algorithm.name())
            }
            KeyError::NotPem(algorithm) => {
                write!(f, "this is no public key for {} in PEM", algorithm.name())
            }
        }
    }
}

impl std::error::Error for KeyError {}

/// A key that proves tokens.
#[derive(Clone)]
pub struct ProvingKey {
    pub(crate) id: Option<String>,
    /// Proves only tokens of this issuer.
    pub(crate) issuer: Option<String>,
    pub(crate) algorithm: Algorithm,
    key: DecodingKey,
}

impl ProvingKey {
    pub fn secret(id: Option<String>, algorithm: Algorithm, secret: &[u8]) -> Result<ProvingKey, KeyError> {
        if !algorithm.is_secret() {
            return Err(KeyError::WrongKind(algorithm));
        }
        if secret.len() < SECRET_BYTES_MIN {
            return Err(KeyError::SecretTooShort);
        }
        Ok(ProvingKey { id, issuer: None, algorithm, key: DecodingKey::from_secret(secret) })
    }

    pub fn public(id: Option<String>, algorithm: Algorithm, pem: &str) -> Result<ProvingKey, KeyError> {
        let pem = pem.as_bytes();
        let key = match algorithm.family() {
            Family::Secret => return Err(KeyError::WrongKind(algorithm)),
            Family::Rsa => DecodingKey::from_rsa_pem(pem),
            Family::Curve256 | Family::Curve384 => DecodingKey::from_ec_pem(pem),
            Family::Edwards => DecodingKey::from_ed_pem(pem),
        };
        let key = key.map_err(|_| KeyError::NotPem(algorithm))?;
        Ok(ProvingKey { id, issuer: None, algorithm, key })
    }

    pub(crate) fn of_set(
        id: Option<String>,
        issuer: Option<String>,
        algorithm: Algorithm,
        key: DecodingKey,
    ) -> ProvingKey {
        ProvingKey { id, issuer, algorithm, key }
    }

    /// In constant time, by the library.
    pub(crate) fn proves(&self, parts: &Parts<'_>) -> bool {
        let (signature, signed) = (parts.signature, parts.signed.as_bytes());
        jsonwebtoken::crypto::verify(signature, signed, &self.key, self.algorithm.theirs()).unwrap_or(false)
    }
}

impl fmt::Debug for ProvingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.algorithm.name(), self.id)
    }
}

/// The deployment's own secret, HS256: it proves tokens and makes them.
#[derive(Clone)]
pub struct Secret {
    sign: EncodingKey,
    prove: ProvingKey,
}

impl Secret {
    pub fn new(bytes: &[u8]) -> Result<Secret, KeyError> {
        let prove = ProvingKey::secret(None, Algorithm::Hs256, bytes)?;
        Ok(Secret { sign: EncodingKey::from_secret(bytes), prove })
    }

    pub fn proving(&self) -> ProvingKey {
        self.prove.clone()
    }

    pub fn sign(&self, claims: &impl serde::Serialize) -> Result<String, String> {
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
        jsonwebtoken::encode(&header, claims, &self.sign).map_err(|error| error.to_string())
    }
}
