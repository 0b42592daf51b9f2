//! Rule 48, the other half: a disk that takes no more. `storage` has the database that is locked.

use std::process::Command;

use serde_json::json;

use crate::program::{program_with, run_with};
use crate::support::{PASSWORD, Visitor, folder};

/// What the log of the database may grow to, in KiB; a sign-in writes some ten.
const ROOM_KIB: u64 = 400;

#[tokio::test]
async fn rule_48_on_a_full_disk_nobody_gets_a_session_and_who_has_one_keeps_it() {
    let folder = folder();
    let program = program_with(folder.path(), 8, 1);
    // Files may grow to so much; what is beyond fails as on a disk without room, instead of ending the program.
    let mut limited = Command::new("bash");
    let script = format!("trap '' XFSZ; ulimit -f {ROOM_KIB}; exec \"$@\"");
    limited.args(["-c", &script, "bash"]).arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        limited.env(name, value.unwrap_or_default());
    }
    limited.current_dir(folder.path());
    let mut running = run_with(&mut limited);
    let addr = ([127, 0, 0, 1], running.port).into();
    let alice = Visitor::at(addr);
    assert_eq!(alice.register("alice", PASSWORD).await.status, 200);
    let full = async {
        for _ in 0..2000 {
            let answer = Visitor::at(addr).login("alice", PASSWORD).await;
            if answer.status != 200 {
                return answer;
            }
        }
        panic!("the disk never was full")
    };
    let first = full.await;
    for answer in [
        first,
        Visitor::at(addr).login("alice", PASSWORD).await,
        Visitor::at(addr).register("bob", PASSWORD).await,
        alice.post("/logout", json!({})).await,
        alice.post("/auth/tokens", json!({"name": "script"})).await,
    ] {
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (503, "storage_unavailable"));
        assert!(answer.cookie_lines().is_empty(), "{:?}", answer.cookie_lines());
    }
    assert!(alice.is_signed_in().await, "a logout that failed did not happen");
    running.child.kill().unwrap();
    running.child.wait().unwrap();
}
