//! `proxy check`: the files that proxy.conf names are looked at too.

use std::fs;
use std::time::{Duration, SystemTime};

use tokio::process::Command;

use super::support::{Authority, proxy, soon};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What `proxy check` says of these sections, and its exit code.
async fn check(sections: &str) -> (String, Option<i32>) {
    let text = proxy()
        .listen("{ address = \"127.0.0.1:0\", tls = \"certificates\" }")
        .tls(sections)
        .own_route("/*", "respond = { status = 200 }")
        .text();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("proxy.conf");
    fs::write(&file, text).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_proxy"));
    program.arg("check").arg("--config").arg(&file);
    let output = soon("proxy check", program.output()).await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8(said).unwrap(), output.status.code())
}

#[tokio::test]
async fn certificates_that_are_good_for_long_need_no_word() {
    let authority = Authority::new();
    authority.issue("a", &["a.test"]);
    let (said, code) = check(&authority.section("a", &["a.test"])).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(": ok: ") && !said.contains("warning"), "{said}");
}

#[tokio::test]
async fn certificates_that_have_ended_or_end_soon_are_warned_of() {
    let authority = Authority::new();
    let now = SystemTime::now();
    authority.issue_until("soon", "a.test", now + 10 * DAY);
    authority.issue_until("over", "b.test", now - DAY);
    authority.issue_until("fine", "c.test", now + 20 * DAY);
    let sections = [("soon", "a.test"), ("over", "b.test"), ("fine", "c.test")]
        .map(|(file, name)| authority.section(file, &[name]))
        .concat();
    let (said, code) = check(&sections).await;
    assert_eq!(code, Some(0), "it would be served: {said}");
    assert!(said.contains("soon.crt: it expires in 9 days"), "{said}");
    assert!(said.contains("over.crt: it expired on "), "{said}");
    assert_eq!(said.matches("warning").count(), 2, "{said}");
    // An authority that vouches for servers.
    let upstream = format!(
        "{sections}[upstreams.a]\nservers = [\"b.test:1\"]\ntls = {{ ca = {:?} }}\n",
        authority.file("over.crt")
    );
    let (said, _) = check(&upstream).await;
    assert!(said.contains("upstream a: a certificate in ca: it expired on "), "{said}");
}

#[tokio::test]
async fn what_would_fail_at_the_start_is_an_error_here_and_all_of_it_is_told() {
    let authority = Authority::new();
    for file in ["swapped", "missing", "empty", "good"] {
        authority.issue(file, &["a.test"]);
    }
    fs::copy(authority.file("good.key"), authority.file("swapped.key")).unwrap();
    fs::remove_file(authority.file("missing.key")).unwrap();
    fs::write(authority.file("empty.crt"), "").unwrap();
    let sections = ["swapped", "missing", "empty", "good"]
        .map(|file| authority.section(file, &[&format!("{file}.test")]))
        .concat();
    let (said, code) = check(&sections).await;
    assert_eq!(code, Some(2), "{said}");
    for fault in [
        "swapped.key: it is no key for ",
        "missing.key: No such file",
        "empty.crt: nothing of the kind is in it",
    ] {
        assert!(said.contains(fault), "{said}");
    }
    assert_eq!(said.matches("error: ").count(), 3, "{said}");
}

#[tokio::test]
async fn a_broken_local_ca_is_found_and_none_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let text = proxy()
        .listen("{ address = \"127.0.0.1:0\", tls = \"local\" }")
        .tls(&format!("dir = {:?}", dir.path()))
        .own_route("/*", "respond = { status = 200 }")
        .text();
    let report = || {
        let outcome = proxy::Config::parse(&text, "proxy.conf");
        proxy::check::report("proxy.conf", &outcome)
    };
    assert!(report().ok);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    for file in ["ca.key", "ca.crt", "ca.names"] {
        fs::write(dir.path().join(file), "rubbish").unwrap();
    }
    let broken = report();
    assert!(!broken.ok && broken.text.contains("ca.key: it is no private key"), "{}", broken.text);
}
