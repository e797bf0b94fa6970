//! A frame: u32 length ‖ bytes, never empty, never above its cap.

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use std::io;

/// Why a frame could not be read.
#[derive(Debug)]
pub enum FrameError {
    /// The stated length is not allowed: the peer's fault.
    Length(String),
    /// The stream ended or broke before the frame did; anyone's bad luck.
    Stream(io::Error),
}

/// Writes one frame. What is longer than `u32` can say is an error of the caller, who caps it far below.
pub async fn write<T: AsyncWrite + Unpin>(io: &mut T, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
    io.write_all(&length.to_be_bytes()).await?;
    io.write_all(bytes).await?;
    io.flush().await
}

/// Reads one frame of at most `most` bytes. A length outside 1 … `most` ends it before a byte more is read; memory is taken
/// as bytes arrive and not for those announced.
pub async fn read<T: AsyncRead + Unpin>(io: &mut T, most: usize) -> Result<Vec<u8>, FrameError> {
    let mut length = [0; 4];
    io.read_exact(&mut length).await.map_err(FrameError::Stream)?;
    let stated = u32::from_be_bytes(length);
    let wanted = usize::try_from(stated).unwrap_or(usize::MAX);
    if wanted == 0 || wanted > most {
        return Err(FrameError::Length(format!("a frame of {stated} bytes, allowed are 1 to {most}")));
    }
    let mut bytes = Vec::new();
    io.take(u64::from(stated)).read_to_end(&mut bytes).await.map_err(FrameError::Stream)?;
    if bytes.len() < wanted {
        let what = format!("{} of {wanted} bytes came", bytes.len());
        return Err(FrameError::Stream(io::Error::new(io::ErrorKind::UnexpectedEof, what)));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::io::Cursor;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    /// Gives these bytes, and panics when asked for more.
    struct Only(Vec<u8>);

    impl AsyncRead for Only {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
            assert!(!self.0.is_empty(), "a byte more than the length was asked for, into {} bytes", out.len());
            let n = out.len().min(self.0.len());
            out[..n].copy_from_slice(&self.0[..n]);
            self.0.drain(..n);
            Poll::Ready(Ok(n))
        }
    }

    #[test]
    fn a_frame_comes_back_and_what_follows_it_is_left() {
        for bytes in [vec![1], vec![7; 1000]] {
            let mut wire = Cursor::new(Vec::new());
            block_on(write(&mut wire, &bytes)).unwrap();
            let mut wire = wire.into_inner();
            wire.push(9);
            let mut wire = Cursor::new(wire);
            assert_eq!(block_on(read(&mut wire, 1000)).unwrap(), bytes);
            assert_eq!(wire.position(), 4 + bytes.len() as u64);
        }
    }

    #[test]
    fn a_length_above_the_cap_or_none_is_refused_before_anything_is_read_or_taken() {
        for stated in [0, 1001, u32::MAX] {
            let read = block_on(read(&mut Only(stated.to_be_bytes().to_vec()), 1000));
            assert!(matches!(read, Err(FrameError::Length(ref why)) if why.contains(&stated.to_string())), "{read:?}");
        }
    }

    #[test]
    fn every_truncation_is_a_broken_stream_and_not_a_fault() {
        let whole = [&5u32.to_be_bytes(), b"hello".as_slice()].concat();
        for cut in 0..whole.len() {
            let read = block_on(read(&mut Cursor::new(&whole[..cut]), 10));
            assert!(matches!(read, Err(FrameError::Stream(_))), "{cut}: {read:?}");
        }
    }
}
