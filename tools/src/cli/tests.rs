use clap::{Command, CommandFactory};

use super::Cli;

fn each(command: &Command, visit: &mut impl FnMut(&Command)) {
    visit(command);
    for subcommand in command.get_subcommands().filter(|command| command.get_name() != "help") {
        each(subcommand, visit);
    }
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

/// A line that a terminal of the usual width breaks in two cannot be pasted.
#[test]
fn no_line_of_an_example_is_wrapped() {
    const USUAL_COLUMNS: usize = 80;
    let mut root = Cli::command();
    root.build();
    each(&root, &mut |command| {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name());
        let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let mut narrow = command.clone().term_width(USUAL_COLUMNS);
        let (long, short) = (narrow.render_long_help().to_string(), narrow.render_help().to_string());
        for line in examples.lines() {
            for (help, length) in [(&long, "--help"), (&short, "-h")] {
                assert!(help.lines().any(|shown| shown == line), "{name} {length} wraps `{line}`");
            }
        }
    });
}

#[test]
fn every_command_has_help_with_an_example_and_every_option_is_explained() {
    let mut root = Cli::command();
    root.build();
    let mut count = 0;
    each(&root, &mut |command| {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name());
        let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(examples.starts_with("Examples:\n"), "{name} has no examples");
        assert!(examples.contains("portcullis "), "{name} has no example to run");
        assert!(command.get_about().is_some(), "{name} does not say what it does");
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{name}: {} is not explained", argument.get_id());
        }
        count += 1;
    });
    assert!(count >= 15, "only {count} commands were looked at");
}
