//! A file to be sent, on its disk. A blocking thread reads a piece at a time, hashes it, and is at most
//! two pieces ahead: a transfer holds a few MiB, whatever the file's size.

use std::collections::VecDeque;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;
use wire::p2p::{Digest, FILE_BYTES, FILE_NAME_BYTES, PIECE_BYTES, pieces};

use super::digests::{Digests, of_piece, piece_bytes};
use super::handle::TransferError;
use super::outgoing::Known;

/// Pieces that are read before they are asked for.
const READ_AHEAD: usize = 2;
/// Pieces whose memory is used again once the link has let go of them.
const REUSED: usize = READ_AHEAD + 2;

/// What makes a file the one that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Its bytes.
    pub size: u64,
    /// Its last change, in milliseconds since 1970.
    pub modified: i64,
}

impl Stamp {
    fn of(facts: &Metadata) -> io::Result<Self> {
        Ok(Self { size: facts.len(), modified: milliseconds(facts.modified()?) })
    }
}

/// Why a file can't be sent any further.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It isn't what was offered any more, or is gone.
    #[error("the file has changed")]
    Changed,
    /// The disk.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

/// What the reading thread gives.
#[derive(Debug)]
pub enum Part {
    /// First: the digests of all pieces before the one to begin with.
    Before(Digests),
    /// Then each piece.
    Piece(Bytes, Digest),
}

/// Looks at a file that a person wants to send: its name and its stamp.
///
/// # Errors
/// [`TransferError`], when it can't be read or isn't a file.
pub fn inspect(path: &Path) -> Result<(String, Stamp), TransferError> {
    let shown = || path.display().to_string();
    let unreadable = |source| TransferError::Unreadable { path: shown(), source };
    let refused = |why| TransferError::NotSendable { path: shown(), why };
    let facts = fs::metadata(path).map_err(unreadable)?;
    if !facts.is_file() {
        return Err(refused("only files can be sent, no folders or devices"));
    }
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.filter(|name| name.len() <= FILE_NAME_BYTES);
    let name = name.ok_or_else(|| refused("its name is no text (UTF-8) of at most 255 bytes"))?;
    if facts.len() > FILE_BYTES {
        return Err(refused("it is too large"));
    }
    File::open(path).map_err(unreadable)?;
    Ok((name.to_owned(), Stamp::of(&facts).map_err(unreadable)?))
}

/// A file that is open for sending.
#[derive(Debug)]
pub struct Source {
    file: File,
    size: u64,
    /// The exact time of change when it was opened.
    modified: SystemTime,
    /// Pieces that were given away, the oldest first.
    given: VecDeque<Bytes>,
}

impl Source {
    /// Opens a file that was offered with this stamp.
    ///
    /// # Errors
    /// [`SourceError::Changed`] when it is another one now.
    pub fn open(path: &Path, stamp: Stamp) -> Result<Self, SourceError> {
        let gone = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => SourceError::Changed,
            _ => SourceError::Disk(error),
        };
        // A pipe that took the file's place would keep an open waiting.
        if !fs::metadata(path).map_err(gone)?.is_file() {
            return Err(SourceError::Changed);
        }
        let file = File::open(path).map_err(gone)?;
        let facts = file.metadata()?;
        if Stamp::of(&facts)? != stamp {
            return Err(SourceError::Changed);
        }
        Ok(Self { file, size: stamp.size, modified: facts.modified()?, given: VecDeque::new() })
    }

    /// Reads and hashes a piece. It is of the file as it was when it was opened, or an error.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn piece(&mut self, n: u64) -> Result<(Bytes, Digest), SourceError> {
        let length = piece_bytes(self.size, n) as usize;
        let mut memory = self.memory(length);
        self.file.seek(SeekFrom::Start(n * PIECE_BYTES))?;
        match self.file.read_exact(&mut memory) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(SourceError::Changed);
            }
            outcome => outcome?,
        }
        let facts = self.file.metadata()?;
        if facts.len() != self.size || facts.modified()? != self.modified {
            return Err(SourceError::Changed);
        }
        let digest = of_piece(&memory);
        let piece = memory.freeze();
        self.given.push_back(piece.clone());
        Ok((piece, digest))
    }

    /// Memory for a piece: that of an earlier one, if nobody holds it any more.
    fn memory(&mut self, length: usize) -> BytesMut {
        let oldest = match self.given.len() {
            0..REUSED => None,
            _ => self.given.pop_front(),
        };
        let mut memory = oldest.and_then(|oldest| oldest.try_into_mut().ok()).unwrap_or_default();
        memory.resize(length, 0);
        memory
    }

    /// The digests of all pieces before `first`, as far as they aren't known; `false` to `go_on` ends it.
    fn before(
        &mut self,
        first: u64,
        known: &Known,
        go_on: impl Fn() -> bool,
    ) -> Result<Option<Digests>, SourceError> {
        let mut digests = known.until(first);
        while digests.pieces() < first {
            if !go_on() {
                return Ok(None);
            }
            digests.add(&self.piece(digests.pieces())?.1);
        }
        Ok(Some(digests))
    }

    /// Starts the thread that reads from the piece `first` on. It ends after the last piece, after an error, and when the receiver is dropped.
    pub fn read(mut self, first: u64, known: Known) -> mpsc::Receiver<Result<Part, SourceError>> {
        let (parts, read) = mpsc::channel(READ_AHEAD);
        tokio::task::spawn_blocking(move || {
            let before = match self.before(first, &known, || !parts.is_closed()) {
                Ok(Some(digests)) => Ok(Part::Before(digests)),
                Ok(None) => return,
                Err(error) => Err(error),
            };
            let failed = before.is_err();
            if parts.blocking_send(before).is_err() || failed {
                return;
            }
            for n in first..pieces(self.size) {
                let piece = self.piece(n).map(|(bytes, digest)| Part::Piece(bytes, digest));
                let failed = piece.is_err();
                if parts.blocking_send(piece).is_err() || failed {
                    return;
                }
            }
        });
        read
    }
}

/// Milliseconds since 1970, rounded down; negative before.
fn milliseconds(time: SystemTime) -> i64 {
    let clamp = |milliseconds: u128| i64::try_from(milliseconds).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => clamp(since.as_millis()),
        Err(before) => -clamp(before.duration().as_nanos().div_ceil(1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use super::*;

    struct Sample {
        _folder: tempfile::TempDir,
        path: std::path::PathBuf,
        bytes: Vec<u8>,
    }

    fn sample(size: usize) -> Sample {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sample.bin");
        let bytes: Vec<u8> = (0..size).map(|n| (n * 7 + n / 251) as u8).collect();
        fs::write(&path, &bytes).unwrap();
        Sample { _folder: folder, path, bytes }
    }

    fn open(sample: &Sample) -> Source {
        Source::open(&sample.path, inspect(&sample.path).unwrap().1).unwrap()
    }

    const PIECE: usize = PIECE_BYTES as usize;

    #[tokio::test]
    async fn the_thread_gives_every_piece_with_its_digest() {
        let sample = sample(9 * PIECE + 5);
        let mut read = open(&sample).read(0, Known::default());
        let mut all = Vec::new();
        while let Some(part) = read.recv().await {
            match part.unwrap() {
                Part::Before(digests) => assert_eq!(digests.pieces(), 0),
                Part::Piece(bytes, digest) => {
                    assert_eq!(digest, of_piece(&bytes));
                    all.extend_from_slice(&bytes);
                }
            }
        }
        assert!(all == sample.bytes);
    }

    #[tokio::test]
    async fn going_on_in_the_middle_knows_the_digests_from_before() {
        let sample = sample(3 * PIECE);
        let mut read = open(&sample).read(2, Known::default());
        let Some(Ok(Part::Before(digests))) = read.recv().await else { panic!("no digests") };
        let mut expected = Digests::default();
        sample.bytes[..2 * PIECE].chunks(PIECE).for_each(|piece| expected.add(&of_piece(piece)));
        assert_eq!((digests.pieces(), digests.total()), (2, expected.total()));
        let Some(Ok(Part::Piece(bytes, _))) = read.recv().await else { panic!("no piece") };
        assert!(bytes == sample.bytes[2 * PIECE..]);
        assert!(read.recv().await.is_none());
    }

    #[test]
    fn a_file_that_grows_shrinks_or_is_written_to_has_changed() {
        let sample = sample(2 * PIECE);
        let mut source = open(&sample);
        source.piece(0).unwrap();
        let mut writer = fs::OpenOptions::new().append(true).open(&sample.path).unwrap();
        writer.write_all(b"more").unwrap();
        assert!(matches!(source.piece(1), Err(SourceError::Changed)));
        writer.set_len(PIECE_BYTES).unwrap();
        assert!(matches!(source.piece(1), Err(SourceError::Changed)));
        // As long as before, but with another time of change.
        writer.set_len(2 * PIECE_BYTES).unwrap();
        writer.set_modified(SystemTime::now() + Duration::from_secs(5)).unwrap();
        assert!(matches!(source.piece(1), Err(SourceError::Changed)));
    }

    #[test]
    fn a_file_that_was_replaced_or_removed_can_not_be_opened_again() {
        let sample = sample(10);
        let (_, stamp) = inspect(&sample.path).unwrap();
        fs::write(&sample.path, "other").unwrap();
        assert!(matches!(Source::open(&sample.path, stamp), Err(SourceError::Changed)));
        fs::remove_file(&sample.path).unwrap();
        assert!(matches!(Source::open(&sample.path, stamp), Err(SourceError::Changed)));
        fs::create_dir(&sample.path).unwrap();
        assert!(matches!(Source::open(&sample.path, stamp), Err(SourceError::Changed)));
    }

    #[test]
    fn folders_and_what_is_not_there_are_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let error = inspect(folder.path()).unwrap_err().to_string();
        assert!(error.contains("no folders"), "{error}");
        let error = inspect(&folder.path().join("gone.txt")).unwrap_err().to_string();
        assert!(error.contains("gone.txt"), "{error}");
    }

    #[test]
    fn times_are_rounded_down_on_both_sides_of_1970() {
        let at = |nanos: i64| match u64::try_from(nanos) {
            Ok(nanos) => UNIX_EPOCH + Duration::from_nanos(nanos),
            Err(_) => UNIX_EPOCH - Duration::from_nanos(nanos.unsigned_abs()),
        };
        assert_eq!([1_999_999, 0, -1, -1_000_000].map(|n| milliseconds(at(n))), [1, 0, -1, -1]);
    }

    #[test]
    fn the_memory_of_pieces_is_used_again() {
        let sample = sample(20 * PIECE);
        let mut source = open(&sample);
        let places: std::collections::HashSet<_> =
            (0..20).map(|n| source.piece(n).unwrap().0.as_ptr()).collect();
        assert!(places.len() <= REUSED, "{} places", places.len());
    }
}
