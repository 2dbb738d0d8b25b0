//! A policy file, YAML or JSON, as the tree the engine compiles.

use std::path::{Path, PathBuf};

use portcullis_engine::config::{Node, NodeValue, PolicyError};
use portcullis_engine::token::Proven;
use portcullis_engine::{FetchState, Policy, Secret, SecretLookup, UnixTime, Worker, feed};

use crate::diagnostic::{self, Severity};
use crate::exit::Failure;
use crate::input;
use crate::terminal::Terminal;
use crate::yaml::{self, SyntaxError};

/// A file that was read: its lines, for showing where a mistake is, and its tree if it has one.
pub struct Document {
    /// The name to show: the path, or `standard input`.
    pub name: String,
    /// The lines of the text.
    pub lines: Vec<String>,
    /// The tree, or why there is none.
    pub node: Result<Node, SyntaxError>,
}

impl Document {
    /// Reads a file, or standard input where the path is `-`.
    ///
    /// # Errors
    /// It cannot be read, or is not UTF-8 text.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = input::read_text(path)?;
        let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let name = if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() };
        Ok(Self { name, lines: text.lines().map(str::to_owned).collect(), node: parse(&text, is_json) })
    }

    /// The line of a route.
    #[must_use]
    pub fn route_line(&self, index: usize) -> Option<u32> {
        let NodeValue::Map(members) = &self.node.as_ref().ok()?.value else { return None };
        let (_, routes) = members.iter().find(|(key, _)| key.name == "routes")?;
        match &routes.value {
            NodeValue::Seq(routes) => routes.get(index)?.line,
            _ => None,
        }
    }

    /// The same finding on the line of the member that its path names. What is found by holding a route or a provider
    /// against others comes with the line where that one starts.
    #[must_use]
    pub fn placed(&self, finding: &PolicyError) -> PolicyError {
        let line = self.node.as_ref().ok().and_then(|node| nearer_line(node, &finding.path, finding.line?));
        PolicyError { line: line.or(finding.line), ..finding.clone() }
    }

    /// Compiles the policy, with the secrets of this environment.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn compile(&self) -> Result<Policy, Vec<PolicyError>> {
        match &self.node {
            Ok(node) => Policy::compile(node, &environment).map_err(|errors| {
                let mut errors: Vec<PolicyError> = errors.iter().map(|error| self.placed(error)).collect();
                errors.sort_by_key(|error| error.line);
                errors
            }),
            Err(SyntaxError { line, message }) => Err(vec![PolicyError {
                path: String::new(),
                line: *line,
                message: message.clone(),
                remedy: "correct the text; nothing else was checked".to_owned(),
            }]),
        }
    }

    /// Compiles the policy for a command that needs a good one. What is wrong with it, and what may be, goes to
    /// standard error.
    ///
    /// # Errors
    /// It is not valid.
    pub fn policy(&self, terminal: &mut Terminal) -> Result<Policy, Failure> {
        let (policy, severity, findings) = match self.compile() {
            Ok(policy) => {
                let warnings = policy.warnings().iter().map(|warning| self.placed(warning)).collect();
                (Some(policy), Severity::Warning, warnings)
            }
            Err(errors) => (None, Severity::Error, errors),
        };
        for finding in &findings {
            terminal.say(diagnostic::human(self, severity, finding, terminal.err_palette));
        }
        policy.ok_or_else(|| {
            Failure::invalid(format!("{} is not a valid policy", self.name))
                .remedy("correct what is listed above; `portcullis policy check` lists it again")
        })
    }
}

/// The line of the member or item that a path names, where `line` is only that of something around it. A repeated member is
/// told by its own line, and a mistake inside a schema by the line inside: those stay.
fn nearer_line(node: &Node, path: &str, line: u32) -> Option<u32> {
    let (mut node, mut rest, mut found) = (node, path, node.line);
    let mut around = Vec::new();
    while !rest.is_empty() {
        around.extend([found, node.line]);
        let (below, beyond) = match &node.value {
            NodeValue::Map(members) => {
                let names = rest.strip_prefix('.').unwrap_or(rest);
                // A name may have dots in it.
                let of = |name: &str| {
                    names.strip_prefix(name).filter(|beyond| beyond.is_empty() || beyond.starts_with(['.', '[']))
                };
                let fits = members.iter().filter_map(|(key, value)| Some((key, value, of(&key.name)?)));
                let (key, value, beyond) = fits.min_by_key(|(.., beyond)| beyond.len())?;
                found = key.line;
                (value, beyond)
            }
            NodeValue::Seq(items) => {
                let (index, beyond) = rest.strip_prefix('[')?.split_once(']')?;
                let item = items.get(index.parse::<usize>().ok()?)?;
                found = item.line;
                (item, beyond)
            }
            _ => return None,
        };
        (node, rest) = (below, beyond);
    }
    around.contains(&Some(line)).then_some(found).flatten()
}

/// A worker that has fetched what these files hold, each for a provider with `remote_jwks`: nothing is fetched here.
///
/// # Errors
/// A file cannot be read or is no usable key set, or the policy has no such provider.
pub fn worker(policy: &Policy, keys: &[(String, PathBuf)], terminal: &mut Terminal) -> Result<Worker, Failure> {
    let worker = quiet_worker(policy, keys)?;
    note_missing_keys(policy, &worker, terminal);
    Ok(worker)
}

/// The same worker, with no word about the keys that no file holds.
///
/// # Errors
/// As [`worker`].
pub fn quiet_worker(policy: &Policy, keys: &[(String, PathBuf)]) -> Result<Worker, Failure> {
    let mut worker = Worker::new(policy, Proven::NOTHING);
    for (index, (name, path)) in keys.iter().enumerate() {
        // A set that is learned takes the place of the one before.
        if keys.iter().take(index).any(|(earlier, _)| earlier == name) {
            return Err(Failure::usage(format!("--provider-jwks has keys of provider `{name}` twice"))
                .remedy("give one file for each provider; two become one with: portcullis key jwks FILE FILE"));
        }
        let found = policy.remote_providers().find(|(provider, _)| provider == name);
        let (_, source) = found.ok_or_else(|| {
            Failure::usage(format!("no provider `{name}` with `remote_jwks` in this policy"))
                .remedy("name one of the policy's own, as in --provider-jwks NAME=FILE")
        })?;
        worker.learn(policy, source, &FetchState::NEVER, &input::read(path)?).map_err(|error| {
            Failure::invalid(format!("{}: {error}", input::describe(path)))
                .remedy("a key set is {\"keys\": […]} with public keys for signatures (RFC 7517)")
        })?;
    }
    Ok(worker)
}

/// Says which providers' keys no file holds.
pub fn note_missing_keys(policy: &Policy, worker: &Worker, terminal: &mut Terminal) {
    for (name, _) in policy.remote_providers().filter(|(_, source)| !worker.has_keys(*source)) {
        terminal.note(format_args!(
            "keys of provider `{name}` are not fetched here; give them with --provider-jwks {name}=FILE"
        ));
    }
}

/// Has a worker obey the identity feed of these files, as if its server had just said that it is the newest.
///
/// # Errors
/// A file cannot be read or is none to take, or the policy has no feed.
pub fn take_feeds(policy: &Policy, worker: &mut Worker, files: &[PathBuf], now: UnixTime) -> Result<(), Failure> {
    for path in files {
        let source = policy.identity_feed().ok_or_else(|| {
            Failure::usage("this policy has no `identity_feed`").remedy("leave out --feed, or say who signs it")
        })?;
        let mut bytes = input::read(path)?;
        let read = feed::read(std::mem::take(&mut *bytes), source.keys());
        read.and_then(|feed| worker.take_feed(policy, feed, now)).map_err(|error| {
            Failure::invalid(format!("{}: {error}", input::describe(path))).remedy(
                "give a feed that the policy's key signed, the full one first; `portcullis feed verify` tells more",
            )
        })?;
    }
    Ok(())
}

/// Says that no file holds the feed.
pub fn note_missing_feed(policy: &Policy, worker: &Worker, terminal: &mut Terminal) {
    if policy.identity_feed().is_some() && worker.feeds().is_none() {
        terminal.note("the identity feed is not fetched here; give it with --feed FILE");
    }
}

/// A secret of this environment. One that is not set is unknown rather than missing: it may well be set in the plugin's.
pub fn environment(name: &str) -> SecretLookup {
    match std::env::var_os(name) {
        Some(value) => SecretLookup::Value(Secret::new(value.into_encoded_bytes())),
        None => SecretLookup::Unknown,
    }
}

/// JSON when the name says so, or when the text starts like a JSON object and is one; else YAML, of which a flow
/// mapping starts the same way.
fn parse(text: &str, is_json: bool) -> Result<Node, SyntaxError> {
    if !is_json && !text.trim_start().starts_with('{') {
        return yaml::parse(text);
    }
    match Node::from_json(text.as_bytes()) {
        Ok(node) => Ok(node),
        Err(_) if !is_json => yaml::parse(text),
        Err(error) => Err(json_error(&error)),
    }
}

fn json_error(error: &serde_json::Error) -> SyntaxError {
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    // JSON is often a single line, of which the number says nothing.
    let message = format!("{message}, in column {}", error.column());
    SyntaxError { line: u32::try_from(error.line()).ok().filter(|line| *line > 0), message }
}

#[cfg(test)]
mod tests {
    use super::{Document, NodeValue, parse};

    #[test]
    fn json_is_told_from_yaml() {
        for (text, is_json, line, message) in [
            ("{\"version\": \"v1\"}", false, None, "JSON without the name"),
            ("  \n{\"version\": \"v1\"}\n", true, None, "JSON by its name"),
            ("{version: v1}", false, Some(1), "a YAML flow mapping"),
            ("version: v1", false, Some(1), "YAML"),
            ("# {\nversion: v1", false, Some(2), "YAML after a comment"),
        ] {
            let node = parse(text, is_json).unwrap();
            assert_eq!(node.line, line, "{message}");
            assert!(matches!(node.value, NodeValue::Map(members) if members.len() == 1), "{message}");
        }
    }

    #[test]
    fn a_finding_is_on_the_line_of_what_its_path_names() {
        let text = "\
routes:
  - name: a
    match:
      path: /a
      methods: [
        GET,
        get]
    access: roles
    roles:
      - x
  - {name: b,
     match: 1, name: c}
a.b:
  c: 1
a:
  b.c: 2
";
        let node = parse(text, false).unwrap();
        for (path, line, expected, message) in [
            ("routes[0].roles", 2, Some(9), "a member of a route, told where the route starts"),
            ("routes[0].match", 2, Some(3), "one whose value begins below it"),
            ("routes[0].match", 4, None, "what is inside stays"),
            ("routes[0].roles[0]", 2, Some(10), "an item"),
            ("routes[0].match.methods[1]", 7, None, "what is told right stays"),
            ("routes[1].name", 12, None, "a member that stands twice is the one it is"),
            ("routes[1].match", 11, Some(12), "a flow mapping of two lines"),
            ("routes[0]", 2, Some(2), "all of a route"),
            ("routes[0].nothing", 2, None, "what is not there has no line"),
            ("routes[7].name", 2, None, "nor has what is in no such item"),
            ("a.b.c", 13, Some(14), "a name with a dot"),
            ("a.b.c", 14, Some(14), "is not looked for elsewhere"),
            ("", 1, None, "the document"),
            ("routes", 1, Some(1), "a member of the document"),
        ] {
            assert_eq!(super::nearer_line(&node, path, line), expected, "{message}: {path}");
        }
    }

    #[test]
    fn what_is_wrong_between_routes_is_where_it_stands() {
        let text = "\
version: v1
routes:
  - access: public
    match: {path: /a}
    name: x
  - access: authenticated
    match: {path: /a}
    name: x
";
        let lines = text.lines().map(str::to_owned).collect();
        let document = Document { name: "policy.yaml".to_owned(), lines, node: parse(text, false) };
        let found: Vec<String> = document.compile().unwrap_err().iter().map(ToString::to_string).collect();
        for (error, start) in
            found.iter().zip(["line 6: routes[1].access: ", "line 7: routes[1].match: ", "line 8: routes[1].name: "])
        {
            assert!(error.starts_with(start), "{found:#?}");
        }
        assert_eq!(found.len(), 3, "{found:#?}");
    }

    #[test]
    fn json_that_is_none_says_where() {
        let error = parse("{\n  \"version\": v1\n}", true).unwrap_err();
        assert_eq!(error.to_string(), "line 2: expected value, in column 14");
        let error = parse("version: v1", true).unwrap_err();
        assert_eq!(error.line, Some(1));
    }
}
