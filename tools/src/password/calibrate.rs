//! Picking a cost for a machine: as much as fits in a time, never less than is still recommended.

use std::time::Duration;

use super::Cost;

/// How often an estimate is corrected before settling for less than the time allows.
const ROUNDS: usize = 8;

/// What a calibration settled on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calibrated {
    /// The cost.
    pub cost: Cost,
    /// How long one hash of it took.
    pub took: Duration,
}

/// Finds the most iterations over the memory of `start` that stay within `target` (RFC 9106 section 4: fix the
/// memory, then take the passes the time allows). Where not even [`Cost::FLOOR`]'s iterations fit, memory is
/// halved, unless it was asked for; it never falls below the floor's.
///
/// # Errors
/// Whatever `measure` says.
pub fn calibrate<E>(
    start: Cost,
    memory_fixed: bool,
    target: Duration,
    mut measure: impl FnMut(Cost) -> Result<Duration, E>,
) -> Result<Calibrated, E> {
    let mut cost = Cost { iterations: Cost::FLOOR.iterations, ..start };
    let mut took = measure(cost)?;
    while took > target && !memory_fixed && cost.memory > Cost::FLOOR.memory {
        cost.memory = (cost.memory / 2).max(Cost::FLOOR.memory);
        took = measure(cost)?;
    }
    if took >= target {
        return Ok(Calibrated { cost, took });
    }
    // Time grows in proportion to the passes, so each estimate lands closer than the one before.
    let mut best = Calibrated { cost, took };
    let mut candidate = Cost { iterations: scaled(cost, took, target).min(cost.most_iterations()), ..cost };
    for _ in 0..ROUNDS {
        if candidate.iterations <= best.cost.iterations {
            break;
        }
        let took = measure(candidate)?;
        if took <= target {
            best = Calibrated { cost: candidate, took };
            break;
        }
        candidate.iterations = scaled(candidate, took, target).min(candidate.iterations - 1);
    }
    Ok(best)
}

/// The iterations that would fill the target, if time grows in proportion.
fn scaled(cost: Cost, took: Duration, target: Duration) -> u32 {
    let ratio = target.as_secs_f64() / took.as_secs_f64().max(1e-6);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and the cast saturates")]
    let iterations = (ratio * f64::from(cost.iterations)) as u32;
    iterations
}
