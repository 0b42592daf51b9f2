//! Names of files as they come from elsewhere. Such a name is a proposal: whatever could lead out of the downloads
//! folder, hide the file, or make the name read differently from what it is, goes.

use wire::p2p::FILE_NAME_BYTES;

/// Bytes of an ending at most; something longer behind a dot is part of the name.
const ENDING_BYTES: usize = 32;

/// A name under which a file can be shown and saved: 1 to [`FILE_NAME_BYTES`] bytes, no path, nothing invisible, no
/// dot in front.
pub fn safe(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|&c| !hidden(c)).collect();
    let plain = plain.trim_matches(|c: char| c == '.' || c.is_whitespace());
    // `a./` and the like are gone; what is left may be nothing.
    shortened(if plain.is_empty() { "file" } else { plain }, FILE_NAME_BYTES)
}

/// Cuts a name to so many bytes, between two characters; its ending stays.
pub fn shortened(name: &str, bytes: usize) -> String {
    if name.len() <= bytes {
        return name.to_owned();
    }
    let (stem, ending) = split(name);
    let mut room = bytes.saturating_sub(ending.len());
    while !stem.is_char_boundary(room.min(stem.len())) {
        room -= 1;
    }
    format!("{}{ending}", &stem[..room.min(stem.len())])
}

/// The `n`th try for a name that is taken: `name.ext`, `name (2).ext`, ... in at most so many bytes.
pub fn numbered(name: &str, n: u32, bytes: usize) -> String {
    if n <= 1 {
        return shortened(name, bytes);
    }
    let number = format!(" ({n})");
    let name = shortened(name, bytes.saturating_sub(number.len()));
    let (stem, ending) = split(&name);
    format!("{stem}{number}{ending}")
}

/// A name and its ending, the dot included. A dot in front begins no ending.
fn split(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= ENDING_BYTES => name.split_at(dot),
        _ => (name, ""),
    }
}

/// Control characters, what turns the direction of writing, and what has no width and joins nothing.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_leads_elsewhere_or_deceives_goes() {
        for (given, safe_name) in [
            ("photo.jpg", "photo.jpg"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\a\\note.txt", "note.txt"),
            ("..", "file"),
            (".", "file"),
            ("", "file"),
            ("/", "file"),
            (".bashrc", "bashrc"),
            (" a .txt. ", "a .txt"),
            ("a\0b\n.txt", "ab.txt"),
            ("exe.\u{202e}gpj.exe", "exe.gpj.exe"),
            ("báo cáo 📄.pdf", "báo cáo 📄.pdf"),
        ] {
            assert_eq!(safe(given), safe_name, "{given:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_ending_and_whole_characters() {
        let name = safe(&format!("{}.tar.gz", "ố".repeat(200)));
        assert!(name.len() <= FILE_NAME_BYTES && name.ends_with("ố.gz"), "{name}");
        assert_eq!(safe(&format!("a.{}", "x".repeat(400))).len(), FILE_NAME_BYTES);
    }

    #[test]
    fn the_number_goes_in_front_of_the_ending() {
        assert_eq!(numbered("a.txt", 1, 255), "a.txt");
        assert_eq!(numbered("a.txt", 2, 255), "a (2).txt");
        assert_eq!(numbered("README", 13, 255), "README (13)");
        assert_eq!(numbered(&format!("{}.txt", "x".repeat(251)), 2, 255).len(), 255);
    }

    proptest! {
        #[test]
        fn every_name_becomes_one_that_stays_in_its_folder(name in any::<String>(), n in 1_u32..2000) {
            for name in [safe(&name), numbered(&safe(&name), n, 240)] {
                prop_assert!(!name.is_empty() && name.len() <= FILE_NAME_BYTES);
                prop_assert!(!name.contains(['/', '\\', '\0']) && !name.starts_with('.'));
                prop_assert_eq!(std::path::Path::new(&name).file_name(), Some(name.as_ref()));
            }
        }
    }
}
