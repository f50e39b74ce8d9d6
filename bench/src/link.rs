//! What a member's bytes travel in: the socket itself, or TLS over it. It never waits.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use anyhow::Result;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// A certificate that proves nothing and protects nobody: its key is public. For loopback only.
pub(crate) const CERTIFICATE: &str = include_str!("../certs/loopback.pem");
pub(crate) const KEY: &str = include_str!("../certs/loopback.key.pem");
const NAME: &str = "localhost";

/// What all sealed links of a crowd share. Nothing is resumed: each pays for a handshake of its own.
pub(crate) fn secrecy() -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(CERTIFICATE.as_bytes())?)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_protocol_versions(rustls::DEFAULT_VERSIONS)?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

#[derive(Debug)]
pub(crate) enum Link {
    Plain(TcpStream),
    Sealed(Box<(TcpStream, ClientConnection)>),
}

impl Link {
    pub(crate) fn sealed(stream: TcpStream, secrecy: &Arc<ClientConfig>) -> Result<Link> {
        let session = ClientConnection::new(secrecy.clone(), ServerName::try_from(NAME)?)?;
        Ok(Link::Sealed(Box::new((stream, session))))
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        match self {
            Link::Plain(stream) => stream,
            Link::Sealed(sealed) => &sealed.0,
        }
    }

    /// Whether a read that fills less than its buffer has taken all there was.
    pub(crate) fn short_reads_are_whole(&self) -> bool {
        matches!(self, Link::Plain(_))
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let sealed = match self {
            Link::Plain(stream) => return stream.read(buffer),
            Link::Sealed(sealed) => sealed,
        };
        let (stream, session) = &mut **sealed;
        loop {
            match session.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                other => return other,
            }
            if session.read_tls(stream)? == 0 {
                return Ok(0);
            }
            session.process_new_packets().map_err(io::Error::other)?;
            send(stream, session)?;
        }
    }

    /// How many bytes were taken: by the socket, or by the session on their way there.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Link::Plain(stream) => stream.write(bytes),
            Link::Sealed(sealed) => {
                let (stream, session) = &mut **sealed;
                let taken = session.writer().write(bytes)?;
                send(stream, session)?;
                Ok(taken)
            }
        }
    }
}

fn send(stream: &mut TcpStream, session: &mut ClientConnection) -> io::Result<()> {
    while session.wants_write() {
        match session.write_tls(stream) {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
