//! A file that is being received, on its disk: the partial file and the digests of its pieces beside it.
//!
//! A piece counts when its bytes are written and fit the digest that the sender said. It is in the system's hands then,
//! not on the disk itself: a crash of the program loses nothing, a power failure may. Therefore whatever an earlier run
//! left is checked against its digests before it counts again, and only the complete file is synced, before it gets its
//! name.
//!
//! The digests' file has a line of 96 bytes that says whose digests they are, and 32 bytes for each piece.

use std::fs::{self, File};
use std::io::{self, BufReader, IoSlice, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use wire::p2p::{Digest, FileId, PIECE_BYTES};

use super::digests::{Digests, of_piece, piece_bytes};
use super::folder;

/// Bytes before the first digest.
const HEADER_BYTES: u64 = 96;

/// Why a file can't be received any further.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The disk is full.
    #[error("the disk is full")]
    NoSpace,
    /// A piece doesn't fit its digest.
    #[error("a piece arrived damaged")]
    Corrupt,
    /// The disk.
    #[error(transparent)]
    Disk(io::Error),
}

impl From<io::Error> for TargetError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Disk(error),
        }
    }
}

/// Which file is received, and where it goes.
#[derive(Debug, Clone)]
pub struct Place {
    /// The downloads folder.
    pub folder: PathBuf,
    /// The name, as it came from elsewhere.
    pub name: String,
    /// The file's id.
    pub file: FileId,
    /// Its bytes.
    pub size: u64,
}

/// A file that is being received. Dropping it keeps what is there.
#[derive(Debug)]
pub struct Target {
    place: Place,
    part: PathBuf,
    file: File,
    sums: File,
    /// Of the bytes since the last piece.
    piece: Sha256,
}

impl Target {
    /// Makes a new partial file.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn create(place: Place) -> Result<Self, TargetError> {
        let (part, file, mut sums) = folder::create(&place.folder, &place.name)?;
        let written = sums.write_all(&header(&place));
        let target = Self { place, part, file, sums, piece: Sha256::new() };
        match written {
            Ok(()) => Ok(target),
            Err(error) => {
                target.discard();
                Err(error.into())
            }
        }
    }

    /// Goes on with a partial file. Its first `trusted` pieces were checked by this process; those behind them are checked
    /// now, as far as there are digests and they fit.
    ///
    /// # Errors
    /// [`TargetError`] when there is nothing of this file to go on with.
    pub fn resume(place: Place, part: &Path, trusted: u64) -> Result<(Self, Digests), TargetError> {
        let mut file = folder::reopen(part)?;
        let mut sums = folder::reopen(&folder::sums_of(part))?;
        let mut found = [0; HEADER_BYTES as usize];
        sums.read_exact(&mut found)?;
        if found != header(&place) {
            let why = "the digests beside it are another file's";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why).into());
        }
        let digests = checked(&mut file, &sums, place.size, trusted)?;
        let (pieces, bytes) =
            (digests.pieces(), super::digests::bytes_of(place.size, digests.pieces()));
        // What is behind was never acknowledged.
        file.set_len(bytes)?;
        file.seek(SeekFrom::End(0))?;
        sums.set_len(HEADER_BYTES + 32 * pieces)?;
        sums.seek(SeekFrom::End(0))?;
        let part = part.to_owned();
        // It stays in its folder, whatever the setting is now: a file isn't moved between disks.
        let folder = part.parent().map_or_else(|| place.folder.clone(), Path::to_owned);
        let place = Place { folder, ..place };
        Ok((Self { place, part, file, sums, piece: Sha256::new() }, digests))
    }

    /// The partial file's path.
    pub fn part(&self) -> &Path {
        &self.part
    }

    /// Writes bytes behind those before.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn write(&mut self, bytes: &[Bytes]) -> Result<(), TargetError> {
        let mut slices: Vec<IoSlice<'_>> = Vec::with_capacity(bytes.len());
        for bytes in bytes {
            self.piece.update(bytes);
            slices.push(IoSlice::new(bytes));
        }
        let mut slices = slices.as_mut_slice();
        while !slices.is_empty() {
            match self.file.write_vectored(slices) {
                Ok(0) => return Err(TargetError::NoSpace),
                Ok(written) => IoSlice::advance_slices(&mut slices, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The bytes since the last piece are a piece: checks it, and keeps its digest.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn complete(&mut self, digest: &Digest) -> Result<(), TargetError> {
        if self.piece.finalize_reset().as_slice() != digest.bytes() {
            return Err(TargetError::Corrupt);
        }
        Ok(self.sums.write_all(digest.bytes())?)
    }

    /// All pieces are there: syncs the file and gives it its name.
    ///
    /// # Errors
    /// [`TargetError`]; the partial file is still there then.
    pub fn finish(self) -> Result<PathBuf, TargetError> {
        let Place { folder, name, .. } = &self.place;
        let path = folder::place(folder, name, &self.part, &self.file)?;
        // Digests without their file are only litter.
        let _ = fs::remove_file(folder::sums_of(&self.part));
        Ok(path)
    }

    /// Removes what is there.
    pub fn discard(self) {
        discard(&self.part);
    }
}

/// Removes a partial file and its digests, as far as they are there.
pub fn discard(part: &Path) {
    for path in [part, &folder::sums_of(part)] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "a partial file could not be removed");
            }
            _ => (),
        }
    }
}

fn header(place: &Place) -> [u8; HEADER_BYTES as usize] {
    let text = format!("hybrid-chat digests 1 {} {}", place.file, place.size);
    let mut header = [b' '; HEADER_BYTES as usize];
    header[..text.len()].copy_from_slice(text.as_bytes());
    header[HEADER_BYTES as usize - 1] = b'\n';
    header
}

/// The digests of the pieces from the first on that are there and fit.
fn checked(file: &mut File, sums: &File, size: u64, trusted: u64) -> io::Result<Digests> {
    let mut digests = Digests::default();
    let mut sums = BufReader::new(sums);
    let mut piece = Vec::new();
    let mut said = [0; 32];
    loop {
        let n = digests.pieces();
        let length = piece_bytes(size, n);
        match sums.read_exact(&mut said) {
            Ok(()) if length > 0 => (),
            Ok(()) => return Ok(digests),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(digests),
            Err(error) => return Err(error),
        }
        let said = Digest::new(said);
        if n >= trusted {
            piece.resize(length as usize, 0);
            file.seek(SeekFrom::Start(n * PIECE_BYTES))?;
            match file.read_exact(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(digests),
                outcome => outcome?,
            }
            if of_piece(&piece) != said {
                return Ok(digests);
            }
        }
        digests.add(&said);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: usize = PIECE_BYTES as usize;

    struct Desk {
        folder: tempfile::TempDir,
        bytes: Vec<u8>,
    }

    fn desk(size: usize) -> Desk {
        let bytes = (0..size).map(|n| (n * 13 + n / 257) as u8).collect();
        Desk { folder: tempfile::tempdir().unwrap(), bytes }
    }

    impl Desk {
        fn place(&self) -> Place {
            Place {
                folder: self.folder.path().to_owned(),
                name: "a.bin".to_owned(),
                file: FileId::new([7; 16]),
                size: self.bytes.len() as u64,
            }
        }

        fn write(&self, target: &mut Target, pieces: std::ops::Range<usize>) {
            for piece in self.bytes.chunks(PIECE).skip(pieces.start).take(pieces.len()) {
                let messages: Vec<Bytes> =
                    piece.chunks(100_000).map(Bytes::copy_from_slice).collect();
                target.write(&messages).unwrap();
                target.complete(&of_piece(piece)).unwrap();
            }
        }
    }

    #[test]
    fn what_was_written_is_there_under_its_name_and_nothing_else() {
        let desk = desk(3 * PIECE + 1);
        let mut target = Target::create(desk.place()).unwrap();
        desk.write(&mut target, 0..4);
        let path = target.finish().unwrap();
        assert!(fs::read(&path).unwrap() == desk.bytes);
        assert_eq!(path, desk.folder.path().join("a.bin"));
        assert_eq!(fs::read_dir(desk.folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_piece_does_not_count() {
        let desk = desk(10);
        let mut target = Target::create(desk.place()).unwrap();
        target.write(&[Bytes::from_static(b"0123456789")]).unwrap();
        assert!(matches!(target.complete(&of_piece(b"other")), Err(TargetError::Corrupt)));
        target.discard();
        assert_eq!(fs::read_dir(desk.folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn going_on_takes_what_fits_its_digests_and_drops_the_rest() {
        let desk = desk(4 * PIECE + 9);
        let mut target = Target::create(desk.place()).unwrap();
        desk.write(&mut target, 0..3);
        target.write(&[Bytes::from_static(b"half a piece")]).unwrap();
        let part = target.part().to_owned();
        drop(target);

        let (target, digests) = Target::resume(desk.place(), &part, 0).unwrap();
        assert_eq!(digests.pieces(), 3);
        drop(target);
        // The disk has lost the middle of the second piece.
        let mut file = folder::reopen(&part).unwrap();
        file.seek(SeekFrom::Start(PIECE_BYTES + 5)).unwrap();
        file.write_all(b"lost").unwrap();
        let (mut target, digests) = Target::resume(desk.place(), &part, 0).unwrap();
        assert_eq!(digests.pieces(), 1);
        desk.write(&mut target, 1..5);
        assert!(fs::read(target.finish().unwrap()).unwrap() == desk.bytes);
    }

    #[test]
    fn a_file_with_all_its_pieces_goes_on_at_its_end() {
        let desk = desk(PIECE + 9);
        let mut target = Target::create(desk.place()).unwrap();
        desk.write(&mut target, 0..2);
        let part = target.part().to_owned();
        drop(target);
        for trusted in [0, 1, 2] {
            let (_, digests) = Target::resume(desk.place(), &part, trusted).unwrap();
            assert_eq!(digests.pieces(), 2);
        }
        let (target, _) = Target::resume(desk.place(), &part, 0).unwrap();
        assert!(fs::read(target.finish().unwrap()).unwrap() == desk.bytes);
    }

    #[test]
    fn a_file_that_was_begun_in_another_folder_stays_there() {
        let desk = desk(PIECE);
        let mut target = Target::create(desk.place()).unwrap();
        desk.write(&mut target, 0..1);
        let part = target.part().to_owned();
        drop(target);
        let elsewhere = Place { folder: "/nowhere".into(), ..desk.place() };
        let (target, _) = Target::resume(elsewhere, &part, 0).unwrap();
        assert_eq!(target.finish().unwrap(), desk.folder.path().join("a.bin"));
    }

    #[test]
    fn another_file_s_digests_are_not_taken() {
        let desk = desk(PIECE);
        let mut target = Target::create(desk.place()).unwrap();
        desk.write(&mut target, 0..1);
        let part = target.part().to_owned();
        let other = Place { file: FileId::new([8; 16]), ..desk.place() };
        assert!(Target::resume(other, &part, 0).is_err());
        let other = Place { size: 5, ..desk.place() };
        assert!(Target::resume(other, &part, 0).is_err());
        fs::remove_file(folder::sums_of(&part)).unwrap();
        assert!(Target::resume(desk.place(), &part, 0).is_err());
    }
}
