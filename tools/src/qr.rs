//! QR codes for a terminal: two modules a character, one above the other.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use zeroize::Zeroizing;

use crate::exit::Failure;

#[cfg(test)]
mod tests;

/// The modules of the quiet zone on both sides, which ISO/IEC 18004 asks for.
const QUIET: usize = 8;

/// The code of a text; `None` where so many columns do not hold it.
///
/// In colour it is dark on light whatever the terminal's own colours are. Without, the light modules are what is drawn,
/// which is right on a dark ground.
///
/// # Errors
/// The text is too long for a code.
pub fn render(text: &str, columns: usize, colour: bool) -> Result<Option<Zeroizing<String>>, Failure> {
    // A screen is never smudged or torn: the least correction, and so the smallest code.
    let code = QrCode::with_error_correction_level(text, EcLevel::L);
    let code = code.map_err(|_| Failure::invalid("the text is too long for a QR code"))?;
    if code.width().saturating_add(QUIET) > columns {
        return Ok(None);
    }
    let mut renderer = code.render::<Dense1x2>();
    renderer.module_dimensions(1, 1);
    if !colour {
        renderer.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark);
        return Ok(Some(Zeroizing::new(renderer.build())));
    }
    let plain = Zeroizing::new(renderer.build());
    let lines = plain.lines().map(|line| format!("\u{1b}[30;47m{line}\u{1b}[0m"));
    Ok(Some(Zeroizing::new(lines.collect::<Vec<_>>().join("\n"))))
}
