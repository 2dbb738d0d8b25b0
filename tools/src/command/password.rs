//! `portcullis password`.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use zxcvbn::Score;
use zxcvbn::time_estimates::CrackTimeSeconds;

use crate::cli::{HashArgs, PasswordCommand, StrengthArgs, VerifyArgs};
use crate::exit::{Exit, Failure};
use crate::input;
use crate::password::{self, Cost, StoredHash};
use crate::terminal::Terminal;

/// Runs a command under `password`.
///
/// # Errors
/// Why it could not do its work.
pub fn run(command: &PasswordCommand, terminal: &mut Terminal) -> Result<Exit, Failure> {
    match command {
        PasswordCommand::Hash(args) => hash(args, terminal),
        PasswordCommand::Verify(args) => verify(args, terminal),
        PasswordCommand::Strength(args) => strength(args, terminal),
    }
}

fn hash(args: &HashArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut cost = args.cost();
    password::check_cost(cost)?;
    let password = input::password(args.input.source(true))?;
    password::check_length(&password)?;
    if let Some(target) = args.calibrate {
        cost = calibrate(cost, args.memory.is_some(), target, terminal)?;
    } else if cost.is_weak() {
        terminal.warn(format_args!(
            "{} KiB and {} iterations are cheaper to guess against than anything still recommended; \
             `--memory {} --iterations {}` is the least",
            cost.memory,
            cost.iterations,
            Cost::FLOOR.memory,
            Cost::FLOOR.iterations
        ));
    }
    let phc = password::hash(&password, cost)?;
    if args.json {
        terminal.json(&json!({
            "hash": phc.to_string(),
            "algorithm": phc.algorithm.as_str(),
            "version": u32::from(phc.version),
            "memory_kib": cost.memory,
            "iterations": cost.iterations,
            "parallelism": cost.parallelism,
        }))?;
    } else {
        terminal.line(phc)?;
    }
    Ok(Exit::Good)
}

fn calibrate(start: Cost, memory_fixed: bool, target: Duration, terminal: &mut Terminal) -> Result<Cost, Failure> {
    let calibrated = password::calibrate(start, memory_fixed, target, password::measure)?;
    let Cost { memory, iterations, parallelism } = calibrated.cost;
    let took = calibrated.took.as_millis();
    terminal.note(format_args!(
        "--memory {memory} --iterations {iterations} --parallelism {parallelism} takes {took} ms on one core here"
    ));
    if calibrated.took > target {
        terminal.warn(format_args!(
            "that is more than {} ms, but less would be too cheap to guess against",
            target.as_millis()
        ));
    }
    Ok(calibrated.cost)
}

fn verify(args: &VerifyArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let phc = match (&args.hash, &args.hash_file) {
        (Some(text), _) => text.clone(),
        (None, path) => {
            let path = path.as_deref().unwrap_or(Path::new("-"));
            let password = args.input.file.as_deref().or(args.input.env.is_none().then_some(Path::new("-")));
            input::once([Some(path), password])?;
            input::read_text(path)?.trim_end_matches(['\r', '\n']).to_owned()
        }
    };
    let hash = StoredHash::parse(&phc).map_err(|problem| {
        Failure::invalid(format!("malformed hash: {problem}"))
            .remedy("pass the whole string that `portcullis password hash` or another system made, in single quotes")
    })?;
    let password = input::password(args.input.source(false))?;
    let matches = password::verify_any(&password, &hash, Cost::RECOMMENDED)?.matches;
    if args.json {
        terminal.json(&json!({"match": matches}))?;
    } else {
        terminal.say(if matches { "the password matches" } else { "the password does not match" });
    }
    Ok(if matches { Exit::Good } else { Exit::No })
}

fn strength(args: &StrengthArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let password = input::password(args.input.source(false))?;
    let text = std::str::from_utf8(password.expose())
        .map_err(|_| Failure::invalid("the password is not UTF-8 text").remedy("check the terminal's encoding"))?;
    let context: Vec<&str> = args.context.iter().map(String::as_str).collect();
    let entropy = zxcvbn::zxcvbn(text, &context);
    let times = entropy.crack_times();
    let scenarios = [
        ("online_throttled", "online, 100 guesses an hour", times.online_throttling_100_per_hour()),
        ("online", "online, 10 guesses a second", times.online_no_throttling_10_per_second()),
        ("offline_slow", "stolen slow hash, 10,000 a second", times.offline_slow_hashing_1e4_per_second()),
        ("offline_fast", "stolen fast hash, 10 billion a second", times.offline_fast_hashing_1e10_per_second()),
    ];
    let warning = entropy.feedback().and_then(|feedback| feedback.warning()).map(|warning| warning.to_string());
    let suggestions: Vec<String> = entropy
        .feedback()
        .map(|feedback| feedback.suggestions().iter().map(ToString::to_string).collect())
        .unwrap_or_default();
    let accepted = text.chars().count() >= password::MIN_CHARACTERS;

    if args.json {
        let crack: serde_json::Map<_, _> =
            scenarios.iter().map(|(key, _, time)| ((*key).to_owned(), seconds(*time).into())).collect();
        terminal.json(&json!({
            "score": u8::from(entropy.score()),
            "guesses_log10": if text.is_empty() { 0.0 } else { entropy.guesses_log10() },
            "long_enough": accepted,
            "crack_seconds": crack,
            "warning": warning,
            "suggestions": suggestions,
        }))?;
        return Ok(Exit::Good);
    }
    let palette = terminal.out_palette;
    let verdict = match entropy.score() {
        Score::Zero => palette.red("0 of 4, guessed at once"),
        Score::One => palette.red("1 of 4, very weak"),
        Score::Two => palette.yellow("2 of 4, weak"),
        Score::Three => palette.green("3 of 4, good"),
        _ => palette.green("4 of 4, strong"),
    };
    terminal.line(format_args!("{:<38} {verdict}", "strength"))?;
    for (_, name, time) in scenarios {
        terminal.line(format_args!("{name:<38} {time}"))?;
    }
    if !accepted {
        terminal.line(format_args!("too short: at least {} characters are needed", password::MIN_CHARACTERS))?;
    }
    for advice in warning.iter().chain(&suggestions) {
        terminal.line(format_args!("- {advice}"))?;
    }
    Ok(Exit::Good)
}

fn seconds(time: CrackTimeSeconds) -> f64 {
    match time {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        CrackTimeSeconds::Integer(seconds) => seconds as f64,
        CrackTimeSeconds::Float(seconds) => seconds,
    }
}
