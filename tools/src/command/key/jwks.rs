//! `portcullis key jwks`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::cli::JwksArgs;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::jwk::read::{NamedKey, read};
use crate::terminal::{Terminal, visible};

/// Prints the key set to publish.
///
/// # Errors
/// A file has something else in it, or two keys have one name.
pub fn run(args: &JwksArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    input::once(args.files.iter().map(|path| Some(path.as_path())))?;
    if args.kid.as_deref() == Some("") {
        return Err(Failure::usage("--kid is empty").remedy("check the variable it comes from"));
    }
    let mut keys = Vec::new();
    for path in &args.files {
        keys.extend(read(path)?);
    }
    if keys.is_empty() {
        return Err(Failure::invalid("there is no key to publish").remedy("name a file that has one"));
    }
    if args.kid.is_some() && keys.len() > 1 {
        return Err(Failure::usage(format!("--kid names one key, and there are {}", keys.len()))
            .remedy("name them one by one, or leave out --kid: each has its thumbprint for a name"));
    }
    let mut names = BTreeSet::new();
    let published: Result<Vec<_>, Failure> = keys.iter().map(|key| publish(key, args, &mut names)).collect();
    terminal.json(&json!({"keys": published?}))?;
    Ok(Exit::Good)
}

fn publish(named: &NamedKey, args: &JwksArgs, names: &mut BTreeSet<String>) -> Result<Map<String, Value>, Failure> {
    let NamedKey { name, key, .. } = named;
    if let (Some(wanted), Some(own)) = (args.algorithm, named.algorithm.filter(|own| args.algorithm != Some(*own))) {
        return Err(Failure::usage(format!("{name} is for {own}, by its `alg`, and not for {wanted}"))
            .remedy("leave out --algorithm, or take out the `alg`"));
    }
    let algorithm = key.algorithm(args.algorithm.or(named.algorithm), name)?;
    let kid = args.kid.clone().or_else(|| named.kid.clone()).unwrap_or_else(|| key.thumbprint());
    if !names.insert(kid.clone()) {
        return Err(Failure::invalid(format!("{name} has the `kid` of a key before it: `{}`", visible(&kid))).remedy(
            "name each key once, and give different keys different names: a token says by it which one to use",
        ));
    }
    Ok(key.to_jwk(&kid, algorithm))
}
