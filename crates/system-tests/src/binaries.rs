//! Where the programs are. `BIN_DIR` names a folder with ready ones (a release build, an image);
//! without it they are built beside the test, with its profile, once per test process: cargo itself
//! knows that nothing changed, and its lock makes parallel processes wait for one another.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The program's file.
///
/// # Panics
/// When it isn't there and can't be built, with what to do.
pub fn binary(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| match std::env::var_os("BIN_DIR") {
        Some(folder) => folder.into(),
        None => build(),
    });
    let file = folder.join(name);
    assert!(
        file.is_file(),
        "{} is missing: run `cargo build --workspace --bins`, or set BIN_DIR to a folder that has it",
        file.display()
    );
    file
}

/// The top of the repository.
pub fn repository() -> &'static Path {
    static TOP: OnceLock<PathBuf> = OnceLock::new();
    TOP.get_or_init(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap())
}

fn build() -> PathBuf {
    // TARGET/PROFILE/deps/it-0123456789abcdef
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap().to_owned();
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(repository())
        .args(["build", "--quiet", "--workspace", "--bins", "--profile", profile, "--target-dir"])
        .arg(folder.parent().unwrap())
        .status();
    match built {
        Ok(status) if status.success() => folder,
        other => panic!(
            "the programs could not be built ({other:?}): run `cargo build --workspace --bins` to see why"
        ),
    }
}
