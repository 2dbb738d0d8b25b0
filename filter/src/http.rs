//! The HTTP context: each callback asks the engine and carries out what it says.

use std::rc::Rc;

use portcullis_engine::{AuditRecord, RequestAction, ResponsePlan, failure_reply};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::host::{self, HostFacts};
use crate::plugin::Plugin;

/// One request.
pub(crate) struct Http {
    plugin: Option<Rc<Plugin>>,
    response: Option<ResponsePlan>,
    record: Option<AuditRecord>,
    /// The status sent, as far as it passed through here.
    status: Option<u16>,
    /// The response is our own, complete as it was sent.
    replied: bool,
}

fn status_of(headers: &portcullis_engine::Headers) -> Option<u16> {
    let (_, value) = headers.iter().find(|(name, _)| name == ":status")?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

impl Http {
    pub(crate) const fn new(plugin: Option<Rc<Plugin>>) -> Self {
        Self { plugin, response: None, record: None, status: None, replied: false }
    }

    fn reply(&mut self, reply: &portcullis_engine::LocalReply) -> Action {
        self.replied = true;
        self.status = Some(reply.status);
        host::reply(reply);
        Action::Pause
    }

    /// What the engine cannot foresee: the host refuses a call. Never a pass.
    fn fail(&mut self, what: &str, status: proxy_wasm::types::Status) -> Action {
        log::error!("{what}: {status:?}");
        self.record = self.record.take().map(AuditRecord::failed);
        self.reply(&failure_reply(500))
    }
}

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let Some(plugin) = self.plugin.clone() else { return self.reply(&failure_reply(503)) };
        let headers = match host::request_headers() {
            Ok(headers) => headers,
            Err(status) => return self.fail("cannot read the request's headers", status),
        };
        // One callback runs at a time, and the cache is held for the length of this one: it cannot be taken.
        let Ok(mut cache) = plugin.cache.try_borrow_mut() else { return self.reply(&failure_reply(500)) };
        let verdict = plugin.policy.decide(&headers, &HostFacts, &mut cache, &mut ());
        plugin.metrics.decided(verdict.decision);
        plugin.metrics.cache_asked(cache.take_counts());
        self.response = Some(verdict.response);
        self.record = verdict.audit;
        match verdict.action {
            RequestAction::Reply(reply) => self.reply(&reply),
            RequestAction::Continue(edits) => match host::edit_request(&headers, &edits) {
                Ok(()) => Action::Continue,
                Err(status) => self.fail("cannot edit the request's headers", status),
            },
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        if self.replied {
            return Action::Continue;
        }
        let Some(plan) = &self.response else { return Action::Continue };
        let headers = match host::response_headers() {
            Ok(headers) => headers,
            Err(status) => return self.fail("cannot read the response's headers", status),
        };
        self.status = status_of(&headers);
        if let Some(reply) = self.status.and_then(|status| plan.hide_upstream_error(status, &headers)) {
            return self.reply(&reply);
        }
        match host::edit_response(&headers, &plan.edits(&headers)) {
            Ok(()) => Action::Continue,
            Err(status) => self.fail("cannot edit the response's headers", status),
        }
    }

    fn on_log(&mut self) {
        let (Some(plugin), Some(record)) = (&self.plugin, self.record.take()) else { return };
        let sinks = plugin.policy.sinks();
        let line = record.line(self.status.or_else(host::response_code));
        if sinks.access_log {
            host::leave_audit_record(&line);
        }
        if sinks.log {
            log::info!("{line}");
        }
    }
}
