//! Signing in from the command line.

use crate::door::door;
use crate::program::{peer, ran};
use crate::support::town;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_kept_and_forgotten_and_a_wrong_password_has_code_4() {
    let (town, url) = (town().await, door().await);
    let home = town.home("alice");
    let with = |password: &str, args: &[&str]| {
        let mut command = peer(&home);
        command.args(["--server", &url]).args(args);
        if !password.is_empty() {
            command.env("CHAT_PASSWORD", password);
        }
        command
    };
    let named = ["--user", "alice", "login"];
    ran(&mut with("wrong", &named)).await.exits(4);
    let missing = ran(&mut with("", &named)).await.exits(4);
    assert!(missing.err.contains("CHAT_PASSWORD"), "{missing:?}");
    let ran_in = ran(&mut with("right", &named)).await.exits(0);
    assert!(ran_in.out.contains("signed in as Alice"), "{ran_in:?}");
    // The name need not be said again.
    let out = ran(&mut with("", &["logout"])).await.exits(0);
    assert!(out.out.contains("signed out"), "{out:?}");
    ran(&mut with("", &["logout"])).await.exits(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_s_code_comes_from_the_variable_or_a_file_and_never_from_the_command_line()
{
    let (town, url) = (town().await, door().await);
    let home = town.home("alice");
    let login = |password: &str| {
        let mut command = peer(&home);
        command.args(["--server", &url, "--user", "alice", "login"]).env("CHAT_PASSWORD", password);
        command
    };
    let missing = ran(&mut login("right, with a code")).await.exits(4);
    assert!(missing.err.contains("CHAT_CODE"), "{missing:?}");
    let wrong = ran(login("right, with a code").env("CHAT_CODE", "000000")).await.exits(4);
    assert!(wrong.err.contains("not this one"), "{wrong:?}");
    ran(login("right, with a code").args(["--code", "123456"])).await.exits(2);
    let good = ran(login("right, with a code").env("CHAT_CODE", "123456")).await.exits(0);
    assert!(good.out.contains("signed in as Alice"), "{good:?}");
    ran(peer(&home).args(["--server", &url, "logout"])).await.exits(0);
    let file = home.join("code");
    std::fs::write(&file, "123456\n").unwrap();
    let file = file.to_str().unwrap();
    ran(login("right, with a code").args(["--code-file", file])).await.exits(0);
    // Another command says where the code is taken.
    ran(peer(&home).args(["--server", &url, "logout"])).await.exits(0);
    let list = ["--server", &url, "--user", "alice", "list"];
    let other = ran(peer(&home).args(list).env("CHAT_PASSWORD", "right, with a code")).await;
    assert!(other.exits(4).err.contains("peer login"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_passkey_alone_is_told_to_use_an_access_token() {
    let (town, url) = (town().await, door().await);
    let mut command = peer(&town.home("alice"));
    command.args(["--server", &url, "--user", "alice", "login"]);
    command.env("CHAT_PASSWORD", "right, with a passkey").env("CHAT_CODE", "123456");
    let told = ran(&mut command).await.exits(4);
    assert!(told.err.contains("passkey") && told.err.contains("access token"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_may_not_come_in_is_told_so_with_code_4() {
    let (town, url) = (town().await, door().await);
    let mut guest = peer(&town.home("ann"));
    let ran =
        ran(guest.args(["--server", &url, "--guest", "ann", "send", "bob", "hi"])).await.exits(4);
    assert!(ran.err.contains("asks for an account"), "{ran:?}");
}
