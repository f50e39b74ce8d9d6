//! A TLS session that began on a shard's thread, for the HTTP stack to go on with.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::secrecy::Secrecy;

pub(crate) struct Sealed {
    pub stream: TcpStream,
    pub secrecy: Secrecy,
}

/// What a session reads from and writes to without waiting.
struct Ready<'a>(&'a TcpStream);

impl io::Read for Ready<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl io::Write for Ready<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, pieces: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Sealed {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Sealed { stream, secrecy } = self.get_mut();
        loop {
            let unsealed = secrecy.read(&mut Ready(stream), buf.initialize_unfilled())?;
            if unsealed.bytes > 0 || unsealed.ended {
                buf.advance(unsealed.bytes);
                return Poll::Ready(Ok(()));
            }
            // A look that finds nothing is what makes the next readiness wake us.
            ready!(stream.poll_read_ready(cx))?;
        }
    }
}

impl AsyncWrite for Sealed {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Sealed { stream, secrecy } = self.get_mut();
        loop {
            let taken = secrecy.write(&mut Ready(stream), bytes)?;
            if taken > 0 || bytes.is_empty() {
                return Poll::Ready(Ok(taken));
            }
            ready!(stream.poll_write_ready(cx))?;
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Sealed { stream, secrecy } = self.get_mut();
        while !secrecy.flush(&mut Ready(stream))? {
            ready!(stream.poll_write_ready(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.secrecy.say_end();
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
