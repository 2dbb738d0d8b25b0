//! `Set-Cookie` lines of upstreams, hardened (RFC 6265bis, "Set-Cookie").

use crate::headers::HeaderEdit;
use crate::request::Headers;
use crate::text::Text;

pub(crate) const SET_COOKIE: &str = "set-cookie";

/// What cookies must say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CookieRules {
    pub(crate) secure: bool,
    pub(crate) http_only: bool,
    pub(crate) same_site: Option<SameSite>,
    /// Names of cookies that stay as they are.
    pub(crate) except: Vec<String>,
}

/// What a cookie that does not say itself is sent along with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SameSite {
    Strict,
    Lax,
}

/// The attributes that matter here, as browsers read them: the last of a name counts.
#[derive(Default)]
struct Attributes {
    secure: bool,
    http_only: bool,
    same_site: bool,
}

impl Attributes {
    fn of(attributes: &str) -> Self {
        let mut found = Self::default();
        for attribute in attributes.split(';') {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            match trimmed(name).to_ascii_lowercase().as_str() {
                "secure" => found.secure = true,
                "httponly" => found.http_only = true,
                "samesite" => {
                    let value = trimmed(value);
                    found.same_site = ["strict", "lax", "none"].iter().any(|own| own.eq_ignore_ascii_case(value));
                }
                _ => {}
            }
        }
        found
    }
}

fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

impl CookieRules {
    /// Has every cookie of a response say what it must. A line that is not UTF-8, which no browser needs to understand,
    /// is left out where lines are written anew.
    #[inline(never)]
    pub(crate) fn harden(&self, headers: &Headers<'_>, edits: &mut Vec<HeaderEdit>) {
        let lines = headers.iter().filter(|(name, _)| name == SET_COOKIE);
        let mut changed = false;
        let mut hardened = Vec::new();
        for (_, line) in lines {
            let Ok(line) = std::str::from_utf8(line) else {
                changed = true;
                continue;
            };
            let missing = self.missing(line);
            changed |= !missing.is_empty();
            hardened.push(format!("{line}{missing}"));
        }
        if changed {
            edits.push(HeaderEdit::remove(SET_COOKIE));
            edits.extend(hardened.into_iter().map(|line| HeaderEdit::Append(Text::Static(SET_COOKIE), line.into())));
        }
    }

    /// What a line lacks, to be put at its end.
    fn missing(&self, line: &str) -> String {
        let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
        let name = pair.split_once('=').map_or("", |(name, _)| trimmed(name));
        let mut missing = String::new();
        if self.except.iter().any(|except| except == name) {
            return missing;
        }
        let found = Attributes::of(attributes);
        if self.secure && !found.secure {
            missing.push_str("; Secure");
        }
        if self.http_only && !found.http_only {
            missing.push_str("; HttpOnly");
        }
        match self.same_site.filter(|_| !found.same_site) {
            Some(SameSite::Strict) => missing.push_str("; SameSite=Strict"),
            Some(SameSite::Lax) => missing.push_str("; SameSite=Lax"),
            None => {}
        }
        missing
    }
}

#[cfg(test)]
mod tests;
