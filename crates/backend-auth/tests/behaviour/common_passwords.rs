//! Rule 4: passwords that many people have are refused. The lists are published ones, as cargo fetches them
//! (`tests/lists/Cargo.toml`), and not made from what the server knows.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use backend_auth::password::{Policy, check_new};
use serde_json::{Value, json};

use crate::resets::{link, reset};
use crate::support::{PASSWORD, World};

/// `--password-min` where no flag says otherwise.
const USUAL: usize = 12;
/// The least that it may be.
const LEAST: usize = 8;
/// How many of a list count as its top (OWASP ASVS 6.2.4).
const TOP: usize = 3000;

/// The folders of the packages that have lists.
fn packages() -> HashMap<String, PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lists/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let folder = |package: &Value| {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        (package["name"].as_str().unwrap().to_owned(), manifest.parent().unwrap().to_owned())
    };
    metadata["packages"].as_array().unwrap().iter().map(folder).collect()
}

/// A million passwords of ten million accounts, the most common first.
fn ranked() -> Vec<String> {
    let list = packages()["passablewords"].join("src/common-passwords.txt");
    fs::read_to_string(list).unwrap().lines().map(str::to_owned).collect()
}

/// A hundred thousand out of many leaks, by the alphabet.
fn leaked() -> Vec<String> {
    let list = packages()["passwords"].join("data/common-passwords.json");
    serde_json::from_str(&fs::read_to_string(list).unwrap()).unwrap()
}

fn of_length(list: Vec<String>, min_chars: usize) -> impl Iterator<Item = String> {
    list.into_iter().filter(move |password| password.chars().count() >= min_chars)
}

#[track_caller]
fn assert_refused(passwords: &[String], min_chars: usize) {
    let policy = Policy { min_chars, max_bytes: 1024 };
    let code =
        |password: &str| check_new(password, "bob", policy).err().map(|problem| problem.code());
    let taken: Vec<_> =
        passwords.iter().filter(|text| code(text) != Some("password_too_common")).collect();
    assert!(taken.is_empty(), "{} of {}: {taken:?}", taken.len(), passwords.len());
}

#[test]
fn the_three_thousand_most_common_that_are_long_enough_are_refused() {
    let top: Vec<_> = of_length(ranked(), USUAL).take(TOP).collect();
    assert_eq!(top.len(), TOP);
    assert_refused(&top, USUAL);
}

#[test]
fn the_three_thousand_most_common_are_refused_where_eight_characters_do() {
    let top: Vec<_> = of_length(ranked(), LEAST).take(TOP).collect();
    assert_eq!(top.len(), TOP);
    assert_refused(&top, LEAST);
}

#[test]
fn passwords_that_leaked_often_and_are_long_enough_are_refused() {
    let leaked: Vec<_> = of_length(leaked(), USUAL).collect();
    assert!(leaked.len() > 1000, "{}", leaked.len());
    assert_refused(&leaked, USUAL);
}

/// Every sixtieth of the top, by each of the three ways to a new password.
#[tokio::test]
async fn rule_4_a_common_password_is_400_on_registering_on_changing_and_by_a_reset_link() {
    let world = World::new().await;
    let ada = world.member("ada").await;
    let bob = world.member("bob").await;
    let code = link(&ada, &bob).await;
    let sample: Vec<_> = of_length(ranked(), USUAL).take(TOP).step_by(60).collect();
    assert_eq!(sample.len(), 50);
    for password in &sample {
        let change = json!({"current_password": PASSWORD, "new_password": password});
        for answer in [
            world.visitor().register("carol", password).await,
            bob.post("/password", change).await,
            reset(&world, &code, password).await,
        ] {
            let (status, said) = (answer.status.as_u16(), answer.code());
            assert_eq!((status, said.as_str()), (400, "password_too_common"), "{password}");
        }
    }
    assert_eq!(world.visitor().register("carol", PASSWORD).await.status, 200, "the name is free");
    assert!(bob.is_signed_in().await, "nothing changed");
    assert_eq!(world.visitor().login("bob", PASSWORD).await.status, 200);
}
