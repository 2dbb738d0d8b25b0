//! The root context: from a configuration to a policy.

use std::cell::RefCell;
use std::rc::Rc;

use portcullis_engine::{Policy, TokenCache};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use crate::host;
use crate::http::Http;
use crate::metrics::{self, Metrics};

/// A policy in force, and what counts its decisions.
pub(crate) struct Plugin {
    pub(crate) policy: Policy,
    pub(crate) metrics: Metrics,
    pub(crate) cache: RefCell<TokenCache>,
}

/// The root context; without a plugin, every request is refused.
#[derive(Default)]
pub(crate) struct Root {
    plugin: Option<Rc<Plugin>>,
}

impl Context for Root {}

impl RootContext for Root {
    /// Takes a policy, or refuses it whole: then the host keeps what it has, or has nothing and lets nothing through.
    fn on_configure(&mut self, size: usize) -> bool {
        match Policy::load(&host::configuration(size), &host::secret) {
            Ok(policy) => {
                for warning in policy.warnings() {
                    log::warn!("policy: {warning}");
                }
                log::info!("policy {} is in force: {} routes", policy.digest(), policy.route_names().count());
                metrics::policy(true);
                let metrics = Metrics::new(policy.stat_prefix());
                let cache = RefCell::new(TokenCache::new(policy.cache_limits()));
                self.plugin = Some(Rc::new(Plugin { policy, metrics, cache }));
                true
            }
            Err(errors) => {
                for error in &errors {
                    log::error!("policy: {error}");
                }
                log::error!(
                    "policy refused: {} errors; `portcullis policy check` shows them with their lines",
                    errors.len()
                );
                metrics::policy(false);
                false
            }
        }
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Http::new(self.plugin.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
