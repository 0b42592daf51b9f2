//! The rights that a lab takes.

use std::process::Command;

/// Set in the user namespace, so that a test which lacks rights there too doesn't try forever.
const MARK: &str = "SYSTEM_TESTS_LAB";

/// Whether this process may make namespaces.
pub(super) fn here() -> bool {
    std::env::var_os(MARK).is_some() || rustix::process::geteuid().is_root()
}

/// Runs the calling test once more in a process of its own, with all rights in a user namespace.
///
/// # Panics
/// When that test fails, or can't be run.
pub(super) fn again_in_a_user_namespace() {
    let status = Command::new("unshare")
        // Not as its root: a program that then gives up being root, as tcpdump does, can't in there.
        .args(["--user", "--map-current-user", "--keep-caps", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &name_of_the_test(), "--nocapture"])
        .env(MARK, "1")
        .status()
        .expect("unshare, of util-linux, can be started");
    assert!(
        status.success(),
        "the test failed in its user namespace ({status}). If unshare was refused: run it as root, or allow \
         user namespaces (sysctl kernel.unprivileged_userns_clone=1, and \
         kernel.apparmor_restrict_unprivileged_userns=0 where there is one)"
    );
}

/// The test runner names its threads after their tests; a runner with one thread is told which by `--exact`.
fn name_of_the_test() -> String {
    let thread = std::thread::current().name().map(str::to_owned);
    thread.filter(|name| name != "main").unwrap_or_else(|| {
        let args: Vec<String> = std::env::args().collect();
        let at = args.iter().position(|arg| arg == "--exact").map(|at| at + 1);
        let name = at.and_then(|at| args.get(at)).filter(|name| !name.starts_with('-'));
        name.expect("run the tests as root, or by more than one thread").clone()
    })
}
