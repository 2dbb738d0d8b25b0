//! What a user's history and export say of their sign-ins.

use serde_json::{Value, json};

use super::moment;
use crate::exit::Failure;
use crate::store::{Error, Failures, Family, SecondFactor, Session, SignIn, User};
use crate::terminal::Terminal;

/// Everything the store has of a user's sign-ins.
pub struct SignIns {
    past: Vec<SignIn>,
    open: Vec<Family>,
    failures: Failures,
    factor: Option<SecondFactor>,
    codes: usize,
}

/// Reads it.
///
/// # Errors
/// The store cannot be read.
pub async fn read(session: &mut Session<'_>, user: &User) -> Result<SignIns, Error> {
    Ok(SignIns {
        past: session.sign_ins(user.slot).await?,
        open: session.families(user.slot).await?,
        failures: session.failures(Some(user.slot)).await?,
        factor: session.second_factor(user).await?,
        codes: session.recovery_codes(user.slot).await?.len(),
    })
}

impl SignIns {
    /// For programs: who came and went, what can still be refreshed, and who failed since. Nothing that lets anybody in.
    pub fn for_programs(&self) -> Value {
        let past = self.past.iter().map(|sign_in| {
            json!({
                "at": moment(sign_in.at),
                "event": sign_in.event.name(),
                "amr": sign_in.methods.names(),
                "recovery_code": sign_in.recovery,
                "failures_before": sign_in.failures,
            })
        });
        let open = self.open.iter().map(|family| {
            json!({
                "started_at": moment(family.started_at),
                "refreshed_at": moment(family.used_at),
                "refreshes": family.uses,
                "ends_at": moment(family.ends_at),
                "amr": family.methods.names(),
            })
        });
        let Failures { count, codes, first_at, last_at } = self.failures;
        let failures = (count > 0).then(
            || json!({"count": count, "wrong_codes": codes, "first_at": moment(first_at), "last_at": moment(last_at)}),
        );
        let factor = self
            .factor
            .as_ref()
            .map(|factor| json!({"kind": "totp", "confirmed": factor.confirmed, "recovery_codes_left": self.codes}));
        json!({
            "sign_ins": past.collect::<Vec<_>>(),
            "sessions": open.collect::<Vec<_>>(),
            "failed_sign_ins": failures,
            "second_factor": factor,
        })
    }

    /// For people: one line each, after the history.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn print(&self, terminal: &mut Terminal) -> Result<(), Failure> {
        for sign_in in &self.past {
            let code = if sign_in.recovery { ", a recovery code" } else { "" };
            let failed = match sign_in.failures {
                0 => String::new(),
                count => format!(", after {count} that failed"),
            };
            let (at, event) = (moment(sign_in.at).unwrap_or_default(), sign_in.event.name());
            terminal.line(format_args!("  -  {at}  {event} ({}{code}{failed})", sign_in.methods.names().join(", ")))?;
        }
        let Failures { count, last_at, .. } = self.failures;
        if count > 0 {
            let last = moment(last_at).unwrap_or_default();
            terminal.line(format_args!("  -  {last}  the last of {count} that failed since"))?;
        }
        if self.failures.needs_administrator() {
            terminal.warn(
                "too many wrong codes with the right password: nobody gets in until the password is set or the second \
                 factor reset",
            );
        }
        Ok(())
    }
}
