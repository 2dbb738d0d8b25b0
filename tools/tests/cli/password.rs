use crate::support::{command, directory, file, finish, run, run_with};

/// Quick enough for tests, and far too cheap for anything else.
const CHEAP: [&str; 6] = ["--memory", "64", "--iterations", "1", "--parallelism", "1"];

fn cheap_hash(password: &str) -> String {
    run_with(["password", "hash"].iter().chain(&CHEAP), password).ok()
}

#[test]
fn a_password_is_hashed_with_the_recommended_cost() {
    let hash = run_with(["password", "hash"], "correct horse\n").ok();
    assert!(hash.starts_with("$argon2id$v=19$m=65536,t=3,p=4$"), "{hash}");
    let parts: Vec<_> = hash.split('$').collect();
    assert_eq!((parts[4].len(), parts[5].len()), (22, 43), "16 bytes of salt and 32 of tag");
    run_with(["password", "verify", "--hash", &hash], "correct horse").ok();
}

#[test]
fn the_line_break_is_not_part_of_the_password() {
    let directory = directory("password_line_break");
    let hash = cheap_hash("correct horse\n");
    assert_eq!(run_with(["password", "verify", "--hash", &hash], "correct horse").code, 0);
    assert_eq!(run_with(["password", "verify", "--hash", &hash], "correct horse\r\n").code, 0);
    assert_eq!(run_with(["password", "verify", "--hash", &hash], "correct horse\n\n").code, 3, "two lines");
    assert_eq!(run_with(["password", "verify", "--hash", &hash], " correct horse").code, 1);
    let password = file(&directory, "password.txt", "correct horse\n");
    let hash_file = file(&directory, "password.hash", &format!("{hash}\n"));
    let verify = ["password", "verify", "--hash-file", hash_file.to_str().unwrap()];
    run(verify.iter().chain(&["--file", password.to_str().unwrap()])).ok();
}

#[test]
fn a_password_comes_from_the_environment_too() {
    let mut hash = command(["password", "hash", "--env", "PASSWORD"].iter().chain(&CHEAP));
    hash.env("PASSWORD", "correct horse");
    let hash = finish(hash, b"").ok();
    assert_eq!(run_with(["password", "verify", "--hash", &hash], "correct horse").code, 0);
    run(["password", "hash", "--env", "PORTCULLIS_TEST_NEVER_SET"]).fails(4, "is not set");
    run(["password", "hash", "--file", "no/such/file"]).fails(4, "cannot be read");
    run(["password", "hash", "--file", "a", "--env", "B"]).fails(2, "cannot be used with");
}

#[test]
fn eight_characters_are_the_only_rule() {
    run_with(["password", "hash"], "1234567\n").fails(3, "fewer than 8 characters");
    run_with(["password", "hash"], "").fails(3, "fewer than 8 characters");
    run_with(["password", "hash"], [0xff; 12]).fails(3, "not UTF-8");
    run_with(["password", "hash"], "one line\nand another\n").fails(3, "more than one line");
    assert!(cheap_hash("ünïcödé!").starts_with("$argon2id$"));
    assert!(cheap_hash(&"x".repeat(1_000_000)).starts_with("$argon2id$"), "there is no maximum");
}

#[test]
fn verify_says_yes_no_or_that_the_hash_is_none() {
    let hash = cheap_hash("correct horse");
    let yes = run_with(["password", "verify", "--hash", &hash], "correct horse");
    assert_eq!((yes.code, yes.stdout.as_str(), yes.stderr.as_str()), (0, "", "the password matches\n"));
    let no = run_with(["password", "verify", "--hash", &hash], "wrong horse");
    assert_eq!((no.code, no.stdout.as_str(), no.stderr.as_str()), (1, "", "the password does not match\n"));
    let json = run_with(["password", "verify", "--json", "--hash", &hash], "wrong horse");
    assert_eq!((json.code, json.stdout.as_str()), (1, "{\n  \"match\": false\n}\n"));

    run_with(["password", "verify", "--hash", "hunter2"], "x").fails(3, "malformed hash");
    run_with(["password", "verify", "--hash", ""], "x").fails(3, "malformed hash");
    let greedy = hash.replace("m=64", "m=4194305");
    run_with(["password", "verify", "--hash", &greedy], "x").fails(3, "excessive");
    run_with(["password", "verify"], "x").fails(2, "--hash");
    run_with(["password", "verify", "--hash-file", "-"], "x").fails(2, "for two things at once");
}

#[test]
fn costs_are_chosen_checked_and_reported() {
    let json = run_with(["password", "hash", "--json"].iter().chain(&CHEAP), "correct horse").json();
    assert_eq!((&json["memory_kib"], &json["iterations"], &json["parallelism"]), (&64.into(), &1.into(), &1.into()));
    assert!(json["hash"].as_str().unwrap().starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{json}");

    let weak = run_with(["password", "hash"].iter().chain(&CHEAP), "correct horse");
    assert!(weak.stderr.starts_with("warning: "), "{weak:?}");
    run_with(["password", "hash", "--memory", "4194305"], "correct horse").fails(2, "excessive");
    run_with(["password", "hash", "--memory", "8"], "correct horse").fails(2, "8 KiB of memory for each lane");
    run_with(["password", "hash", "--iterations", "0"], "correct horse").fails(2, "at least 1 iteration");
    run_with(["password", "hash", "--calibrate", "1s", "--iterations", "2"], "x").fails(2, "cannot be used with");

    let calibrated = run_with(["password", "hash", "--calibrate", "60ms"], "correct horse");
    assert!(calibrated.stderr.contains("on one core here"), "{calibrated:?}");
    assert!(calibrated.ok().starts_with("$argon2id$v=19$m="));
}

#[test]
fn strength_is_advice() {
    let weak = run_with(["password", "strength"], "password1\n");
    assert!(weak.stdout.contains("of 4"), "{weak:?}");
    assert!(!weak.stdout.contains("password1"), "{weak:?}");
    assert_eq!(weak.code, 0);

    let score = |args: &[&str], password: &str| {
        run_with(["password", "strength", "--json"].iter().chain(args), password).json()["score"].as_u64().unwrap()
    };
    assert_eq!(score(&[], "password1"), 0);
    assert_eq!(score(&[], "x9$Lq0vTz8#rWm2pKd7y"), 4);
    assert!(score(&["--context", "wolfeschlegelstein"], "wolfeschlegelstein1") < score(&[], "wolfeschlegelstein1"));

    let short = run_with(["password", "strength", "--json"], "").json();
    assert_eq!((&short["score"], &short["long_enough"]), (&0.into(), &false.into()));
}
