//! Time-based one-time passwords (RFC 6238), as authenticator apps make them: SHA-1, six digits, thirty seconds.

use totp_rs::Builder;
use zeroize::Zeroizing;

use crate::exit::Failure;

#[cfg(test)]
mod tests;

/// RFC 4226 section 4, R6: a secret of 160 bits is recommended.
pub const SECRET_BYTES: usize = 20;

/// RFC 6238 section 4.1.
const STEP_SECONDS: u64 = 30;

/// RFC 6238 section 5.2: one step for a clock that differs and for typing, and not more.
const WINDOW_STEPS: u16 = 1;

/// What an app shows above its code unless told otherwise.
pub const ISSUER: &str = "Portcullis";

/// A secret shared with an authenticator app.
pub struct Totp(totp_rs::Totp);

impl Totp {
    /// Takes a secret that was made here.
    ///
    /// # Errors
    /// It is shorter than 128 bits, which RFC 4226 does not allow.
    pub fn new(secret: &[u8]) -> Result<Self, Failure> {
        Self::labelled(secret, "", ISSUER)
    }

    /// Takes a secret with what the app is to show: whose account it is, and of what.
    ///
    /// # Errors
    /// As [`Totp::new`], or the issuer has a colon, which ends its name in an `otpauth://` URI.
    pub fn labelled(secret: &[u8], account: &str, issuer: &str) -> Result<Self, Failure> {
        if issuer.contains(':') {
            return Err(Failure::usage("the issuer's name has a colon").remedy("choose another name for --issuer"));
        }
        let builder = Builder::new().with_secret(secret).with_step_duration(STEP_SECONDS).with_skew(WINDOW_STEPS);
        let builder = builder.with_account_name(account.replace(':', "_")).with_issuer(Some(issuer));
        builder.build().map(Self).map_err(|_| Failure::invalid("the second factor's secret is damaged"))
    }

    /// The step that a code belongs to, if it is one of those around this time and later than the last one used:
    /// RFC 6238 section 5.2, a code is taken once.
    #[must_use]
    pub fn step(&self, code: &str, now: i64, last: Option<u64>) -> Option<u64> {
        let step = self.0.check(code, u64::try_from(now).ok()?)?;
        last.is_none_or(|last| step > last).then_some(step)
    }

    /// The `otpauth://` URI that a QR code carries to the app.
    ///
    /// # Errors
    /// There is no account to name.
    pub fn uri(&self) -> Result<Zeroizing<String>, Failure> {
        self.0.to_url().map(Zeroizing::new).map_err(|_| Failure::invalid("the account has no name"))
    }

    /// The secret as it is typed where no camera is.
    #[must_use]
    pub fn base32(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.secret().to_base32())
    }
}
