//! The downloads folder: room, and places for files that nobody else has.
//!
//! Nothing that is there is ever overwritten, and no link is followed to somewhere else: new files are made with
//! `O_EXCL`, known ones opened with `O_NOFOLLOW`, and a finished one gets its name by a hard link, which fails where there
//! is something already.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use wire::p2p::FILE_NAME_BYTES;

use super::names::{numbered, safe};

/// The ending of a file that isn't complete.
const PART: &str = ".part";
/// The ending of its digests, behind [`PART`].
const SUMS: &str = ".sums";
/// Bytes that stay free beside a file.
pub const SPARE: u64 = 1 << 20;
/// Names that are tried for a file.
const TRIES: u32 = 10_000;

/// Bytes that can be written to the folder. The nearest folder above it counts while it isn't there.
///
/// # Errors
/// What the system says.
pub fn room(folder: &Path) -> io::Result<u64> {
    let mut place = folder;
    loop {
        match rustix::fs::statvfs(if place.as_os_str().is_empty() { Path::new(".") } else { place })
        {
            Ok(facts) => return Ok(facts.f_bavail.saturating_mul(facts.f_frsize)),
            Err(error) => match place.parent() {
                Some(above) if error == rustix::io::Errno::NOENT => place = above,
                _ => return Err(error.into()),
            },
        }
    }
}

/// Makes the folder for its owner alone, where it is missing.
///
/// # Errors
/// What the system says.
pub fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The digests' place, beside their partial file.
pub fn sums_of(part: &Path) -> PathBuf {
    let mut path = part.as_os_str().to_owned();
    path.push(SUMS);
    path.into()
}

/// A new partial file for a name from elsewhere, and the file for its digests.
///
/// # Errors
/// What the system says.
pub fn create(folder: &Path, name: &str) -> io::Result<(PathBuf, File, File)> {
    make(folder)?;
    let name = safe(name);
    for n in 1..=TRIES {
        let room = FILE_NAME_BYTES - PART.len() - SUMS.len();
        let path = folder.join(numbered(&name, n, room) + PART);
        let part = match create_new(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            outcome => outcome?,
        };
        match create_new(&sums_of(&path)) {
            Ok(sums) => return Ok((path, part, sums)),
            Err(error) => {
                fs::remove_file(&path)?;
                if error.kind() != ErrorKind::AlreadyExists {
                    return Err(error);
                }
            }
        }
    }
    Err(full_of(&name))
}

/// Opens a file that an earlier run has left.
///
/// # Errors
/// What the system says; also for what isn't a file of its own.
pub fn reopen(path: &Path) -> io::Result<File> {
    // Without waiting for what may have become a pipe.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(ErrorKind::InvalidInput, "is no file"))
    }
}

/// Gives a complete file its name: that from elsewhere, or with a number where it is taken. Everything is on the disk
/// itself when this returns.
///
/// # Errors
/// What the system says; the partial file is still there then.
pub fn place(folder: &Path, name: &str, part: &Path, file: &File) -> io::Result<PathBuf> {
    file.sync_all()?;
    let name = safe(name);
    for n in 1..=TRIES {
        let path = folder.join(numbered(&name, n, FILE_NAME_BYTES));
        match name_it(part, &path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            outcome => outcome?,
        }
        // Some file systems can't sync a folder; the name is as safe there as it can be.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        return Ok(path);
    }
    Err(full_of(&name))
}

fn name_it(part: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(part, path) {
        Ok(()) => fs::remove_file(part),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        // A file system without hard links, such as FAT: the name is taken with an empty file first.
        Err(_) => {
            create_new(path)?;
            fs::rename(part, path).inspect_err(|_| drop(fs::remove_file(path)))
        }
    }
}

fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

fn full_of(name: &str) -> io::Error {
    io::Error::new(ErrorKind::AlreadyExists, format!("too many files named {name}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn folder_and_files_are_for_their_owner_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/downloads");
        assert!(room(&folder).unwrap() > 0);
        let (part, file, _) = create(&folder, "x.txt").unwrap();
        assert_eq!((mode(&folder), mode(&part), mode(&sums_of(&part))), (0o700, 0o600, 0o600));
        assert_eq!(part.file_name().unwrap(), "x.txt.part");
        let placed = place(&folder, "x.txt", &part, &file).unwrap();
        assert_eq!((placed, part.exists()), (folder.join("x.txt"), false));
    }

    #[test]
    fn nothing_that_is_there_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for (name, text) in
            [("x.txt", "mine"), ("x.txt.part", "part"), ("x (2).txt.part.sums", "sums")]
        {
            fs::write(folder.join(name), text).unwrap();
        }
        symlink(folder.join("elsewhere"), folder.join("x (3).txt.part")).unwrap();
        symlink(folder.join("elsewhere"), folder.join("x (2).txt")).unwrap();
        let (part, file, _) = create(folder, "x.txt").unwrap();
        assert_eq!(part, folder.join("x (4).txt.part"));
        assert_eq!(place(folder, "x.txt", &part, &file).unwrap(), folder.join("x (3).txt"));
        assert!(!folder.join("elsewhere").exists() && !folder.join("x (2).txt.part").exists());
        for (name, text) in
            [("x.txt", "mine"), ("x.txt.part", "part"), ("x (2).txt.part.sums", "sums")]
        {
            assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), text);
        }
    }

    #[test]
    fn a_link_or_a_pipe_in_place_of_a_partial_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("precious");
        fs::write(&file, "precious").unwrap();
        let link = folder.path().join("x.part");
        symlink(&file, &link).unwrap();
        reopen(&link).unwrap_err();
        reopen(&file).unwrap();
        reopen(folder.path()).unwrap_err();
    }

    #[test]
    fn a_name_of_255_bytes_has_room_for_its_endings() {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("{}.txt", "x".repeat(251));
        for _ in 0..3 {
            let (part, file, sums) = create(folder.path(), &name).unwrap();
            fs::remove_file(sums_of(&part)).unwrap();
            drop(sums);
            let placed = place(folder.path(), &name, &part, &file).unwrap();
            assert_eq!(placed.file_name().unwrap().len(), 255);
        }
    }
}
