//! What parsers are fed that strangers write: a corpus, each entry as it is and with bytes changed. The streams in
//! `tests/corpus/streams.txt` are for the guard, whose tests read them.

use std::path::Path;

use http::{Method, Version};

use super::fuzz::{answer, config, frames, guard, headers, proxy_protocol, target};
use super::support::Chance;

/// What fuzzing came upon, as it is and with bytes changed.
#[test]
fn finds_of_fuzzing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    type Run = fn(&[u8]);
    let runs: [(&str, Run); 7] = [
        ("answer", answer::run),
        ("config", config::run),
        ("frames", frames::run),
        ("guard", guard::run),
        ("headers", headers::run),
        ("proxy_protocol", proxy_protocol::run),
        ("target", target::run),
    ];
    let mut chance = Chance::new();
    for (name, run) in runs {
        let files: Vec<_> = std::fs::read_dir(root.join(name)).unwrap().collect();
        assert!(files.len() >= 10, "{name}");
        for file in files {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            // Whatever panics in there, this is the file.
            eprintln!("{}", path.display());
            run(&bytes);
            run(&chance.bend(&bytes, b"\r\n\0 :/.,\"0a\x80"));
        }
    }
}

fn corpus(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn targets() {
    let text = corpus("targets.txt");
    let mut chance = Chance::new();
    for line in text.lines().filter(|line| !line.starts_with("# ")) {
        let (asked, outcome) = line.split_once(" => ").unwrap();
        let [method, path, version, host] = asked.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let method: Method = method.parse().unwrap();
        let version = if version == "1.0" { Version::HTTP_10 } else { Version::HTTP_11 };
        let host = host.as_bytes();
        assert_eq!(target::outcome(&method, path.as_bytes(), version, host), outcome, "{line}");
        for _ in 0..500 {
            let bent = chance.bend(path.as_bytes(), b"/.%25eEfF;\\:@#?a*[]\x80");
            target::outcome(&method, &bent, version, host);
            let bent = chance.bend(host, b".:[]aZ-_0@/ ");
            target::outcome(&method, path.as_bytes(), version, &bent);
        }
    }
}

#[test]
fn header_fields() {
    let text = corpus("fields.txt");
    let mut chance = Chance::new();
    for block in text.split("\n\n").skip(1) {
        headers::run(block.as_bytes());
        for _ in 0..500 {
            headers::run(&chance.bend(block.as_bytes(), b"-_.:, \nxX;=\"chunkedvia"));
        }
    }
}

#[test]
fn configurations() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = vec![
        "# good\n".to_owned() + &std::fs::read_to_string(root.join("../../proxy.conf")).unwrap(),
    ];
    for entry in std::fs::read_dir(root.join("tests/corpus/config")).unwrap() {
        texts.push(std::fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    assert!(texts.len() > 10);
    let mut chance = Chance::new();
    for text in texts {
        assert_eq!(config::is_good(&text), text.starts_with("# good"), "{text}");
        for _ in 0..100 {
            let bent = chance.bend(text.as_bytes(), b"\"[]{}=#\n.,$0-_ \\'\xc3");
            config::is_good(&String::from_utf8_lossy(&bent));
        }
    }
}

#[test]
fn a_configuration_that_is_nested_without_end_is_only_wrong() {
    for (open, count) in [("a=[", 1), ("[", 100_000), ("a={b=", 100_000), ("a.", 100_000)] {
        assert!(!config::is_good(&format!("x={}", open.repeat(count))));
        assert!(!config::is_good(&open.repeat(count)));
    }
}
