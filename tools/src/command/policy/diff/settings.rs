//! What changes beside the rights of roles: routes, providers, what shuts callers out, CORS, security headers, records.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_engine::feed::{IdentityFeed, OnStale};
use portcullis_engine::{AuditView, CorsView, Policy, ProviderView, RouteView};

use super::{Change, Effect};

/// Routes that come, go or move. What that means for callers is said elsewhere.
pub(super) fn names(old: &Policy, new: &Policy) -> Vec<Change> {
    let place = |view: &RouteView<'_>| {
        let methods = if view.methods().is_empty() { String::new() } else { format!("{} ", view.methods().join(" ")) };
        let hosts = if view.hosts().is_empty() { String::new() } else { format!(" on {}", view.hosts().join(", ")) };
        format!("{methods}{}{hosts}", view.path())
    };
    let places = |policy| -> BTreeMap<String, String> {
        Policy::routes(policy).map(|view| (view.name().to_owned(), place(&view))).collect()
    };
    let (before, after) = (places(old), places(new));
    let mut changes = Vec::new();
    for (name, place) in &after {
        match before.get(name) {
            None => changes.push(Change::new(Effect::Other, format!("route `{name}` is new: {place}"))),
            Some(was) if was != place => {
                changes.push(Change::new(Effect::Other, format!("route `{name}` is {place} now, before {was}")));
            }
            Some(_) => {}
        }
    }
    let gone = before.iter().filter(|(name, _)| !after.contains_key(*name));
    changes.extend(gone.map(|(name, place)| Change::new(Effect::Other, format!("route `{name}` is gone: {place}"))));
    // Requests that no route takes are not refused either, while all is on trial.
    match (old.is_dry_run(), new.is_dry_run()) {
        (false, true) => {
            changes.push(Change::new(Effect::Wider, "the whole policy is a dry run now: nobody is refused"));
        }
        (true, false) => changes.push(Change::new(Effect::Narrower, "the policy is no longer a dry run")),
        _ => {}
    }
    for view in new.routes().filter(|view| view.is_dry_run() && !new.is_dry_run() && !before.contains_key(view.name()))
    {
        let text = format!("route `{}` is a dry run: nobody is refused", view.name());
        changes.push(Change::new(Effect::Wider, text));
    }
    changes
}

/// Who may issue tokens, and what of theirs is taken.
pub(super) fn providers(old: &Policy, new: &Policy) -> Vec<Change> {
    let mut changes = Vec::new();
    let find = |policy, name: &str| Policy::providers(policy).find(|provider| provider.name() == name);
    for after in new.providers() {
        match find(old, after.name()) {
            None => changes.push(Change::new(Effect::Wider, format!("provider `{}` is new", after.name()))),
            Some(before) => provider(&before, &after, &mut changes),
        }
    }
    let gone = old.providers().filter(|before| find(new, before.name()).is_none());
    changes.extend(gone.map(|before| Change::new(Effect::Narrower, format!("provider `{}` is gone", before.name()))));
    changes
}

fn provider(old: &ProviderView<'_>, new: &ProviderView<'_>, changes: &mut Vec<Change>) {
    let name = new.name();
    let mut say = |effect, text: String| changes.push(Change::new(effect, format!("provider `{name}` {text}")));
    let (before, after): (BTreeSet<&str>, BTreeSet<&str>) = (old.algorithms().collect(), new.algorithms().collect());
    for come in after.difference(&before) {
        say(Effect::Wider, format!("takes tokens signed with {come}"));
    }
    for gone in before.difference(&after) {
        say(Effect::Narrower, format!("no longer takes tokens signed with {gone}"));
    }
    match (old.issuer(), new.issuer()) {
        (before, after) if before == after => {}
        (_, None) => say(Effect::Wider, "no longer asks for an issuer".to_owned()),
        (None, Some(issuer)) => say(Effect::Narrower, format!("asks for the issuer {issuer}")),
        (Some(_), Some(issuer)) => say(Effect::Unclear, format!("takes the issuer {issuer} instead of its old one")),
    }
    let set = |view: &ProviderView<'_>| -> BTreeSet<String> { view.audiences().iter().cloned().collect() };
    let (before, after) = (set(old), set(new));
    match (before.is_empty(), after.is_empty()) {
        (false, true) => say(Effect::Wider, "no longer asks for an audience".to_owned()),
        (true, false) => {
            let audiences: Vec<&str> = after.iter().map(String::as_str).collect();
            say(Effect::Narrower, format!("asks for an audience: {}", audiences.join(", ")));
        }
        _ => {
            for come in after.difference(&before) {
                say(Effect::Wider, format!("takes the audience {come}"));
            }
            for gone in before.difference(&after) {
                say(Effect::Narrower, format!("no longer takes the audience {gone}"));
            }
        }
    }
    if old.requires_expiration() != new.requires_expiration() {
        let wider = !new.requires_expiration();
        let word = if wider { "takes" } else { "no longer takes" };
        say(Effect::wider_if(wider), format!("{word} tokens without `exp`"));
    }
    let lifetime = |view: &ProviderView<'_>| view.max_lifetime().unwrap_or(f64::INFINITY);
    if lifetime(old) < lifetime(new) {
        say(Effect::Wider, "takes tokens that are valid for longer (`max_lifetime`)".to_owned());
    } else if lifetime(old) > lifetime(new) {
        say(Effect::Narrower, "takes tokens that are valid for less long (`max_lifetime`)".to_owned());
    }
    if old.clock_skew() < new.clock_skew() {
        say(Effect::Wider, "lets clocks differ by more (`clock_skew`)".to_owned());
    } else if old.clock_skew() > new.clock_skew() {
        say(Effect::Narrower, "lets clocks differ by less (`clock_skew`)".to_owned());
    }
    let (before, after): (BTreeSet<String>, BTreeSet<String>) =
        (old.places().into_iter().collect(), new.places().into_iter().collect());
    for come in after.difference(&before) {
        say(Effect::Wider, format!("takes tokens from {come}"));
    }
    for gone in before.difference(&after) {
        say(Effect::Narrower, format!("no longer takes tokens from {gone}"));
    }
    if old.forwards() != new.forwards() {
        let wider = new.forwards();
        let word = if wider { "leaves tokens" } else { "no longer leaves tokens" };
        say(Effect::wider_if(wider), format!("{word} in requests to the upstream (`forward`)"));
    }
    let headers = |view: &ProviderView<'_>| -> BTreeMap<String, String> {
        view.claim_headers().map(|(header, claim)| (header.to_owned(), claim)).collect()
    };
    let (before, after) = (headers(old), headers(new));
    for (header, claim) in &after {
        match before.get(header) {
            None => say(Effect::Other, format!("has the upstream sent {claim} as {header}")),
            // A service that goes by it lets in others.
            Some(was) if was != claim => {
                say(Effect::Unclear, format!("has the upstream sent {claim} as {header} now, before {was}"));
            }
            Some(_) => {}
        }
    }
    for header in before.keys().filter(|header| !after.contains_key(*header)) {
        say(Effect::Other, format!("no longer has the upstream sent {header}"));
    }
    if old.roles_from() != new.roles_from() {
        let claim = |view: &ProviderView<'_>| view.roles_from().unwrap_or_else(|| "nowhere".to_owned());
        let effect = if new.roles_from().is_none() { Effect::Narrower } else { Effect::Unclear };
        say(effect, format!("takes roles from {} now, before {}", claim(new), claim(old)));
    }
}

/// What shuts out whom a token or a key would let in, and what lets in without a token.
pub(super) fn guards(old: &Policy, new: &Policy) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut say = |effect, text: String| changes.push(Change::new(effect, text));
    match (old.identity_feed(), new.identity_feed()) {
        (None, None) => {}
        (None, Some(_)) => {
            say(Effect::Narrower, "the identity feed is obeyed: who is switched off stays out".to_owned())
        }
        (Some(_), None) => {
            say(Effect::Wider, "no identity feed is obeyed: who is switched off or revoked gets in again".to_owned());
        }
        (Some(old), Some(new)) => feed(old, new, &mut say),
    }
    match (old.api_key_header(), new.api_key_header()) {
        (None, None) => {}
        (None, Some(header)) => say(Effect::Wider, format!("API keys are taken from `{header}`")),
        (Some(_), None) => say(Effect::Narrower, "API keys are no longer taken".to_owned()),
        (Some(before), Some(after)) if before == after => {}
        (Some(before), Some(after)) => {
            say(Effect::Other, format!("API keys are taken from `{after}` now, before from `{before}`"));
        }
    }
    match (old.lockout(), new.lockout()) {
        (before, after) if before == after => {}
        (None, _) => say(Effect::Narrower, "who fails to authenticate too often is locked out".to_owned()),
        (_, None) => say(Effect::Wider, "nobody is locked out, however often they fail to authenticate".to_owned()),
        _ => say(Effect::Unclear, "callers are locked out by other limits (`lockout`)".to_owned()),
    }
    changes
}

fn feed(old: &IdentityFeed, new: &IdentityFeed, say: &mut impl FnMut(Effect, String)) {
    if old.id() != new.id() {
        say(Effect::Unclear, "the identity feed comes from another place, or is signed by other keys".to_owned());
    }
    if old.on_stale() != new.on_stale() {
        let wider = new.on_stale() == OnStale::Serve;
        let what = if wider { "goes on being believed" } else { "is no longer believed" };
        say(Effect::wider_if(wider), format!("an identity feed that is too old {what} (`on_stale`)"));
    }
    if old.stale_after() != new.stale_after() {
        let wider = new.stale_after() > old.stale_after();
        let word = if wider { "longer" } else { "less long" };
        say(Effect::wider_if(wider), format!("the identity feed is believed for {word} without news (`stale_after`)"));
    }
}

/// Which origins may read responses, and what is added to them.
pub(super) fn responses(old: &Policy, new: &Policy) -> Vec<Change> {
    let mut changes = Vec::new();
    cors(old.cors().as_ref(), new.cors().as_ref(), "", &mut changes);
    preset(old.security_preset(), new.security_preset(), "", &mut changes);
    errors(old.hides_upstream_5xx(), new.hides_upstream_5xx(), "", &mut changes);
    cookies(&old.cookies(), &new.cookies(), "", &mut changes);
    for after in new.routes() {
        let before = old.routes().find(|before| before.name() == after.name());
        let (before_cors, before_preset) = match before {
            Some(before) => (before.cors(), before.security_preset()),
            None => (old.cors(), old.security_preset()),
        };
        let (before_hides, before_cookies) = match before {
            Some(before) => (before.hides_upstream_5xx(), before.cookies()),
            None => (old.hides_upstream_5xx(), old.cookies()),
        };
        let of = format!(" of route `{}`", after.name());
        // What only follows from the policy's own was said above.
        if (&before_cors, &after.cors()) != (&old.cors(), &new.cors()) {
            cors(before_cors.as_ref(), after.cors().as_ref(), &of, &mut changes);
        }
        if (before_preset, after.security_preset()) != (old.security_preset(), new.security_preset()) {
            preset(before_preset, after.security_preset(), &of, &mut changes);
        }
        if (before_hides, after.hides_upstream_5xx()) != (old.hides_upstream_5xx(), new.hides_upstream_5xx()) {
            errors(before_hides, after.hides_upstream_5xx(), &of, &mut changes);
        }
        if (&before_cookies, &after.cookies()) != (&old.cookies(), &new.cookies()) {
            cookies(&before_cookies, &after.cookies(), &of, &mut changes);
        }
    }
    changes
}

/// What is recorded. Nobody may more or less for it, and all the same somebody should know.
pub(super) fn audit(old: &AuditView, new: &AuditView) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut say = |text: String| changes.push(Change::new(Effect::Other, text));
    if old.level != new.level {
        say(match new.level {
            "none" => "nothing is recorded any more (`audit.level`)".to_owned(),
            "denied" => "only refused requests are recorded (`audit.level`)".to_owned(),
            _ => "every request is recorded (`audit.level`)".to_owned(),
        });
    }
    if old.sinks != new.sinks {
        let words = |sinks: &[&str]| {
            if sinks.is_empty() { "nowhere".to_owned() } else { format!("to {}", sinks.join(" and ")) }
        };
        say(format!("records go {} now, before {}", words(&new.sinks), words(&old.sinks)));
    }
    if old.sample.to_bits() != new.sample.to_bits() {
        let share = |share: f64| format!("{:.4}", share * 100.0).trim_end_matches('0').trim_end_matches('.').to_owned();
        say(format!("of allowed requests {} % are recorded now, before {} %", share(new.sample), share(old.sample)));
    }
    match (old.burst, new.burst) {
        (before, after) if before == after => {}
        (_, None) => say("every refused request has a record of its own".to_owned()),
        (_, Some((max, interval))) => say(format!(
            "of refused requests of a kind, {max} in {} s have records of their own; the others are counted in one",
            interval.as_secs()
        )),
    }
    for come in new.masks.iter().filter(|mask| !old.masks.contains(mask)) {
        say(format!("records mask more: {come}"));
    }
    for gone in old.masks.iter().filter(|mask| !new.masks.contains(mask)) {
        say(format!("records no longer mask {gone}"));
    }
    match (old.chain, new.chain) {
        (false, true) => say("records are links of a chain: a change to one shows".to_owned()),
        (true, false) => say("records are no longer links of a chain: a change to one does not show".to_owned()),
        _ => {}
    }
    changes
}

fn cors(old: Option<&CorsView>, new: Option<&CorsView>, of: &str, changes: &mut Vec<Change>) {
    let origins = |view: Option<&CorsView>| -> BTreeSet<String> {
        view.map(|view| view.origins.iter().cloned().collect()).unwrap_or_default()
    };
    let (before, after) = (origins(old), origins(new));
    for come in after.difference(&before) {
        changes.push(Change::new(Effect::Wider, format!("origin {come} may now read responses{of}")));
    }
    for gone in before.difference(&after) {
        changes.push(Change::new(Effect::Narrower, format!("origin {gone} may no longer read responses{of}")));
    }
    if let (Some(old), Some(new)) = (old, new) {
        for (what, before, after) in [
            ("send", &old.methods, &new.methods),
            ("set", &old.headers, &new.headers),
            ("read", &old.exposed, &new.exposed),
        ] {
            for come in after.iter().filter(|one| !before.contains(one)) {
                changes.push(Change::new(Effect::Wider, format!("scripts of these origins may now {what} {come}{of}")));
            }
            for gone in before.iter().filter(|one| !after.contains(one)) {
                let text = format!("scripts of these origins may no longer {what} {gone}{of}");
                changes.push(Change::new(Effect::Narrower, text));
            }
        }
    }
    let credentials = |view: Option<&CorsView>| view.is_some_and(|view| view.credentials);
    if old.is_some() && new.is_some() && credentials(old) != credentials(new) {
        let wider = credentials(new);
        let word = if wider { "may now" } else { "may no longer" };
        changes
            .push(Change::new(Effect::wider_if(wider), format!("origins {word} read responses with credentials{of}")));
    }
}

fn errors(old: bool, new: bool, of: &str, changes: &mut Vec<Change>) {
    if old != new {
        let word = if new { "are hidden" } else { "are shown" };
        let text = format!("the upstream's errors{of} {word} now (`hide_upstream_5xx`)");
        changes.push(Change::new(Effect::wider_if(!new), text));
    }
}

fn cookies(old: &[String], new: &[String], of: &str, changes: &mut Vec<Change>) {
    for gone in old.iter().filter(|asked| !new.contains(asked)) {
        changes.push(Change::new(Effect::Wider, format!("cookies{of} are no longer made to say {gone}")));
    }
    for come in new.iter().filter(|asked| !old.contains(asked)) {
        changes.push(Change::new(Effect::Narrower, format!("cookies{of} are made to say {come}")));
    }
}

fn preset(old: &str, new: &str, of: &str, changes: &mut Vec<Change>) {
    if old != new {
        let strength = |preset: &str| match preset {
            "none" => 0,
            "recommended" => 1,
            _ => 2,
        };
        let effect = Effect::wider_if(strength(new) < strength(old));
        changes.push(Change::new(effect, format!("security headers{of} are those of `{new}` now, before `{old}`")));
    }
}
