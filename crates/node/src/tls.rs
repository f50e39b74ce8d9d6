//! Certificates, and what one socket's secrecy needs: its session lives beside the socket in its shard's thread. Who may
//! do what is not asked here.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConnection;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use vocabulary::Wall;

use crate::certificate;

/// Plain bytes that become one record, and the most that a socket which takes nothing is owed as a secret: beyond it
/// nothing more is taken from its outbox.
const RECORD_BYTES: usize = 16 << 10;

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
        let mut session = ServerConnection::new(self.config.clone())?;
        session.set_buffer_limit(Some(RECORD_BYTES * 2));
        Ok(Secrecy { session })
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

/// One socket's cipher state.
pub(crate) struct Secrecy {
    pub session: ServerConnection,
}

/// What a read of secret bytes brought.
pub(crate) struct Unsealed {
    pub bytes: usize,
    /// There may be more where they came from.
    pub more: bool,
    pub ended: bool,
}

impl Secrecy {
    /// Plain bytes into the scratch buffer, as many as one turn wants; what the handshake has to answer goes out.
    pub(crate) fn read(
        &mut self,
        stream: &mut (impl Read + Write),
        scratch: &mut [u8],
    ) -> io::Result<Unsealed> {
        let mut ended = false;
        let mut source = Draining { stream, drained: false };
        loop {
            match self.session.reader().read(scratch) {
                Ok(0) => return Ok(Unsealed { bytes: 0, more: false, ended: true }),
                Ok(bytes) => {
                    let more = !source.drained || bytes == scratch.len();
                    return Ok(Unsealed { bytes, more, ended });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The peer went without a word: what it had said was said.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(Unsealed { bytes: 0, more: false, ended: true });
                }
                Err(error) => return Err(error),
            }
            if ended || source.drained {
                return Ok(Unsealed { bytes: 0, more: false, ended });
            }
            match self.session.read_tls(&mut source) {
                Ok(0) => ended = true,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => source.drained = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            let understood = self.session.process_new_packets();
            // An answer of the handshake, or the alert that says what was wrong.
            self.flush(source.stream)?;
            understood.map_err(io::Error::other)?;
        }
    }

    /// How many plain bytes were taken; fewer than all means that the socket is full.
    pub(crate) fn write(&mut self, stream: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        while self.flush(stream)? && taken < bytes.len() {
            let record = &bytes[taken..bytes.len().min(taken + RECORD_BYTES)];
            taken += self.session.writer().write(record)?;
        }
        Ok(taken)
    }

    /// False: the socket takes no more, and something is left.
    pub(crate) fn flush(&mut self, stream: &mut impl Write) -> io::Result<bool> {
        while self.session.wants_write() {
            match self.session.write_tls(stream) {
                Ok(0) => return Ok(false),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Says that nothing more comes, so that a cut cannot be taken for the end.
    pub(crate) fn finish(&mut self, stream: &mut impl Write) {
        self.session.send_close_notify();
        // A peer that is gone, or takes nothing, does without.
        self.flush(stream).ok();
    }
}

/// Notices when a socket had less than was asked for: then the next thing it has is news.
struct Draining<'a, S> {
    stream: &'a mut S,
    drained: bool,
}

impl<S: Read> Read for Draining<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.drained = read < buffer.len();
        Ok(read)
    }
}
