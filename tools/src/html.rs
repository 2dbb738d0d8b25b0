//! Pages that need nothing else, for a browser.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::terminal::visible;

#[cfg(test)]
mod tests;

/// Text as HTML, in elements and in attributes with quotes.
#[must_use]
pub fn text(raw: &str) -> String {
    visible(raw)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// A page without script. Its own policy allows this one style, by hash, and nothing else at all.
#[must_use]
pub fn page(title: &str, style: &str, body: &str) -> String {
    let hash = STANDARD.encode(hmac_sha256::Hash::hash(style.as_bytes()));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>{style}</style>\n</head>\n\
         <body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        text(title)
    )
}
