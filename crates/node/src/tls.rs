//! The certificate in force, and sessions under it; how it is renewed while others go on under the old one.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, UnbufferedServerConnection};
use rustls::sign::CertifiedKey;
use vocabulary::Wall;

use crate::certificate;
use crate::secrecy::Secrecy;

/// The certificate in force; a new one is for new connections, and the others keep theirs.
#[derive(Debug)]
struct InForce(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for InForce {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Read for the moment of cloning a pointer; written once in some months.
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

#[derive(Clone)]
pub struct Tls {
    config: Arc<rustls::ServerConfig>,
    in_force: Arc<InForce>,
}

#[derive(Debug)]
pub enum TlsError {
    Certificate(String),
    Key(String),
    /// The key is not that of the certificate, or of a kind that we do not know.
    Pair(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::Certificate(error) => write!(f, "the certificate cannot be read: {error}"),
            TlsError::Key(error) => write!(f, "the key cannot be read: {error}"),
            TlsError::Pair(error) => write!(f, "certificate and key do not go together: {error}"),
        }
    }
}

impl std::error::Error for TlsError {}

impl Tls {
    /// Of a chain and its key in PEM. Versions 1.2 and 1.3 with what rustls holds safe; HTTP/1.1 alone.
    pub fn read(certificate: &Path, key: &Path) -> Result<Tls, TlsError> {
        let pair = pair(certificate, key)?;
        let in_force = Arc::new(InForce(RwLock::new(Arc::new(pair))));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(TlsError::Pair)?;
        let mut config = config.with_no_client_auth().with_cert_resolver(in_force.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Clients that come back in a storm resume without a signature, and we remember nothing for it.
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Pair)?;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 1;
        Ok(Tls { config: Arc::new(config), in_force })
    }

    /// When the certificate in force ends, if that can be read.
    pub fn ends(&self) -> Option<Wall> {
        let pair = self.in_force.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        certificate::ends(pair.cert.first()?)
    }

    /// For connections from now on.
    pub fn renew(&self, certificate: &Path, key: &Path) -> Result<(), TlsError> {
        let pair = Arc::new(pair(certificate, key)?);
        *self.in_force.0.write().unwrap_or_else(PoisonError::into_inner) = pair;
        Ok(())
    }

    pub(crate) fn session(&self) -> Result<Secrecy, rustls::Error> {
        UnbufferedServerConnection::new(self.config.clone()).map(Secrecy::new)
    }
}

fn pair(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let named = |path: &Path, error: &dyn fmt::Display| format!("{}: {error}", path.display());
    let wrong = |error| TlsError::Certificate(named(certificate, &error));
    let chain = CertificateDer::pem_file_iter(certificate).map_err(wrong)?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(wrong)?;
    if chain.is_empty() {
        return Err(TlsError::Certificate(named(certificate, &"no certificate in it")));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| TlsError::Key(named(key, &error)))?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(TlsError::Pair)
}
