//! Which commands the audit log tells of, and what it says of them. Reading what is no secret is not among them.

use crate::audit::admin::Act;
use crate::cli::{
    ApiKeyCommand, AuditCommand, Command, ConsentCommand, FeedCommand, KeyCommand, LogoutArgs, PolicyCommand,
    SecretCommand, StoreCommand, TokenCommand, TotpCommand, UserCommand,
};
use crate::store::Handle;

#[cfg(test)]
mod tests;

/// What to record of a command; `None` if it changes nothing.
#[must_use]
pub fn act(command: &Command) -> Option<Act> {
    match command {
        Command::Secret(SecretCommand::Generate(args)) => {
            Some(on_path(Act::admin("secret_generate"), args.out.as_deref()))
        }
        Command::Key(command) => key(command),
        Command::Token(TokenCommand::Issue(args)) => Some(Act::admin("token_issue").on(&args.sub)),
        Command::Token(TokenCommand::Refresh(_)) => Some(Act::authentication("token_refresh")),
        // The id of a token is nobody's name, and records have no more of it than a digest.
        Command::Token(TokenCommand::Revoke(args)) => {
            let act = Act::admin("token_revoke");
            Some(match &args.which.user {
                Some(user) => on_user(act, user),
                None => act,
            })
        }
        Command::Token(TokenCommand::Unrevoke(_)) => Some(Act::admin("token_unrevoke")),
        Command::Init(args) => Some(Act::admin("init").on(&args.email)),
        Command::Login(args) => {
            let act = Act::authentication("login");
            Some(match &args.email {
                Some(email) => act.on(email),
                None => act,
            })
        }
        Command::Logout(args) => Some(logout(args)),
        Command::User(command) => user(command),
        Command::ApiKey(command) => api_key(command),
        Command::Feed(command) => match &**command {
            FeedCommand::Build(args) => Some(on_path(Act::admin("feed_build"), Some(&args.out))),
            FeedCommand::Verify(_) | FeedCommand::Inspect(_) => None,
        },
        Command::Store(command) => store(command),
        Command::Policy(PolicyCommand::Render(args)) => Some(on_path(Act::admin("policy_render"), Some(&args.file))),
        Command::Audit(command) => audit(command),
        Command::Incident(command) => Some(Act::admin("incident_report").on(&command.report().user)),
        Command::Token(TokenCommand::Inspect(_) | TokenCommand::Verify(_))
        | Command::Password(_)
        | Command::Policy(_)
        | Command::Completions(_)
        | Command::Man(_) => None,
    }
}

fn key(command: &KeyCommand) -> Option<Act> {
    match command {
        KeyCommand::Generate(args) => Some(on_path(Act::admin("key_generate"), Some(&args.out))),
        KeyCommand::Rotate(args) => Some(on_path(Act::admin("key_rotate"), Some(&args.jwks))),
        KeyCommand::Jwks(_) | KeyCommand::Thumbprint(_) => None,
    }
}

fn api_key(command: &ApiKeyCommand) -> Option<Act> {
    match command {
        ApiKeyCommand::Issue(args) => Some(on_user(Act::admin("api_key_issue"), &args.owner)),
        ApiKeyCommand::Revoke(args) => Some(Act::admin("api_key_revoke").on(&args.id)),
        ApiKeyCommand::Rotate(args) => Some(Act::admin("api_key_rotate").on(&args.id)),
        ApiKeyCommand::List(_) => None,
    }
}

fn logout(args: &LogoutArgs) -> Act {
    let act = Act::authentication("logout");
    match &args.user {
        Some(user) => on_user(act, user),
        None => act,
    }
}

fn user(command: &UserCommand) -> Option<Act> {
    Some(match command {
        UserCommand::Add(args) => Act::admin("user_add").on(&args.email),
        UserCommand::SetRole(args) => on_user(Act::admin("user_role"), &args.change.user),
        UserCommand::SetPassword(args) => on_user(Act::admin("password_set"), &args.change.user),
        UserCommand::SetDetails(args) => on_user(Act::admin("user_details"), &args.change.user),
        UserCommand::Disable(args) => on_user(Act::admin("user_disable"), &args.user),
        UserCommand::Enable(args) => on_user(Act::admin("user_enable"), &args.user),
        UserCommand::Erase(args) => on_user(Act::admin("user_erase"), &args.change.user),
        UserCommand::Prune(_) => Act::admin("user_prune"),
        UserCommand::Import(args) => on_path(Act::admin("user_import"), Some(&args.file)),
        // What is personal leaves the store.
        UserCommand::Export(args) => match &args.user {
            Some(user) => on_user(Act::admin("user_export"), user),
            None => Act::admin("user_export"),
        },
        UserCommand::Consent(ConsentCommand::Give(args)) => on_user(Act::admin("consent_give"), &args.change.user),
        UserCommand::Consent(ConsentCommand::Withdraw(args)) => {
            on_user(Act::admin("consent_withdraw"), &args.change.user)
        }
        UserCommand::Totp(TotpCommand::Enroll(args)) => on_user(Act::admin("totp_enroll"), &args.user),
        UserCommand::Totp(TotpCommand::Confirm(args)) => on_user(Act::admin("totp_confirm"), &args.user),
        UserCommand::Totp(TotpCommand::Reset(args)) => on_user(Act::admin("totp_reset"), &args.user),
        UserCommand::List(_)
        | UserCommand::Show(_)
        | UserCommand::History(_)
        | UserCommand::Consent(ConsentCommand::List(_)) => return None,
    })
}

fn store(command: &StoreCommand) -> Option<Act> {
    match command {
        StoreCommand::RotateKey(_) => Some(Act::admin("store_rotate")),
        StoreCommand::Backup(args) => Some(on_path(Act::admin("store_backup"), Some(&args.out))),
        StoreCommand::Check(args) => args.repair.then(|| Act::admin("store_repair")),
        StoreCommand::Cost(args) => (!args.cost.is_empty()).then(|| Act::admin("store_cost")),
    }
}

fn audit(command: &AuditCommand) -> Option<Act> {
    match command {
        AuditCommand::Prune(args) => (!args.dry_run)
            .then(|| on_path(Act::admin("audit_prune"), args.files.first().map(std::path::PathBuf::as_path))),
        AuditCommand::Checkpoint(args) => Some(on_path(Act::admin("audit_checkpoint"), Some(&args.out))),
        AuditCommand::Export(args) => Some(on_path(Act::admin("audit_export"), args.out.as_deref())),
        AuditCommand::Search(_) | AuditCommand::Stats(_) | AuditCommand::Verify(_) | AuditCommand::Schema => None,
    }
}

fn on_user(act: Act, user: &Handle) -> Act {
    match user {
        Handle::Id(id) => act.on(&id.to_string()),
        Handle::Email(email) => act.on(email.as_str()),
    }
}

fn on_path(act: Act, path: Option<&std::path::Path>) -> Act {
    match path {
        Some(path) => act.on(&path.display().to_string()),
        None => act,
    }
}
