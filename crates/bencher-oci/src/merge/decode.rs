//! A layer's bytes: read and hashed on one thread, decompressed there, hashed again and parsed on another.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::Scope,
};

use bencher_types::Digest;
use tokio_util::sync::CancellationToken;

use super::{LayerInput, Problem};
use crate::{
    compress::{Compression, MAGIC_LEN, ZSTD_WINDOW_LOG},
    hash::Hasher,
    limits::{CHUNK, PIPELINE_CHUNKS},
};

/// The digest of what a blob's file holds, for when its content made no sense: was it damaged, or made that way?
pub(super) fn digest_of(input: &LayerInput) -> io::Result<Digest> {
    let blob = &input.layer.blob;
    let (file, read) = (Arc::clone(&input.file), Arc::default());
    let mut reader = BlobReader { file, position: 0, limit: blob.size, hasher: Hasher::like(&blob.digest), read };
    io::copy(&mut reader, &mut io::sink())?;
    Ok(reader.hasher.finish())
}

/// How a layer is compressed.
pub(super) fn compression_of(file: &File) -> io::Result<Compression> {
    let mut first = [0; MAGIC_LEN];
    let read = file.read_at(&mut first, 0)?;
    Ok(Compression::of(&first[..read]))
}

/// The blob from its start, hashed as it is read, at most one byte more than its descriptor says.
struct BlobReader {
    file: Arc<File>,
    position: u64,
    limit: u64,
    hasher: Hasher,
    read: Arc<AtomicU64>,
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.limit + 1 - self.position).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read_at(&mut buffer[..room], self.position)?;
        self.hasher.update(&buffer[..read]);
        self.position += read as u64;
        self.read.store(self.position, Ordering::Relaxed);
        Ok(read)
    }
}

/// What the decompressing thread found at the end.
struct BlobVerdict {
    digest: Digest,
    size: u64,
}

enum Piece {
    Data(Vec<u8>),
    Failed(io::Error),
    End(BlobVerdict),
}

/// The uncompressed stream of a layer.
pub(super) struct Stream {
    pieces: Receiver<Piece>,
    current: Vec<u8>,
    used: usize,
    position: u64,
    hasher: Hasher,
    compressed: Arc<AtomicU64>,
    verdict: Option<BlobVerdict>,
    cancel: CancellationToken,
}

impl Stream {
    pub(super) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        input: &LayerInput,
        compression: Compression,
        cancel: &CancellationToken,
    ) -> Self {
        let (sender, pieces) = sync_channel(PIPELINE_CHUNKS);
        let compressed = Arc::new(AtomicU64::new(0));
        let (file, blob, read) = (Arc::clone(&input.file), input.layer.blob.clone(), Arc::clone(&compressed));
        scope.spawn(move || {
            let hasher = Hasher::like(&blob.digest);
            let mut reader = BlobReader { file, position: 0, limit: blob.size, hasher, read };
            let last = match decompress(&mut reader, compression, &sender) {
                Ok(()) => Piece::End(BlobVerdict { digest: reader.hasher.finish(), size: reader.position }),
                Err(error) => Piece::Failed(error),
            };
            // Without a receiver nobody wants to know.
            let _ = sender.send(last);
        });
        Self {
            pieces,
            current: Vec::new(),
            used: 0,
            position: 0,
            hasher: Hasher::like(&input.layer.diff_id),
            compressed,
            verdict: None,
            cancel: cancel.clone(),
        }
    }

    /// Bytes of the uncompressed stream that were read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Bytes of the blob that were read so far; runs ahead of `position`.
    pub(super) fn compressed(&self) -> u64 {
        self.compressed.load(Ordering::Relaxed)
    }

    /// Checks both digests. The stream must have been read to its end.
    pub(super) fn verify(self, input: &LayerInput) -> Result<(), Problem> {
        let Some(verdict) = self.verdict else {
            return Err(Problem::Read(io::ErrorKind::UnexpectedEof.into()));
        };
        let blob = &input.layer.blob;
        if verdict.size != blob.size {
            return Err(Problem::Size { found: verdict.size, expected: blob.size });
        }
        if verdict.digest != blob.digest {
            return Err(Problem::Digest { found: verdict.digest });
        }
        let found = self.hasher.finish();
        if found != input.layer.diff_id {
            return Err(Problem::DiffId { expected: Box::new(input.layer.diff_id.clone()), found: Box::new(found) });
        }
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.used == self.current.len() {
            if self.verdict.is_some() {
                return Ok(0);
            }
            if self.cancel.is_cancelled() {
                return Err(io::Error::other("canceled"));
            }
            match self.pieces.recv() {
                Ok(Piece::Data(data)) => {
                    self.hasher.update(&data);
                    (self.current, self.used) = (data, 0);
                }
                Ok(Piece::End(verdict)) => self.verdict = Some(verdict),
                Ok(Piece::Failed(error)) => return Err(error),
                Err(_) => return Err(io::Error::other("the thread that decompresses ended")),
            }
        }
        let len = buffer.len().min(self.current.len() - self.used);
        buffer[..len].copy_from_slice(&self.current[self.used..self.used + len]);
        self.used += len;
        self.position += len as u64;
        Ok(len)
    }
}

/// Sends the uncompressed stream piece by piece, then reads what follows it.
fn decompress(reader: &mut BlobReader, compression: Compression, sender: &SyncSender<Piece>) -> io::Result<()> {
    match compression {
        Compression::None => send_all(reader, sender)?,
        // Archives of several members are one stream; some tools compress in parallel that way.
        Compression::Gzip => send_all(&mut flate2::read::MultiGzDecoder::new(&mut *reader), sender)?,
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::new(&mut *reader)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            send_all(&mut decoder, sender)?;
        }
    }
    // A decoder stops where its format ends; the digest covers all there is.
    io::copy(reader, &mut io::sink()).map(|_| ())
}

fn send_all(reader: &mut impl Read, sender: &SyncSender<Piece>) -> io::Result<()> {
    loop {
        let mut data = vec![0; CHUNK];
        let mut filled = 0;
        while filled < data.len() {
            match reader.read(&mut data[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        data.truncate(filled);
        if filled == 0 {
            return Ok(());
        }
        if sender.send(Piece::Data(data)).is_err() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
    }
}
