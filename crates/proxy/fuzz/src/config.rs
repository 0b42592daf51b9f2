//! proxy.conf.

use proxy::Config;

/// Reads a text, if it is one.
pub fn run(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        is_good(text);
    }
}

/// Whether a text is a configuration; if not, the complaint must say where.
pub fn is_good(text: &str) -> bool {
    match Config::parse(text, "some.conf") {
        Ok(loaded) => {
            for warning in loaded.warnings {
                placed(&warning.to_string());
            }
            true
        }
        Err(error) => {
            placed(&error.to_string());
            false
        }
    }
}

/// Each complaint is a line with file, line and column.
fn placed(told: &str) {
    for line in told.lines() {
        let place = line.strip_prefix("some.conf:").unwrap_or_else(|| panic!("{told}"));
        let mut numbers = place.split(':').map(|number| number.parse::<usize>());
        let both = [numbers.next(), numbers.next()];
        assert!(both.iter().all(|number| matches!(number, Some(Ok(1..)))), "{told}");
    }
}
