//! Pictures of QR codes (ISO/IEC 18004), so that a page needs no code of others for them.

use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};

/// Octets of text; more would make a code that cameras read badly.
const MAX_TEXT: usize = 1024;

/// Pixels of a module: whole, so that edges stay sharp.
const MODULE: u32 = 4;

/// Draws a text, black on white with the quiet zone of four modules, whatever the page around it looks like. `None` for
/// one that is empty or too long.
pub(crate) fn draw(text: &str) -> Option<String> {
    if text.is_empty() || text.len() > MAX_TEXT {
        return None;
    }
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let picture = code.render::<svg::Color<'_>>().module_dimensions(MODULE, MODULE).quiet_zone(true).build();
    Some(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_a_picture_that_has_nothing_of_it_in_clear() {
        let picture = draw("sealpost://link?address=<script>").unwrap();

        assert!(picture.contains("<svg") && picture.ends_with("</svg>"), "{picture}");
        assert!(!picture.contains("script"));
    }

    #[test]
    fn what_no_camera_would_read_is_refused() {
        assert_eq!(draw(""), None);
        assert!(draw(&"x".repeat(MAX_TEXT)).is_some());
        assert_eq!(draw(&"x".repeat(MAX_TEXT + 1)), None);
    }
}
