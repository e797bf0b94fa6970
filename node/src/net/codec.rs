//! Bytes of the two request protocols: length-capped both ways, decoded on the connection's own task, not on the event loop.

use super::capture::Capture;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use libp2p::request_response::Codec;
use medring_protocol::codec::CodecError;
use medring_protocol::wire::{Request, Response, Status};
use medring_protocol::{codec, limits};
use std::io;

/// `/medring/status/1`: a [`Status`], answered by one byte. Its name holds no chain id, so that nodes of two networks still
/// learn of each other's chain.
#[derive(Clone, Debug, Default)]
pub(super) struct StatusCodec {
    /// Told what is sent.
    pub(super) capture: Capture,
}

/// `/medring/CHAIN/sync/1`: a [`Request`], answered by a [`Response`].
#[derive(Clone, Debug, Default)]
pub(super) struct SyncCodec {
    /// Told what is sent.
    pub(super) capture: Capture,
}

/// The byte that says a status arrived.
const ACK: u8 = 1;

/// All bytes up to the end of the stream, refused beyond `most`.
async fn read_capped<T: AsyncRead + Unpin + Send>(io: &mut T, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    io.take(limit).read_to_end(&mut bytes).await?;
    if bytes.len() > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("more than {most} bytes")));
    }
    Ok(bytes)
}

fn malformed(error: CodecError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

async fn write_all<T: AsyncWrite + Unpin + Send>(io: &mut T, bytes: &[u8], capture: &Capture) -> io::Result<()> {
    capture.add(bytes);
    io.write_all(bytes).await?;
    io.close().await
}

impl Codec for StatusCodec {
    type Protocol = StreamProtocol;
    type Request = Status;
    type Response = ();

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Status>
    where
        T: AsyncRead + Unpin + Send,
    {
        Status::decode(&read_capped(io, Status::BYTES_MAX).await?).map_err(malformed)
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<()>
    where
        T: AsyncRead + Unpin + Send,
    {
        match read_capped(io, 1).await?.as_slice() {
            [ACK] => Ok(()),
            other => Err(io::Error::new(io::ErrorKind::InvalidData, format!("{other:?} is no acknowledgement"))),
        }
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, status: Status) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_all(io, &codec::encode(&status), &self.capture).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, (): ()) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_all(io, &[ACK], &self.capture).await
    }
}

impl Codec for SyncCodec {
    type Protocol = StreamProtocol;
    type Request = Request;
    type Response = Response;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        Request::decode(&read_capped(io, limits::REQUEST_BYTES_MAX).await?).map_err(malformed)
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Response>
    where
        T: AsyncRead + Unpin + Send,
    {
        Response::decode(&read_capped(io, limits::RESPONSE_BYTES_MAX).await?).map_err(malformed)
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Request) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_all(io, &codec::encode(&request), &self.capture).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, response: Response) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_all(io, &codec::encode(&response), &self.capture).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::io::Cursor;
    use medring_protocol::BlockId;

    const NAME: StreamProtocol = StreamProtocol::new("/test");

    #[test]
    fn a_request_comes_back_as_it_went() {
        let request = Request::Headers { locator: vec![BlockId([7; 32]); 3] };
        let mut wire = Cursor::new(Vec::new());
        block_on(SyncCodec::default().write_request(&NAME, &mut wire, request.clone())).unwrap();
        let mut wire = Cursor::new(wire.into_inner());
        assert_eq!(block_on(SyncCodec::default().read_request(&NAME, &mut wire)).unwrap(), request);
    }

    #[test]
    fn too_many_bytes_are_refused_without_being_read() {
        let mut endless = futures::io::repeat(0);
        let error = block_on(SyncCodec::default().read_request(&NAME, &mut endless)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains("more than"), "{error}");
        assert!(block_on(StatusCodec::default().read_request(&NAME, &mut endless)).is_err());
        assert!(block_on(SyncCodec::default().read_response(&NAME, &mut endless)).is_err());
    }

    #[test]
    fn truncated_and_trailing_bytes_are_refused() {
        let bytes = codec::encode(&Request::Pool);
        let mut short = Cursor::new(bytes[..bytes.len() - 1].to_vec());
        assert!(block_on(SyncCodec::default().read_request(&NAME, &mut short)).is_err());
        let mut long = Cursor::new([bytes.as_slice(), &[0]].concat());
        assert!(block_on(SyncCodec::default().read_request(&NAME, &mut long)).is_err());
    }

    #[test]
    fn an_acknowledgement_is_one_byte() {
        assert!(block_on(StatusCodec::default().read_response(&NAME, &mut Cursor::new(vec![ACK]))).is_ok());
        for wrong in [vec![], vec![0], vec![ACK, ACK]] {
            assert!(block_on(StatusCodec::default().read_response(&NAME, &mut Cursor::new(wrong))).is_err());
        }
    }
}
