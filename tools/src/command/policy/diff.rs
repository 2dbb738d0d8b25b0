//! `portcullis policy diff`: what becomes reachable and what is lost between two policies.

mod settings;

use std::collections::{BTreeMap, BTreeSet};

use portcullis_engine::config::{Node, NodeValue};
use portcullis_engine::{AllowReason, Caller, Meeting, Policy, RouteView, Survey};
use serde_json::{Value, json};

use super::matrix::method_name;
use crate::cli::{DiffArgs, DiffFormat};
use crate::diagnostic;
use crate::document::Document;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::terminal::{Terminal, visible};

#[cfg(test)]
mod tests;

/// Compares two policies.
///
/// # Errors
/// One of them cannot be read or is not valid.
pub fn run(args: &DiffArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    input::once([Some(args.old.as_path()), Some(args.new.as_path())])?;
    let old = Side::of(&Document::read(&args.old)?, terminal)?;
    let document = Document::read(&args.new)?;
    let new = Side::of(&document, terminal)?;
    let changes = compare(&old, &new);
    let (old, new) = (&old.policy, &new.policy);
    let wider = changes.iter().any(|change| change.effect.may_widen());
    match if args.json { DiffFormat::Json } else { args.format } {
        DiffFormat::Json => {
            let shown = |change: &Change| json!({"effect": change.effect.code(), "change": change.text});
            terminal.json(&json!({
                "old": old.digest(),
                "new": new.digest(),
                "wider": wider,
                "changes": changes.iter().map(shown).collect::<Vec<_>>(),
            }))?;
        }
        DiffFormat::Github => {
            for change in &changes {
                let word = if change.effect.may_widen() { "warning" } else { "notice" };
                terminal.line(diagnostic::annotation(word, &document.name, &change.text))?;
            }
        }
        DiffFormat::Markdown => terminal.line(markdown(&changes, old.digest() == new.digest()))?,
        DiffFormat::Human => {
            let palette = terminal.out_palette;
            for Change { effect, text } in &changes {
                let line = visible(&format!("{} {text}", effect.sign()));
                terminal.line(match effect {
                    Effect::Wider => palette.red(&line),
                    Effect::Unclear => palette.yellow(&line),
                    Effect::Narrower => palette.green(&line),
                    Effect::Other => line,
                })?;
            }
            if changes.is_empty() {
                terminal.line(nothing(old.digest() == new.digest()))?;
            }
        }
    }
    Ok(if wider && args.deny_widening { Exit::No } else { Exit::Good })
}

/// What is said where nothing was found. Keys, for one, are not looked at.
const fn nothing(same: bool) -> &'static str {
    if same { "nothing changes for anybody" } else { "nothing changes of what is compared" }
}

/// One of the two policies.
struct Side {
    policy: Policy,
    inputs: Inputs,
}

impl Side {
    fn of(document: &Document, terminal: &mut Terminal) -> Result<Self, Failure> {
        let policy = document.policy(terminal)?;
        Ok(Self { policy, inputs: document.node.as_ref().map(Inputs::of).unwrap_or_default() })
    }
}

/// What requests may bring along, in the words of the document: of two schemas it cannot be said which takes more.
#[derive(Default)]
struct Inputs {
    /// By the name of the route.
    of_routes: BTreeMap<String, Value>,
    schemas: Value,
}

impl Inputs {
    fn of(document: &Node) -> Self {
        let routes = match member(document, "routes").map(|routes| &routes.value) {
            Some(NodeValue::Seq(routes)) => routes.as_slice(),
            _ => &[],
        };
        let of_route = |route: &Node| match &member(route, "name")?.value {
            NodeValue::String(name) => Some((name.clone(), member(route, "input")?.to_canonical_json())),
            _ => None,
        };
        let schemas = member(document, "schemas").map(Node::to_canonical_json).unwrap_or_default();
        Self { of_routes: routes.iter().filter_map(of_route).collect(), schemas }
    }
}

fn member<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    match &node.value {
        NodeValue::Map(members) => members.iter().find(|(key, _)| key.name == name).map(|(_, node)| node),
        _ => None,
    }
}

/// Which way a change goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Effect {
    /// Somebody may more.
    Wider,
    /// Somebody may more, or less, or both: counts as wider.
    Unclear,
    /// Somebody may less.
    Narrower,
    /// Nobody may more or less.
    Other,
}

impl Effect {
    const fn may_widen(self) -> bool {
        matches!(self, Self::Wider | Self::Unclear)
    }

    const fn sign(self) -> char {
        match self {
            Self::Wider => '+',
            Self::Narrower => '-',
            Self::Unclear | Self::Other => '~',
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Wider => "wider",
            Self::Unclear => "unclear",
            Self::Narrower => "narrower",
            Self::Other => "other",
        }
    }

    /// Of a change that lets in some that were not, and keeps out some that were.
    const fn between(lets_in: bool, keeps_out: bool) -> Self {
        match (lets_in, keeps_out) {
            (true, true) => Self::Unclear,
            (true, false) => Self::Wider,
            (false, true) => Self::Narrower,
            (false, false) => Self::Other,
        }
    }

    const fn wider_if(wider: bool) -> Self {
        if wider { Self::Wider } else { Self::Narrower }
    }
}

/// One thing that changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    effect: Effect,
    text: String,
}

impl Change {
    fn new(effect: Effect, text: impl Into<String>) -> Self {
        Self { effect, text: text.into() }
    }
}

/// Everything that changes, the widest first.
fn compare(old: &Side, new: &Side) -> Vec<Change> {
    let inputs = (&old.inputs, &new.inputs);
    let (old, new) = (&old.policy, &new.policy);
    let roles: BTreeSet<&str> = old.known_roles().iter().chain(new.known_roles()).map(String::as_str).collect();
    let mut changes = BTreeSet::new();
    for meeting in Survey::between(old, new).meetings() {
        changes.extend(rights(&meeting, &roles));
        if let (Some(before), Some(after)) = (meeting.old, meeting.new) {
            changes.extend(limits(&meeting, before, after));
            let input = |side: &Inputs, view: RouteView<'_>| side.of_routes.get(view.name()).cloned();
            changes.extend(input_of(&meeting, input(inputs.0, before).as_ref(), input(inputs.1, after).as_ref()));
        }
    }
    if inputs.0.schemas != inputs.1.schemas {
        changes.insert(Change::new(Effect::Unclear, "schemas of bodies are others (`schemas`)"));
    }
    changes.extend(settings::names(old, new));
    changes.extend(settings::providers(old, new));
    changes.extend(settings::guards(old, new));
    changes.extend(settings::responses(old, new));
    changes.extend(settings::audit(&old.audit(), &new.audit()));
    changes.into_iter().collect()
}

/// How far a caller reaches. Its own is less than any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Nothing,
    Own,
    Any,
}

impl Reach {
    fn of(view: Option<RouteView<'_>>, caller: Caller<'_>, method: &str) -> Self {
        match view.map(|view| view.right(caller, method)) {
            None | Some(Err(_)) => Self::Nothing,
            Some(Ok(AllowReason::OwnerAllowed | AllowReason::OwnerUpstream)) => Self::Own,
            Some(Ok(_)) => Self::Any,
        }
    }
}

/// What callers may more or less of the requests of a meeting.
fn rights(meeting: &Meeting<'_>, roles: &BTreeSet<&str>) -> Vec<Change> {
    let callers = [Caller::Anyone, Caller::WithToken].into_iter();
    let callers: Vec<Caller<'_>> = callers.chain(roles.iter().map(|role| Caller::Role(role))).collect();
    // Methods of which the same is to be said, in one line.
    let mut said: Vec<(Caller<'_>, Reach, Reach, Vec<&str>)> = Vec::new();
    for method in &meeting.methods {
        let mut broader: Vec<(Reach, Reach)> = Vec::new();
        for caller in &callers {
            let step = (Reach::of(meeting.old, *caller, method), Reach::of(meeting.new, *caller, method));
            // What holds for everybody need not be said of each role.
            if step.0 != step.1 && !broader.contains(&step) {
                match said.iter_mut().find(|(known, old, new, _)| (known, (*old, *new)) == (caller, step)) {
                    Some((_, _, _, methods)) => methods.push(method),
                    None => said.push((*caller, step.0, step.1, vec![method])),
                }
            }
            if !matches!(caller, Caller::Role(_)) {
                broader.push(step);
            }
        }
    }
    let change = |(caller, old, new, methods): (Caller<'_>, Reach, Reach, Vec<&str>)| {
        let what = requests(meeting, &methods);
        let limits = limits_of(meeting.new);
        let text = match (caller, old, new) {
            (Caller::Anyone, _, Reach::Nothing) => format!("{what} is no longer public"),
            (Caller::Anyone, ..) => format!("{what} is public now{limits}"),
            (_, _, Reach::Nothing) => format!("{} can no longer {what}", name(caller)),
            (_, Reach::Nothing, Reach::Own) => format!("{} may now {what} (own only){limits}", name(caller)),
            (_, Reach::Own, _) => format!("{} may now {what} (any, not only its own){limits}", name(caller)),
            (_, _, Reach::Own) => format!("{} may {what} with its own only now{limits}", name(caller)),
            (_, _, Reach::Any) => format!("{} may now {what}{limits}", name(caller)),
        };
        Change::new(Effect::wider_if(new > old), text)
    };
    said.into_iter().map(change).collect()
}

fn name(caller: Caller<'_>) -> &str {
    match caller {
        Caller::Anyone => "anyone",
        Caller::WithToken => "any caller",
        Caller::Role(role) => role,
    }
}

/// `GET /search on api.example.com`.
fn requests(meeting: &Meeting<'_>, methods: &[&str]) -> String {
    let Meeting { path, hosts, .. } = meeting;
    let methods: Vec<&str> = methods.iter().map(|method| method_name(method)).collect();
    let hosts = if hosts.is_empty() { String::new() } else { format!(" on {}", hosts.join(", ")) };
    // The seven that the role table knows, and all others.
    if methods.len() == 8 && methods.last() == Some(&"others") {
        return format!("any method {path}{hosts}");
    }
    format!("{} {path}{hosts}", methods.join(" "))
}

/// What limits those who may, in brackets.
fn limits_of(view: Option<RouteView<'_>>) -> String {
    let Some(view) = view else { return String::new() };
    let mut limits: Vec<String> = view.addresses().into_iter().collect();
    limits.extend(view.conditions().into_iter().map(|condition| format!("if {condition}")));
    limits.extend(view.step_up().map(|step_up| format!("if {step_up}")));
    if limits.is_empty() { String::new() } else { format!(" [{}]", limits.join("; ")) }
}

/// What changes of what limits those who may.
fn limits(meeting: &Meeting<'_>, old: RouteView<'_>, new: RouteView<'_>) -> Vec<Change> {
    let what = requests(meeting, &meeting.methods);
    let mut changes = Vec::new();
    let rule = |view: RouteView<'_>| view.addresses().unwrap_or_else(|| "from anywhere".to_owned());
    if rule(old) != rule(new) {
        let effect = Effect::between(new.admits_beyond(&old), old.admits_beyond(&new));
        changes.push(Change::new(effect, format!("{what} is let in {} now, before {}", rule(new), rule(old))));
    }
    let (before, after) = (old.conditions(), new.conditions());
    for gone in before.iter().filter(|condition| !after.contains(condition)) {
        changes.push(Change::new(Effect::Wider, format!("{what} no longer asks that {gone}")));
    }
    for come in after.iter().filter(|condition| !before.contains(condition)) {
        changes.push(Change::new(Effect::Narrower, format!("{what} now asks that {come}")));
    }
    if old.step_up() != new.step_up() {
        let effect = Effect::between(new.accepts_beyond(&old), old.accepts_beyond(&new));
        let rule = |view: RouteView<'_>| view.step_up().unwrap_or_else(|| "no step-up".to_owned());
        changes.push(Change::new(effect, format!("{what} asks for {} now, before {}", rule(new), rule(old))));
    }
    match (old.is_dry_run(), new.is_dry_run()) {
        (false, true) => {
            changes.push(Change::new(Effect::Wider, format!("{what} is a dry run now: nobody is refused")))
        }
        (true, false) => changes.push(Change::new(Effect::Narrower, format!("{what} is no longer a dry run"))),
        _ => {}
    }
    if let (Some(before), Some(after)) = (old.owner(), new.owner())
        && before != after
    {
        changes.push(Change::new(Effect::Unclear, format!("{what}: {after}, before {before}")));
    }
    changes
}

/// Whether what requests may bring along is judged, and whether otherwise.
fn input_of(meeting: &Meeting<'_>, old: Option<&Value>, new: Option<&Value>) -> Option<Change> {
    let what = requests(meeting, &meeting.methods);
    match (old, new) {
        (before, after) if before == after => None,
        (Some(_), None) => Some(Change::new(Effect::Wider, format!("{what} may bring along anything now (`input`)"))),
        (None, Some(_)) => {
            Some(Change::new(Effect::Narrower, format!("{what} is judged by what it brings along (`input`)")))
        }
        _ => Some(Change::new(Effect::Unclear, format!("{what} may bring along something else (`input`)"))),
    }
}

fn markdown(changes: &[Change], same: bool) -> String {
    if changes.is_empty() {
        let mut said = nothing(same).to_owned();
        if let Some(first) = said.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        return format!("### Policy\n\n{said}.");
    }
    let mut text = "### Policy: what changes".to_owned();
    for (title, effects) in [
        ("Wider", &[Effect::Wider, Effect::Unclear][..]),
        ("Narrower", &[Effect::Narrower]),
        ("Also", &[Effect::Other]),
    ] {
        let rows: Vec<&Change> = changes.iter().filter(|change| effects.contains(&change.effect)).collect();
        if !rows.is_empty() {
            text.push_str(&format!("\n\n**{title}**\n"));
        }
        for change in rows {
            text.push_str(&format!("\n- {}", plain(&change.text)));
        }
    }
    text
}

/// Text that Markdown and the HTML in it leave as it is.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in visible(text).chars() {
        if "\\`*_{}[]<>#|~@&!".contains(c) {
            out.push_str(&format!("&#{};", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}
