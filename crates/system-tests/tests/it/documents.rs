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
async fn the_configuration_tables_name_every_flag_and_variable_of_every_program() {
    for guide in ["README.md", "README.vi.md"] {
        let text = std::fs::read_to_string(repository().join(guide)).unwrap();
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `--")).collect();
        let documented: BTreeSet<String> = rows.iter().flat_map(|row| words(row)).collect();
        let mut real = BTreeSet::new();
        for program in ["proxy", "backend-auth", "chat-tracker"] {
            let output = Command::new(binary(program)).arg("--help").output().await.unwrap();
            assert!(output.status.success());
            real.extend(flags(&String::from_utf8(output.stdout).unwrap()));
        }
        let missing: Vec<_> = real.difference(&documented).collect();
        let invented: Vec<_> = documented.difference(&real).collect();
        assert!(
            missing.is_empty() && invented.is_empty(),
            "{guide}: not documented: {missing:?}; not there: {invented:?}"
        );
    }
}

/// `--flag` and `VARIABLE` in a table's row, each in backticks, the flag perhaps with a value.
fn words(row: &str) -> Vec<String> {
    let quoted = row.split('`').skip(1).step_by(2);
    let word = quoted.map(|text| text.split([' ', '=']).next().unwrap_or_default());
    word.filter(|word| word.starts_with("--") || variable(word)).map(str::to_owned).collect()
}

/// The flags that clap lists, with their `[env: NAME=]`.
fn flags(help: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in help.lines().map(str::trim_start) {
        let long = line
            .strip_prefix('-')
            .and_then(|_| line.split_whitespace().find(|word| word.starts_with("--")));
        if let Some(flag) = long.filter(|flag| !["--help", "--version"].contains(flag)) {
            found.push(
                flag.split(['=', '[']).next().unwrap_or(flag).trim_end_matches(',').to_owned(),
            );
        }
        if let Some((_, rest)) = line.split_once("[env: ") {
            found.push(rest.split(['=', ']']).next().unwrap_or_default().to_owned());
        }
    }
    found
}

fn variable(word: &str) -> bool {
    word.len() > 2 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}
