//! `portcullis feed build`.

use std::path::Path;

use portcullis_engine::feed::{Draft, Feed, FeedClaims, MAX_DELTA_BYTES, read};
use portcullis_engine::token::KeySet;
use serde_json::json;

use super::output::{Current, Output};
use super::{described, seconds, summary};
use crate::cli::FeedBuildArgs;
use crate::exit::{Exit, Failure};
use crate::feed::{Signer, Sources, collect, difference, own_keys, public_keys, read_files, read_verified, unwritable};
use crate::input;
use crate::signing::SigningKey;
use crate::store::{Error, Store, is_named};
use crate::terminal::Terminal;
use crate::time;

/// The largest version that every JSON reader has exactly: 2^53 - 1.
const MAX_VERSION: u64 = (1 << 53) - 1;

/// Writes a feed, and a delta where one is wanted.
///
/// # Errors
/// What it is made from is not valid, or it cannot be signed or written; then what was there stays.
pub fn run(args: &FeedBuildArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    spare(args)?;
    let signer = signer(args)?;
    let own = own_keys(&signer)?;
    let base = args.base.as_deref().map(|path| base(path, args, &own)).transpose()?;
    let out = Output::of(&args.out)?;
    let delta_out = args.delta_out.as_deref().map(Output::of).transpose()?;
    let current = out.current(&own)?;
    if current.as_ref().is_some_and(|current| current.feed.claims().base.is_some()) {
        return Err(Failure::usage(format!(
            "`{}` is a delta, and a full feed would take its place",
            args.out.display()
        ))
        .remedy("name the file of the full feed with --out, and that of the delta with --delta-out"));
    }
    let current_delta = delta_out.as_ref().map(|out| out.current(&own)).transpose()?.flatten();

    let (mut draft, mut store) = gather(args, terminal)?;
    let now = time::now();
    let delta = base.as_ref().map(|base| difference(base, &mut draft, u32::try_from(now).unwrap_or(u32::MAX)));
    let content = draft.encode().map_err(|error| unwritable(&error))?;
    if let Some(current) = &current
        && !args.force
        && is_fresh(current, &content, args, now)
        && base
            .as_ref()
            .is_none_or(|base| current_delta.as_ref().is_some_and(|delta| follows(delta, &current.feed, base)))
    {
        let delta = current_delta.as_ref().map(|delta| &delta.feed).filter(|_| base.is_some());
        report(args, &current.feed, delta, false, terminal)?;
        return Ok(Exit::Good);
    }

    let feed = |current: &Option<Current>| current.as_ref().map(|current| current.feed.version());
    let known = [feed(&current), feed(&current_delta), base.as_ref().map(Feed::version)];
    let version = version(known.into_iter().flatten().max(), store.as_mut())?;
    let now = u64::try_from(now).unwrap_or_default();
    let exp = args.ttl.map(|ttl| now.saturating_add(ttl.as_secs()));
    let full = FeedClaims::of(&content, version, None, now, exp);
    let full = checked(signer.seal(&full, &content)?, &own)?;
    let mut written_delta = None;
    if let Some((base, delta)) = base.as_ref().zip(delta) {
        let (from, content) = delta_content(base.version(), version, delta, terminal)?;
        let claims = FeedClaims::of(&content, version, Some(from), now, exp);
        written_delta = Some(checked(signer.seal(&claims, &content)?, &own)?);
    }
    // The full one first: whom the delta sends there finds it.
    out.replace(full.file())?;
    if let Some((out, delta)) = delta_out.as_ref().zip(written_delta.as_ref()) {
        out.replace(delta.file())?;
    }
    report(args, &full, written_delta.as_ref(), true, terminal)?;
    Ok(Exit::Good)
}

/// Refuses to write over what is read, and to write two things to one file.
fn spare(args: &FeedBuildArgs) -> Result<(), Failure> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let out = real(&args.out);
    let delta = args.delta_out.as_deref().map(real);
    if delta.as_ref() == Some(&out) {
        return Err(Failure::usage("--out and --delta-out name one file").remedy("name a file for each"));
    }
    let read =
        [Some(&args.key), args.subjects.as_ref(), args.revoked.as_ref(), args.api_keys.as_ref(), args.jwks.as_ref()];
    let mut read = read.into_iter().flatten().map(|path| real(path));
    if read.any(|path| path == out || Some(&path) == delta.as_ref()) {
        return Err(Failure::usage("the feed would take the place of a file that it is made from")
            .remedy("name another file with --out or --delta-out"));
    }
    if args.base.as_deref().map(real).is_some_and(|base| base == out) {
        return Err(Failure::usage("--out and --base name one file, and the base must stay as the proxies have it")
            .remedy("keep a copy of a full feed for --base, and give the proxies that or a newer one"));
    }
    Ok(())
}

fn signer(args: &FeedBuildArgs) -> Result<Signer, Failure> {
    let key = SigningKey::from_pem(&input::key_text(&args.key)?, &input::describe(&args.key))?;
    let algorithm = key.algorithm(args.algorithm)?;
    let kid = args.kid.clone().or_else(|| key.public().map(|key| key.thumbprint()));
    Ok(Signer { key, algorithm, kid })
}

/// The full feed that a delta is made against. It is what proxies have, so it must be one that they believed.
fn base(path: &Path, args: &FeedBuildArgs, own: &KeySet) -> Result<Feed, Failure> {
    let others = args.jwks.as_deref().map(public_keys).transpose()?;
    let mut read = read_verified(path, own)?;
    if let (Err(_), Some(others)) = (&read, &others) {
        read = read_verified(path, others)?;
    }
    let feed = read.map_err(|error| {
        Failure::invalid(format!("{} is no base for a delta: {error}", input::describe(path))).remedy(
            "name a full feed as it was published; give the key it was signed with as --jwks, if that is another now",
        )
    })?;
    if feed.claims().base.is_some() {
        return Err(Failure::invalid(format!("{} is a delta, and deltas build on full feeds", input::describe(path)))
            .remedy("name a full feed with --base"));
    }
    Ok(feed)
}

/// Everything there is to say, and the store it came from.
fn gather(args: &FeedBuildArgs, terminal: &mut Terminal) -> Result<(Draft, Option<Store>), Failure> {
    let sources = Sources {
        subjects: args.subjects.as_deref(),
        revoked: args.revoked.as_deref(),
        api_keys: args.api_keys.as_deref(),
    };
    let mut bar = terminal.bar("reading");
    let (mut draft, mut store) = (Draft::default(), None);
    if sources.is_empty() || is_named(args.store.store.as_deref()) {
        let store = store.insert(Store::open(args.store.location()?)?);
        draft = collect(store, !args.no_roles, &mut bar)?;
    }
    read_files(sources, &mut draft, time::now(), &mut bar)?;
    Ok((draft, store))
}

/// Whether what is there says the same, is signed by the same key, and will do for a while.
fn is_fresh(current: &Current, content: &[u8], args: &FeedBuildArgs, now: i64) -> bool {
    let claims = current.feed.claims();
    let same = FeedClaims::of(content, claims.version, None, claims.iat, claims.exp) == *claims;
    let lasts = match (claims.exp, args.ttl) {
        (None, None) => true,
        // Half of its time is left for whoever cannot fetch it just now.
        (Some(exp), Some(ttl)) => {
            let left = seconds(exp).saturating_sub(now);
            left.saturating_mul(2) > i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX)
        }
        _ => false,
    };
    same && lasts && current.is_ours
}

/// Whether a delta is the one that leads from a base to a full feed.
fn follows(delta: &Current, full: &Feed, base: &Feed) -> bool {
    let claims = delta.feed.claims();
    claims.version == full.version()
        && claims.exp == full.claims().exp
        // Or sends whoever has an older one there.
        && (claims.base == Some(base.version()) || claims.base == Some(full.version()))
        && delta.is_ours
}

/// The next version: the time in milliseconds, or more where that would be going back.
fn version(last: Option<u64>, store: Option<&mut Store>) -> Result<u64, Failure> {
    let now = u64::try_from(time::now_precise().millis()).unwrap_or_default();
    let mut version = now.max(last.unwrap_or_default().saturating_add(1));
    if let Some(store) = store {
        let wanted = i64::try_from(version).map_err(|_| exhausted())?;
        let given: Result<i64, Error> = store.write(async |session| session.next_feed_version(wanted).await);
        version = u64::try_from(given?).unwrap_or_default().max(version);
    }
    if version > MAX_VERSION { Err(exhausted()) } else { Ok(version) }
}

fn exhausted() -> Failure {
    Failure::invalid("there is no version after that of the feed there is")
        .remedy("move it away if it is not yours; proxies that have it must be restarted")
}

/// The delta's base and content. One that is too long to be fetched every few seconds is none: whoever has an older full feed is
/// sent to the new one.
fn delta_content(base: u64, version: u64, delta: Draft, terminal: &mut Terminal) -> Result<(u64, Vec<u8>), Failure> {
    const LINE: usize = portcullis_engine::feed::MAX_LINE_BYTES;
    let content = delta.encode().map_err(|error| unwritable(&error))?;
    if content.len() <= MAX_DELTA_BYTES.saturating_sub(LINE) {
        return Ok((base, content));
    }
    terminal.warn(format_args!(
        "a delta on version {base} would have {} bytes, and {MAX_DELTA_BYTES} are allowed: this one has proxies fetch the full feed; \
         give a copy of that as --base from now on",
        content.len()
    ));
    Ok((version, Draft::default().encode().map_err(|error| unwritable(&error))?))
}

/// A file as whoever fetches it will read it: nothing is published that the filter would refuse.
fn checked(file: Vec<u8>, own: &KeySet) -> Result<Feed, Failure> {
    read(file, own).map_err(|error| {
        Failure::invalid(format!("the filter would refuse this feed: {error}"))
            .remedy("correct what it is made from; what was there stays")
    })
}

fn report(
    args: &FeedBuildArgs,
    full: &Feed,
    delta: Option<&Feed>,
    written: bool,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    if args.json {
        let delta = delta.map(described);
        return terminal.json(&json!({"written": written, "feed": described(full), "delta": delta}));
    }
    if !written {
        terminal.note(format_args!("nothing changed: `{}` stays; {}", args.out.display(), summary(full)));
        return Ok(());
    }
    terminal.note(format_args!("wrote `{}`: {}", args.out.display(), summary(full)));
    if let Some((path, delta)) = args.delta_out.as_deref().zip(delta) {
        terminal.note(format_args!("wrote `{}`: {}", path.display(), summary(delta)));
    }
    Ok(())
}
