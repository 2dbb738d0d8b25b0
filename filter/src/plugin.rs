//! The root context: from a configuration to a policy.

use std::cell::RefCell;
use std::rc::Rc;

use portcullis_engine::token::Proven;
use portcullis_engine::{Facts as _, Journal, Policy, UnixTime, Worker};
use proxy_wasm::traits::{Context, RootContext};

use crate::fetch::Fetcher;
use crate::host::{self, HostFacts};
use crate::http::{self, Request};
use crate::lockout;
use crate::metrics::{self, Metrics};
use crate::streams;

/// A policy in force, and what counts its decisions.
pub(crate) struct Plugin {
    pub(crate) policy: Policy,
    pub(crate) metrics: Metrics,
    pub(crate) worker: RefCell<Worker>,
    pub(crate) fetcher: RefCell<Fetcher>,
    pub(crate) journal: RefCell<Journal>,
}

impl Plugin {
    /// `None` where random numbers are needed and there are none.
    fn new(context: u32, policy: Policy) -> Option<Self> {
        let (mut id, mut seed) = ([0; 16], None);
        if policy.needs_randomness() {
            (id, seed) = (host::random()?, Some(host::random()?));
        }
        let journal = Journal::new(&policy, id);
        let proven = Proven::by(&HostFacts, &policy.algorithms_for_host());
        let mut worker = Worker::new(&policy, proven);
        if let Some(seed) = seed {
            worker.seed(u64::from_le_bytes(seed));
        }
        if policy.lockout().is_some() {
            worker.set_lockout_key(lockout::key());
        }
        let mut fetcher = Fetcher::new(context, &policy, journal.attention());
        fetcher.start(&policy, &mut worker);
        let metrics = Metrics::new(&policy);
        let (worker, fetcher, journal) = (RefCell::new(worker), RefCell::new(fetcher), RefCell::new(journal));
        Some(Self { policy, metrics, worker, fetcher, journal })
    }

    /// Writes what the journal has to say by now, or all that it has where it may be the last time.
    #[inline(never)]
    fn write_journal(&self, say: fn(&mut Journal, UnixTime) -> Vec<String>) {
        if let Ok(mut journal) = self.journal.try_borrow_mut()
            && journal.attention().is_some()
        {
            host::log_audit_lines(say(&mut journal, HostFacts.now()));
        }
    }

    /// Does something about fetched keys, then goes on with the requests that waited for it.
    fn fetching(
        &self,
        context: u32,
        act: impl FnOnce(&mut Fetcher, &Policy, &mut Worker, &Metrics) -> Vec<Rc<RefCell<Request>>>,
    ) {
        let released = {
            let (Ok(mut worker), Ok(mut fetcher)) = (self.worker.try_borrow_mut(), self.fetcher.try_borrow_mut())
            else {
                return;
            };
            act(&mut fetcher, &self.policy, &mut worker, &self.metrics)
        };
        for request in &released {
            http::resume(request);
        }
        if !released.is_empty() {
            // A root context is there as long as its callbacks run.
            let _ = host::act_as(context);
        }
    }
}

/// The root context; without a plugin, every request under it is refused.
pub(crate) struct Root {
    context: u32,
    plugin: Option<Rc<Plugin>>,
}

impl Root {
    pub(crate) fn new(context: u32) -> Self {
        streams::put_in_force(context, None);
        Self { context, plugin: None }
    }
}

/// The last request under a policy that was replaced has ended, or the worker ends.
impl Drop for Plugin {
    fn drop(&mut self) {
        self.write_journal(Journal::close);
    }
}

/// The host lets go of a root context whose configuration is replaced, and of the answers it waits for.
impl Drop for Root {
    fn drop(&mut self) {
        streams::withdraw(self.context);
        let Some(plugin) = &self.plugin else { return };
        if let Ok(mut fetcher) = plugin.fetcher.try_borrow_mut() {
            fetcher.abandon(&plugin.policy);
        }
        // Requests that are still under way have their records later.
        plugin.write_journal(Journal::close);
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, size: usize, _trailers: usize) {
        let Some(plugin) = &self.plugin else { return };
        plugin.fetching(self.context, |fetcher, policy, worker, metrics| {
            fetcher.answered((token, headers, size), policy, worker, metrics)
        });
    }
}

impl RootContext for Root {
    /// Takes a policy, or refuses it whole: then the host keeps what it has, or has nothing and lets nothing through.
    fn on_configure(&mut self, size: usize) -> bool {
        let policy = match Policy::load(&host::configuration(size), &host::secret) {
            Ok(policy) => policy,
            Err(errors) => {
                for error in &errors {
                    log::error!("policy: {error}");
                }
                log::error!(
                    "policy refused: {} errors; `portcullis policy check` shows them with their lines",
                    errors.len()
                );
                metrics::policy(false);
                return false;
            }
        };
        for warning in policy.warnings() {
            log::warn!("policy: {warning}");
        }
        let in_force = format!("policy {} is in force: {} routes", policy.digest(), policy.route_names().count());
        let Some(plugin) = Plugin::new(self.context, policy) else {
            log::error!("policy refused: `audit` asks for random numbers, and the host gives none");
            metrics::policy(false);
            return false;
        };
        log::info!("{in_force}");
        metrics::policy(true);
        let plugin = Rc::new(plugin);
        streams::put_in_force(self.context, Some(Rc::clone(&plugin)));
        if let Some(before) = self.plugin.replace(Rc::clone(&plugin)) {
            if let (Ok(mut old), Ok(mut new)) = (before.fetcher.try_borrow_mut(), plugin.fetcher.try_borrow_mut()) {
                old.abandon(&before.policy);
                new.take_over(&mut old);
            }
            before.write_journal(Journal::close);
        }
        true
    }

    fn on_tick(&mut self) {
        let Some(plugin) = &self.plugin else { return };
        plugin.fetching(self.context, Fetcher::tick);
        plugin.write_journal(Journal::due);
    }
}
