//! `portcullis key rotate`.

use std::fs;
use std::path::{self, Path};

use portcullis_engine::token::Algorithm;
use serde_json::{Map, Value, json};

use super::{DEFAULT_RSA_BITS, NewKey, PRIVATE_KEYS, make, real_file};
use crate::cli::RotateArgs;
use crate::exit::{Exit, Failure};
use crate::file::{self, Replacement};
use crate::input;
use crate::jwk::Kind;
use crate::jwk::set::{PublishedSet, Rotated};
use crate::terminal::{Terminal, visible};

/// How many keys a set has after a rotation unless told: the new one, and the one whose tokens are out.
const KEEP: usize = 2;

/// A new key on its way into the set.
struct Incoming<'a> {
    out: &'a Path,
    key: NewKey,
    kid: String,
    published: Option<Algorithm>,
    jwk: Map<String, Value>,
}

/// Puts a new key into a key set, and takes old ones out.
///
/// # Errors
/// The set is not valid, or a file could not be written; then both files are as they were.
pub fn run(args: &RotateArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    real_file("--jwks", &args.jwks)?;
    // Read once to see whether all will go well, and what the new key should be like. Making it can take a while.
    let set = read(args)?;
    let keep = args.keep.map_or(KEEP, usize::from);
    let incoming = match &args.out {
        None => {
            set.rotate(None, usize::MAX, &args.retire)?;
            None
        }
        Some(out) => {
            real_file("--out", out)?;
            if path::absolute(out).ok() == path::absolute(&args.jwks).ok() {
                return Err(Failure::usage(
                    "--out and --jwks name one file, and one is private while the other is not",
                )
                .remedy("name a file of its own for the private key"));
            }
            file::must_be_new(out, PRIVATE_KEYS)?;
            set.check_names(&args.retire)?;
            Some(incoming(out, args, &set, terminal)?)
        }
    };

    // And once more when nobody else can change it.
    let replacement = Replacement::begin(&args.jwks)?;
    let set = read(args)?;
    let rotated = match &incoming {
        None => set.rotate(None, usize::MAX, &args.retire)?,
        Some(incoming) => set.rotate(Some(&incoming.jwk), keep, &args.retire)?,
    };
    let text = rotated.set.to_text()?;
    match &incoming {
        None => replacement.commit(&text)?,
        Some(Incoming { out, key, .. }) => {
            file::write_new(out, &key.pem, PRIVATE_KEYS)?;
            replacement.commit(&text).inspect_err(|_| {
                // Nobody knows this key, and it would be in the way of the next attempt.
                let _left_behind = fs::remove_file(out);
            })?;
        }
    }
    report(args, incoming.as_ref(), &rotated, terminal)?;
    Ok(Exit::Good)
}

/// The set as it is; an empty one where there is none yet and a key is coming.
fn read(args: &RotateArgs) -> Result<PublishedSet, Failure> {
    match args.jwks.try_exists() {
        Ok(false) if args.out.is_some() => Ok(PublishedSet::default()),
        _ => PublishedSet::parse(&input::read_text(&args.jwks)?, &input::describe(&args.jwks)),
    }
}

/// A key as asked for, or else like the newest of the set.
fn incoming<'a>(
    out: &'a Path,
    args: &RotateArgs,
    set: &PublishedSet,
    terminal: &mut Terminal,
) -> Result<Incoming<'a>, Failure> {
    let likeness = set.likeness();
    let algorithm = args.algorithm.unwrap_or(likeness.algorithm);
    let same_kind = Kind::of(algorithm) == Kind::of(likeness.algorithm);
    let usual = likeness.rsa_bits.filter(|_| same_kind).unwrap_or(DEFAULT_RSA_BITS);
    let key = make(algorithm, args.bits, usual, terminal)?;
    let kid = key.public.thumbprint();
    let published = args.algorithm.or(likeness.published);
    let jwk = key.public.to_jwk(&kid, published);
    Ok(Incoming { out, key, kid, published, jwk })
}

fn report(
    args: &RotateArgs,
    incoming: Option<&Incoming<'_>>,
    rotated: &Rotated,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let jwks = args.jwks.display();
    for name in &rotated.dropped {
        let name = visible(name.as_deref().unwrap_or("a key without a name"));
        terminal.note(format_args!("`{name}` is out of `{jwks}`: what it signed is refused once that is published"));
    }
    if args.json {
        terminal.json(&json!({
            "kid": incoming.map(|incoming| &incoming.kid),
            "added": incoming.is_some(),
            "kept": rotated.kept,
            "dropped": rotated.dropped,
        }))?;
    } else if let Some(incoming) = incoming {
        terminal.line(&incoming.kid)?;
    }
    terminal.flush()?;
    let Some(incoming) = incoming else {
        terminal.say(format_args!("next: publish `{jwks}`"));
        return Ok(());
    };
    let out = incoming.out.display();
    terminal.note(format_args!("`{out}` is the new private key, and `{jwks}` has its public half first"));
    if rotated.previous.is_none() && !rotated.dropped.is_empty() {
        terminal.warn("no earlier key is left: every token that is out will be refused");
    }
    let meanwhile = if rotated.previous.is_some() { ", and go on signing with the old key" } else { "" };
    let usual = incoming.key.public.algorithms().first();
    let option = match incoming.published.filter(|published| usual != Some(published)) {
        Some(algorithm) => format!(" --algorithm {algorithm}"),
        None => String::new(),
    };
    terminal.say("next:");
    terminal.say(format_args!("  1. publish `{jwks}`{meanwhile}"));
    terminal.say("  2. wait until every verifier has it: at least its `cache_duration`");
    terminal.say(format_args!("  3. sign with the new key: portcullis token issue --key {out}{option} …"));
    if let Some(old) = &rotated.previous {
        terminal.say("  4. when the longest-lived token of the old key has expired, retire it:");
        terminal.say(format_args!("     portcullis key rotate --jwks {jwks} --retire {}", visible(old)));
    }
    Ok(())
}
