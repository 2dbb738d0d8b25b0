//! What comes of an attempt to sign in, once it is known whether the password was right.

use zeroize::Zeroizing;

use super::SignedIn;
use crate::access::Methods;
use crate::actor::Actor;
use crate::input::Secret;
use crate::recovery::{self, RecoveryCode};
use crate::refresh::RefreshToken;
use crate::store::{Action, Change, Error, Event, Handle, Lifetime, Session, SignIn, Status, User};
use crate::totp::Totp;

/// An attempt, and what was found before the store was locked for it.
pub struct Attempt<'a> {
    /// The user as they were when the password was checked.
    pub seen: &'a User,
    /// Whether the address was theirs.
    pub real: bool,
    /// Whether the password was.
    pub right: bool,
    /// The code, if one was given.
    pub code: Option<&'a Secret>,
    /// The password's new hash, where the old one is outdated.
    pub rehashed: Option<Zeroizing<String>>,
    /// What the family begins with.
    pub token: &'a RefreshToken,
    /// How long it lasts.
    pub lifetime: Lifetime,
    /// Who runs the command.
    pub actor: &'a Actor,
}

/// What the second factor says.
enum Proof {
    /// There is none.
    NotAsked,
    /// No code was given.
    Absent,
    /// The code is none of those that are good.
    Wrong,
    /// A code of the app, and its step.
    Step(u64),
    /// A recovery code, and how many are left after it.
    Recovery([u8; 32], usize),
}

impl Attempt<'_> {
    /// Lets the user in and writes down what follows from it, or counts a failure.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub async fn settle(&self, session: &mut Session<'_>) -> Result<Option<SignedIn>, Error> {
        let user = session.find(&Handle::Id(self.seen.id)).await?;
        let slot = self.real.then_some(user.slot);
        let failures = session.failures(slot).await?;
        let proof = self.prove(session, &user).await?;
        let shut = failures.shut(session.now);
        // The password that was right may have been changed meanwhile.
        let right = self.right && user.status == Status::Active && user.password == self.seen.password;
        if shut || !right || matches!(proof, Proof::Absent | Proof::Wrong) {
            let guessed = right && matches!(proof, Proof::Wrong);
            let counted = if shut { failures } else { failures.and_one_more(guessed, session.now) };
            session.set_failures(slot, counted).await?;
            return Ok(None);
        }
        let (methods, codes_left) = match proof {
            Proof::Step(step) => {
                session.use_step(user.slot, step).await?;
                (Methods::PasswordAndCode, None)
            }
            Proof::Recovery(digest, left) => {
                session.use_recovery_code(user.slot, &digest).await?;
                (Methods::PasswordAndCode, Some(left))
            }
            Proof::NotAsked | Proof::Absent | Proof::Wrong => (Methods::Password, None),
        };
        let at = session.now.max(user.tokens_void_before);
        let user = match &self.rehashed {
            Some(hash) => {
                let change = Change::new(Action::RehashPassword, self.actor, None);
                session.change(&user, Change { password: Some(hash.clone()), ..change }).await?
            }
            None => user,
        };
        session.signed_in(&user).await?;
        session.forget_failures(user.slot).await?;
        let ids = (&self.token.family()[..], &self.token.digest()[..]);
        session.start_family(&user, ids, methods, at, self.lifetime).await?;
        let recovery = codes_left.is_some();
        let sign_in = SignIn { at, event: Event::SignIn, methods, recovery, failures: failures.count };
        session.note(user.slot, &sign_in).await?;
        Ok(Some(SignedIn { user, methods, at, failures, codes_left }))
    }

    /// Holds the code against the second factor. Nothing is used up yet.
    async fn prove(&self, session: &mut Session<'_>, user: &User) -> Result<Proof, Error> {
        let factor = session.second_factor(user).await?;
        let kept = session.recovery_codes(user.slot).await?;
        let Some(factor) = factor.filter(|factor| factor.confirmed) else { return Ok(Proof::NotAsked) };
        let Some(code) = self.code else { return Ok(Proof::Absent) };
        let Ok(code) = std::str::from_utf8(code.expose()) else { return Ok(Proof::Wrong) };
        let typed = Zeroizing::new(code.replace(' ', ""));
        if let Some(step) = Totp::new(&factor.secret)?.step(&typed, session.now, factor.last_step) {
            return Ok(Proof::Step(step));
        }
        let digest = RecoveryCode::parse(code).map(|code| code.digest(user.id.as_bytes()));
        Ok(match digest {
            Some(digest) if recovery::is_kept(&kept, &digest) => Proof::Recovery(digest, kept.len().saturating_sub(1)),
            _ => Proof::Wrong,
        })
    }
}
