//! The documents agree with one another and with the programs.

use std::collections::BTreeSet;

use system_tests::binaries::{binary, repository};
use system_tests::markdown::blocks;
use tokio::process::Command;

#[test]
fn the_vietnamese_guide_has_the_same_commands_and_answers() {
    let code = |file: &str| -> Vec<(String, String)> {
        let found = blocks(&repository().join(file));
        found.into_iter().map(|block| (block.language, block.text)).collect()
    };
    let (english, vietnamese) = (code("README.md"), code("README.vi.md"));
    for (english, vietnamese) in english.iter().zip(&vietnamese) {
        assert_eq!(english, vietnamese);
    }
    assert_eq!(english.len(), vietnamese.len());
}

#[test]
fn both_guides_have_the_same_tables_and_links() {
    let shape = |file: &str| -> (Vec<usize>, usize) {
        let text = std::fs::read_to_string(repository().join(file)).unwrap();
        let levels = text.lines().filter(|line| line.starts_with('#'));
        let levels = levels.map(|line| line.chars().take_while(|&c| c == '#').count()).collect();
        (levels, text.lines().filter(|line| line.starts_with('|')).count())
    };
    assert_eq!(shape("README.md"), shape("README.vi.md"));
}

#[tokio::test]
async fn the_configuration_tables_name_every_flag_with_its_variable_and_default() {
    let mut real = BTreeSet::new();
    for program in ["proxy", "backend-auth", "chat-tracker"] {
        let output =
            Command::new(binary(program)).arg("--help").env_clear().output().await.unwrap();
        assert!(output.status.success());
        real.extend(flags(&String::from_utf8(output.stdout).unwrap()));
    }
    for guide in ["README.md", "README.vi.md"] {
        let text = std::fs::read_to_string(repository().join(guide)).unwrap();
        let documented: BTreeSet<Flag> = text.lines().filter_map(row).collect();
        let missing: Vec<_> = real.difference(&documented).collect();
        let invented: Vec<_> = documented.difference(&real).collect();
        assert!(
            missing.is_empty() && invented.is_empty(),
            "{guide}: not documented: {missing:?}; not so: {invented:?}"
        );
    }
}

/// `--flag`, its variable, and its default or nothing.
type Flag = (String, String, String);

/// A row of a table: `| `--flag` | `VARIABLE` | `default` | … |`.
fn row(line: &str) -> Option<Flag> {
    let mut cells = line.strip_prefix("| `--")?.split('|').map(|cell| cell.trim().replace('`', ""));
    Some((format!("--{}", cells.next()?), cells.next()?, cells.next()?))
}

/// What clap lists.
fn flags(help: &str) -> Vec<Flag> {
    let mut found: Vec<Flag> = Vec::new();
    for line in help.lines() {
        let value = |text: &str| text.trim_end_matches(']').trim_end_matches('=').to_owned();
        // Names stand further to the left than what is said about them.
        let named = line.len() - line.trim_start().len() <= 6;
        let line = line.trim();
        if named && line.starts_with('-') {
            let flag = line.split([' ', ',']).find(|word| word.starts_with("--"));
            found.extend(flag.map(|flag| (flag.to_owned(), String::new(), String::new())));
        } else if let (Some(last), Some(name)) = (found.last_mut(), line.strip_prefix("[env: ")) {
            last.1 = value(name);
        } else if let (Some(last), Some(default)) =
            (found.last_mut(), line.strip_prefix("[default: "))
        {
            last.2 = value(default);
        }
    }
    found.retain(|(flag, ..)| !["--help", "--version"].contains(&flag.as_str()));
    found
}
