//! A text as a QR code (ISO/IEC 18004) in SVG: one path, a quiet zone of four modules, a title for
//! screen readers.

use std::fmt::Write;

use qrcodegen::{QrCode, QrCodeEcc};

use crate::markup::escape;

/// Characters of a text at most. A code holds 2331 bytes at this level of correction, and a character has at most four.
const LONGEST: usize = 512;
/// Modules of white around the code, which readers need.
const QUIET: i32 = 4;

/// The picture, with the text in its title.
///
/// # Errors
/// What is wrong with the text.
pub fn svg(text: &str) -> Result<String, String> {
    titled(text, &format!("QR code: {text}"))
}

/// The picture of a text that isn't to be read aloud.
///
/// # Errors
/// What is wrong with the text.
pub fn titled(text: &str, title: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().count() > LONGEST {
        return Err(format!("from 1 to {LONGEST} characters"));
    }
    let code =
        QrCode::encode_text(text, QrCodeEcc::Medium).map_err(|_| "is too long".to_owned())?;
    let size = code.size() + 2 * QUIET;
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let run = (x..code.size()).take_while(|&at| code.get_module(at, y)).count() as i32;
            if run > 0 {
                // Writing to a string can't fail.
                let _ = write!(path, "M{},{}h{run}v1h-{run}z", x + QUIET, y + QUIET);
            }
            x += run.max(1);
        }
    }
    let title = escape(title);
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {size} {size}\" role=\"img\" \
         aria-label=\"{title}\" shape-rendering=\"crispEdges\"><title>{title}</title>\
         <path fill=\"#fff\" d=\"M0,0h{size}v{size}h-{size}z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_a_title_and_escapes_its_text() {
        let svg = svg("http://192.168.1.5:8080/?a=1&b=<\"'>\u{1}").unwrap();
        assert!(svg.contains(
            "<title>QR code: http://192.168.1.5:8080/?a=1&amp;b=&lt;&quot;&#39;&gt;</title>"
        ));
        assert!(svg.contains("role=\"img\"") && !svg.contains("style"));
    }

    #[test]
    fn the_quiet_zone_is_four_modules_wide() {
        // The shortest code has 21 modules; its finder pattern starts in the corner.
        let svg = svg("hi").unwrap();
        assert!(svg.contains("viewBox=\"0 0 29 29\"") && svg.contains("d=\"M4,4h7v1h-7z"), "{svg}");
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert!(
            svg("").is_err()
                && svg(&"a".repeat(513)).is_err()
                && svg(&"\u{1d11e}".repeat(512)).is_ok()
        );
    }
}
