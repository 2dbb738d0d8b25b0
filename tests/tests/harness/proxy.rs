//! A real Envoy with the module in it, started for one test and killed with it.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::agreement::Agreement;
use super::audit::Audit;
use super::bootstrap::{Delivery, Form, Listener, Shape};
use super::client::{Client, Request, Response, fetch};
use super::tls::Certificate;
use super::upstream::Upstream;
use super::{eventually, paths};

/// An Envoy to be.
pub struct Setup {
    upstream: SocketAddr,
    clusters: Vec<(String, SocketAddr)>,
    listeners: Vec<Listener>,
    delivery: Delivery,
    normalize: bool,
    stop_iteration: bool,
    request_timeout: Option<&'static str>,
    trace: bool,
    concurrency: u32,
    clock: Option<i64>,
    environment: Vec<(String, String)>,
    host_environment: Vec<(String, String)>,
    denied: Option<String>,
    module: Option<PathBuf>,
    drain_time: Option<&'static str>,
    cluster_fields: Value,
    certificate: Option<Certificate>,
}

impl Setup {
    pub fn before(upstream: &Upstream) -> Self {
        Self {
            upstream: upstream.address,
            clusters: Vec::new(),
            listeners: Vec::new(),
            delivery: Delivery::Static,
            normalize: false,
            stop_iteration: false,
            request_timeout: None,
            trace: false,
            concurrency: 1,
            clock: None,
            environment: Vec::new(),
            host_environment: Vec::new(),
            denied: None,
            module: None,
            drain_time: None,
            cluster_fields: Value::Null,
            certificate: None,
        }
    }

    /// Adds a cluster of one server, for the module to call.
    pub fn cluster(mut self, name: &str, address: SocketAddr) -> Self {
        self.clusters.push((name.to_owned(), address));
        self
    }

    /// Adds a listener with the filter under `policy`.
    pub fn policy(self, name: &str, policy: &Value) -> Self {
        self.listener(name, Some(policy.to_string()), Form::Text)
    }

    /// The same, configured as a `Struct`.
    pub fn policy_struct(self, name: &str, policy: &Value) -> Self {
        self.listener(name, Some(policy.to_string()), Form::Struct)
    }

    /// Adds a listener whose policy is this text, right or wrong.
    pub fn policy_text(self, name: &str, policy: &str) -> Self {
        self.listener(name, Some(policy.to_owned()), Form::Text)
    }

    /// Adds a listener without the filter.
    pub fn bare(self, name: &str) -> Self {
        self.listener(name, None, Form::Text)
    }

    /// Gives the connection manager of the listener added last these fields of its own; its `http_filters` stand
    /// behind the filter, if there is one, and before the router.
    pub fn manager(mut self, manager: &Value) -> Self {
        self.listeners.last_mut().expect("no listener").manager = Some(manager.clone());
        self
    }

    fn listener(mut self, name: &str, policy: Option<String>, form: Form) -> Self {
        self.listeners.push(Listener { name: name.to_owned(), policy, form, manager: None });
        self
    }

    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// Has Envoy answer 408 to a request that is not whole by then.
    pub fn request_timeout(mut self, timeout: &'static str) -> Self {
        self.request_timeout = Some(timeout);
        self
    }

    /// Turns Envoy's own path normalisation on.
    pub fn normalize(mut self) -> Self {
        self.normalize = true;
        self
    }

    /// Lets bodies reach the module while it holds their heads back (`allow_on_headers_stop_iteration`).
    pub fn stop_iteration(mut self) -> Self {
        self.stop_iteration = true;
        self
    }

    /// Has Envoy log all that the module does.
    pub fn trace(mut self) -> Self {
        self.trace = true;
        self
    }

    pub fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// Stops Envoy's wall clock at `seconds` since 1970.
    pub fn clock(mut self, seconds: i64) -> Self {
        self.clock = Some(seconds);
        self
    }

    /// Gives the module an environment variable in the configuration.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Gives Envoy an environment variable and lets the module see it.
    pub fn host_env(mut self, name: &str, value: &str) -> Self {
        self.host_environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Denies the module one capability, such as a call to the host, of all that it uses.
    pub fn deny_capability(mut self, name: &str) -> Self {
        self.denied = Some(name.to_owned());
        self
    }

    /// Serves another module than the one under test.
    pub fn module(mut self, module: PathBuf) -> Self {
        self.module = Some(module);
        self
    }

    /// Has Envoy take this many seconds to drain, and say so in every answer at once.
    pub fn drain_time(mut self, seconds: &'static str) -> Self {
        self.drain_time = Some(seconds);
        self
    }

    /// Gives the upstream's cluster these fields of its own.
    pub fn cluster_fields(mut self, fields: &Value) -> Self {
        self.cluster_fields = fields.clone();
        self
    }

    /// Has every listener speak TLS, which the client of this harness does not.
    pub fn tls(mut self, certificate: Certificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Starts it and waits until it serves.
    #[track_caller]
    pub fn start(self) -> Proxy {
        self.launch().unwrap_or_else(|log| panic!("Envoy did not start:\n{}", tail(&log)))
    }

    /// The same, giving back Envoy's log when it refuses to start.
    pub fn launch(self) -> Result<Proxy, String> {
        let folder = tempfile::tempdir().unwrap();
        let module = self
            .listeners
            .iter()
            .any(|listener| listener.policy.is_some())
            .then(|| self.module.clone().unwrap_or_else(paths::module));
        let capabilities = self.denied.as_ref().map(|denied| {
            let mut used = super::module::capabilities();
            used.retain(|name| name != denied);
            used
        });
        let admin = "127.0.0.1:0".parse().unwrap();
        let mut proxy = Proxy { child: None, folder, module, capabilities, admin, setup: self };
        proxy.write_config();
        proxy.child = Some(proxy.spawn());
        proxy.await_ready()?;
        Ok(proxy)
    }
}

/// A running Envoy.
pub struct Proxy {
    child: Option<Child>,
    folder: TempDir,
    module: Option<PathBuf>,
    capabilities: Option<Vec<String>>,
    admin: SocketAddr,
    setup: Setup,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may be gone already; either way nothing is left to do.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- the end of Envoy's log ---\n{}", tail(&self.log()));
        }
    }
}

impl Proxy {
    /// Where `listener` accepts connections.
    #[track_caller]
    pub fn address(&self, listener: &str) -> SocketAddr {
        self.find_address(listener).unwrap_or_else(|| panic!("no listener `{listener}`"))
    }

    /// The same, `None` while there is no such listener.
    pub fn find_address(&self, listener: &str) -> Option<SocketAddr> {
        let answer = self.admin("GET", "/listeners?format=json").json();
        let statuses = answer["listener_statuses"].as_array()?;
        let status = statuses.iter().find(|status| status["name"] == listener)?;
        let socket = &status["local_address"]["socket_address"];
        format!("{}:{}", socket["address"].as_str()?, socket["port_value"]).parse().ok()
    }

    pub fn client(&self, listener: &str) -> Client {
        Client::new(self.address(listener))
    }

    /// The audit records of `listener`, from its first request on.
    pub fn audit(&self, listener: &str) -> Audit {
        Audit::follow(self.shape().access_log(listener))
    }

    /// `policy explain` under the policy of `listener`.
    pub fn agreement(&self, listener: &str) -> Option<Agreement> {
        let listener = self.setup.listeners.iter().find(|found| found.name == listener)?;
        let environment = self.setup.environment.iter().chain(&self.setup.host_environment).cloned().collect();
        Agreement::under(listener.policy.as_ref()?, environment, self.setup.clock)
    }

    pub fn admin(&self, method: &str, target: &str) -> Response {
        fetch(self.admin, &Request::new(method, target))
    }

    /// Envoy's Prometheus page as `envoy/observability/prometheus.yaml` asks for it.
    pub fn page(&self) -> String {
        self.admin("GET", "/stats/prometheus?text_readouts=").text()
    }

    /// Envoy's Prometheus page: every sample by its name and labels.
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        self.page()
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect()
    }

    /// The sum of all samples whose name, without labels, is `name`; 0 when there is none.
    pub fn metric(&self, name: &str) -> f64 {
        let named = |sample: &str| sample.split('{').next() == Some(name);
        self.metrics().iter().filter(|(sample, _)| named(sample)).map(|(_, value)| value).sum()
    }

    /// Envoy's own counters and gauges, under the dotted names of `/stats`.
    pub fn stats(&self) -> BTreeMap<String, u64> {
        let page = self.admin("GET", "/stats").text();
        page.lines()
            .filter_map(|line| line.split_once(": "))
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect()
    }

    /// Requests of `listener` that are not answered yet.
    pub fn in_flight(&self, listener: &str) -> u64 {
        let name = format!("http.{listener}.downstream_rq_active");
        *self.stats().get(&name).unwrap_or_else(|| panic!("Envoy has no `{name}`"))
    }

    /// Every virtual machine that failed or was made anew: all 0 on a healthy proxy.
    pub fn vm_failures(&self) -> BTreeMap<String, u64> {
        let mut stats = self.stats();
        stats.retain(|name, _| name.starts_with("wasm.") && name.contains("vm_reload"));
        assert!(!stats.is_empty(), "Envoy counts no reloads: the check would prove nothing");
        stats.retain(|_, count| *count > 0);
        stats
    }

    /// Envoy's process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Bytes of memory that Envoy has, as the kernel counts them.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// Files and connections that Envoy has open.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// Sends SIGTERM and waits for the end.
    pub fn terminate(&mut self) -> ExitStatus {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        eventually("Envoy's end", || self.child.as_mut()?.try_wait().unwrap())
    }

    /// The lines of `listener`'s access log, of which those that are `-` have no record.
    pub fn log_lines(&self, listener: &str) -> Vec<String> {
        let log = std::fs::read_to_string(self.shape().access_log(listener)).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// All that Envoy has logged so far.
    pub fn log(&self) -> String {
        std::fs::read(self.log_path()).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    /// Every file the proxy wrote while serving: its log and its access logs.
    pub fn written(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = vec![self.log_path()];
        files.extend(self.setup.listeners.iter().map(|listener| self.shape().access_log(&listener.name)));
        files.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap_or_default())).collect()
    }

    /// Puts another policy in the place of `listener`'s, the way `Delivery` says. Envoy
    /// takes it in its own time: await what tells that it did.
    pub fn replace_policy(&mut self, listener: &str, policy: &str) {
        let place = self.setup.listeners.iter_mut().find(|found| found.name == listener);
        place.expect("no such listener").policy = Some(policy.to_owned());
        self.write_dynamic();
    }

    /// Puts another module in the place of the one that serves, as `replace_policy` does a policy.
    pub fn replace_module(&mut self, module: &Path) {
        self.module = Some(module.to_path_buf());
        self.write_dynamic();
    }

    fn shape(&self) -> Shape<'_> {
        Shape {
            folder: self.folder.path(),
            module: self.module.as_deref(),
            upstream: self.setup.upstream,
            clusters: &self.setup.clusters,
            delivery: self.setup.delivery,
            normalize: self.setup.normalize,
            stop_iteration: self.setup.stop_iteration,
            request_timeout: self.setup.request_timeout,
            environment: &self.setup.environment,
            host_environment: &self.setup.host_environment,
            capabilities: self.capabilities.as_deref(),
            cluster_fields: &self.setup.cluster_fields,
            certificate: self.setup.certificate.as_ref(),
        }
    }

    fn write_config(&self) {
        let bootstrap = self.shape().bootstrap(&self.setup.listeners);
        std::fs::write(self.bootstrap_path(), bootstrap.to_string()).unwrap();
        self.write_dynamic();
    }

    fn write_dynamic(&self) {
        let shape = self.shape();
        match self.setup.delivery {
            Delivery::Static => {}
            Delivery::Lds => self.move_in(&shape.lds_path(), &shape.lds(&self.setup.listeners)),
            Delivery::Ecds => {
                for listener in &self.setup.listeners {
                    self.move_in(&shape.ecds_path(listener), &shape.ecds(listener));
                }
            }
        }
    }

    /// Renames a whole new file over the old one: Envoy sees one or the other.
    fn move_in(&self, path: &Path, value: &Value) {
        let new = path.with_extension("new");
        std::fs::write(&new, value.to_string()).unwrap();
        std::fs::rename(new, path).unwrap();
    }

    fn spawn(&self) -> Child {
        let log = File::create(self.log_path()).unwrap();
        let mut command = Command::new(paths::envoy());
        command
            .arg("--config-path")
            .arg(self.bootstrap_path())
            .arg("--admin-address-path")
            .arg(self.admin_path())
            .args(["--concurrency", &self.setup.concurrency.to_string()])
            .args(["--disable-hot-restart", "--file-flush-interval-msec", "5", "--log-level", "info"])
            .envs(self.setup.host_environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        if self.setup.trace {
            command.args(["--component-log-level", "wasm:trace"]);
        }
        if let Some(seconds) = self.setup.drain_time {
            command.args(["--drain-time-s", seconds, "--drain-strategy", "immediate"]);
        }
        if let Some(seconds) = self.setup.clock {
            super::clock::stop(&mut command, self.folder.path(), seconds);
        }
        command.spawn().unwrap_or_else(|error| panic!("{}: {error}", paths::envoy().display()))
    }

    fn await_ready(&mut self) -> Result<(), String> {
        let answer = eventually("Envoy's readiness", || {
            if self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_some()) {
                return Some(Err(self.log()));
            }
            let address = std::fs::read_to_string(self.admin_path()).ok()?.parse().ok()?;
            let ready = Client::new(address).try_send(&Request::get("/ready")).ok()?;
            (ready.status == 200).then_some(Ok(address))
        });
        self.admin = answer?;
        Ok(())
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("envoy.log")
    }

    fn admin_path(&self) -> PathBuf {
        self.folder.path().join("admin.txt")
    }

    fn bootstrap_path(&self) -> PathBuf {
        self.folder.path().join("bootstrap.json")
    }
}

/// The last lines that are not Envoy's talk of itself.
fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().filter(|line| !line.contains("][info]") || line.contains("[wasm]")).collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
