//! `lockout`.

use std::time::Duration;

use super::decode::{Fields, Findings, choice, integer, non_empty, owned, whole, within};
use super::error::Path;
use super::node::Node;
use super::route::Outline;
use crate::lockout::Lockout;

/// By what callers are told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Address,
    Account,
}

/// A lockout, and the names of the routes where an upstream checks passwords, with their lines.
pub(super) struct RawLockout {
    pub(super) lockout: Lockout,
    pub(super) login_routes: Vec<(String, Option<u32>)>,
}

/// `lockout`.
pub(super) fn lockout(node: &Node, path: &Path<'_>, findings: &mut Findings) -> Option<RawLockout> {
    let mut fields = Fields::of(node, path, findings)?;
    let failures = fields.required("max_failures", "say how many failures lock a caller out, such as 10", findings);
    let failures = failures.and_then(|node| integer(node, &path.field("max_failures"), findings, 1..=10_000));
    let range = (Duration::from_secs(1), Duration::from_secs(7 * 86_400));
    let mut time = |name| {
        let read = fields.read(name, findings, |node, path, findings| within(node, path, findings, range));
        read.unwrap_or(Duration::from_secs(900))
    };
    let (window, duration) = (time("window"), time("duration"));
    let key = fields.read("key", findings, |node, path, findings| {
        let words = [("ip", By::Address), ("account", By::Account)];
        let read = |node: &Node, path: &Path<'_>, findings: &mut Findings| choice(node, path, findings, &words);
        let key = whole(node, non_empty(node, path, findings, "write [ip], or [ip, account]", read)?)?;
        if key == [By::Account] {
            let message = "`account` alone lets anybody lock out anybody else, by failing in their name";
            findings.warn(path, node.line, message, "write [ip], or [ip, account]");
        }
        Some(key)
    });
    let key = key.unwrap_or_else(|| vec![By::Address]);
    let login_routes = fields.read("login_routes", findings, |node, path, findings| {
        let named = |node: &Node, path: &Path<'_>, findings: &mut Findings| {
            owned(node, path, findings).map(|name| (name, node.line))
        };
        whole(node, non_empty(node, path, findings, "name the routes, or leave the field out", named)?)
    });
    fields.finish(findings);
    let lockout = Lockout {
        max_failures: u16::try_from(failures?).unwrap_or(u16::MAX),
        window,
        duration,
        by_address: key.contains(&By::Address),
        by_account: key.contains(&By::Account),
        name: String::new(),
    };
    Some(RawLockout { lockout, login_routes: login_routes.unwrap_or_default() })
}

/// Whether there are such routes.
pub(super) fn check_login_routes(raw: &RawLockout, routes: &[Outline<'_>], findings: &mut Findings) {
    let path = Path::Root.field("lockout");
    let path = path.field("login_routes");
    for (index, (name, line)) in raw.login_routes.iter().enumerate() {
        // One whose name could not be read may be the one that is meant.
        if !routes.iter().any(|route| route.name.is_none_or(|known| known == name)) {
            let message = format!("no route is called `{name}`");
            findings.error(&path.index(index), *line, message, "write a route's `name`");
        }
    }
}

#[cfg(test)]
mod tests;
