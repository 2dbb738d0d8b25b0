//! A body that is judged after the head was, and before either goes on.

use std::rc::Rc;

use super::{RequestAction, Step, Trace, Verdict};
use crate::audit::{AuditRecord, Recording};
use crate::decision::{Decision, DenyReason};
use crate::input::{InputRules, Refused};
use crate::reply::Denial;

/// What a body has to pass.
#[derive(Clone, Debug)]
pub struct BodyGate {
    pub(super) rules: Rc<InputRules>,
    /// Whether there must be one.
    pub(super) required: bool,
    pub(super) dry_run: bool,
    pub(super) recording: Recording,
}

impl Verdict {
    /// Looks at how much of the body has come. Where that is too much, the verdict is final and says so.
    pub fn judge_size(&mut self, size: usize) {
        let Some(gate) = &self.body else { return };
        if let Err(refused) = gate.rules.check_size(size) {
            self.refuse_body(&refused);
        }
    }

    /// Judges the whole body, which may be empty. The verdict is final then.
    pub fn judge_body(&mut self, body: &[u8]) {
        self.trace_body(body, &mut ());
    }

    /// The same, for those who want to know why.
    pub fn trace_body(&mut self, body: &[u8], trace: &mut impl Trace) {
        let Some(gate) = &self.body else { return };
        let checked = gate.rules.check_body(body, gate.required);
        trace.step(Step::Input, checked.is_ok(), || super::explain::input(&checked));
        match checked {
            Ok(()) => self.finish(),
            Err(refused) => self.refuse_body(&refused),
        }
    }

    /// The client went, or the host lost the rest: what was never judged was not allowed.
    pub fn abandon_body(&mut self) {
        if self.body.is_some() {
            self.decide_otherwise(Decision::Deny(DenyReason::BodyIncomplete));
            self.finish();
        }
    }

    fn refuse_body(&mut self, refused: &Refused) {
        let reason = refused.reason();
        if self.body.as_ref().is_some_and(|gate| gate.dry_run) {
            self.decide_otherwise(Decision::DryRunDeny(reason));
        } else {
            self.decide_otherwise(Decision::Deny(reason));
            let denial = Denial {
                reason,
                authenticated: true,
                step_up: None,
                violations: refused.violations(),
                locked_for: None,
            };
            self.action = RequestAction::Reply(self.response.refuse(denial));
        }
        self.finish();
    }

    fn decide_otherwise(&mut self, decision: Decision) {
        self.decision = decision;
        self.audit = self.audit.take().map(|record: AuditRecord| record.decided(decision));
    }

    fn finish(&mut self) {
        let recorded = self.body.take().is_none_or(|gate| gate.recording.takes(self.decision));
        self.audit = self.audit.take().filter(|_| recorded);
    }
}
