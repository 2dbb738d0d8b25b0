//! Whether the lines of a file are those that were written: every one, unchanged, in their order.
//!
//! Each chain is followed by itself, however many stand in one file and however many files one goes through. A line that
//! does not follow the one before is a suspect: the lines after it tell whether it was changed where it stands, does not
//! belong there, or follows something that is missing.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memchr::memmem;
use portcullis_engine::audit::{ChainKey, ChainMac, SealedLine};

use super::record::Record;
use super::seal::{self, Reached, State};
use super::source::{Lines, Source, object};
use crate::exit::Failure;
use crate::terminal::Bar;

mod finding;
mod follow;

pub use finding::{Finding, Findings, Place, Problem};
use follow::Followed;

#[cfg(test)]
mod tests;

/// More chains than workers and policies make in years.
const MAX_CHAINS: usize = 1_000_000;

/// How many checkpoints are kept that cannot be looked at yet.
const MAX_WAITING: usize = 200_000;

const MEBIBYTE: u64 = 1024 * 1024;

/// How it ended.
#[derive(Debug)]
pub struct Report {
    /// What is wrong, in the order of the files.
    pub findings: Findings,
    /// How many lines are links of a chain and good.
    pub sealed: u64,
    /// How many checkpoints are good.
    pub checkpoints: u64,
    /// How many checkpoints could not be looked at: the line they tell of is not here.
    pub unchecked: u64,
    /// Summaries of bursts, which need have no seal.
    pub summaries: u64,
    /// Records without a seal that were allowed.
    pub unsealed: u64,
    /// How far each chain had come, by its id.
    pub chains: Vec<Reached>,
}

impl Report {
    /// Whether nothing is wrong, and something was sealed at all.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.findings.count == 0 && !self.chains.is_empty()
    }
}

/// A checkpoint that cannot be looked at yet, for the line it tells of comes later or came long before.
struct Waiting {
    place: Place,
    body: Vec<u8>,
    mac: ChainMac,
}

impl Waiting {
    fn fits(&self, key: &ChainKey, chain: &str, seq: u64, reached: &ChainMac) -> bool {
        SealedLine { chain, seq, mac: self.mac, body: &self.body }.follows(key, reached)
    }
}

/// What there is to verify with.
pub struct Verifier {
    key: ChainKey,
    state: Option<State>,
    allow_unsealed: bool,
    chains: HashMap<String, Followed>,
    early: HashMap<(String, u64), Vec<Waiting>>,
    late: HashMap<(String, u64), Vec<Waiting>>,
    waiting: usize,
    first_timestamp: Option<String>,
    report: Report,
}

impl Verifier {
    /// With the key of the chains, and what an earlier run sealed.
    #[must_use]
    pub fn new(key: ChainKey, state: Option<State>, allow_unsealed: bool) -> Self {
        let report = Report {
            findings: Findings::default(),
            sealed: 0,
            checkpoints: 0,
            unchecked: 0,
            summaries: 0,
            unsealed: 0,
            chains: Vec::new(),
        };
        Self {
            key,
            state,
            allow_unsealed,
            chains: HashMap::new(),
            early: HashMap::new(),
            late: HashMap::new(),
            waiting: 0,
            first_timestamp: None,
            report,
        }
    }

    /// Verifies files in this order.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn run(mut self, sources: &[Source], mut bar: Bar) -> Result<Report, Failure> {
        bar.begin(sources.iter().filter_map(|source| source.size).sum::<u64>() / MEBIBYTE);
        let read = Arc::new(AtomicU64::new(0));
        each_line(sources, &read, |place, text| {
            bar.at(read.load(Ordering::Relaxed) / MEBIBYTE);
            self.line(place, text)
        })?;
        self.look_back(sources, &read)?;
        Ok(self.finish())
    }

    /// Takes the next line.
    fn line(&mut self, place: Place, text: &[u8]) -> Result<(), Failure> {
        let whole = object(text).unwrap_or(text);
        match SealedLine::parse(whole) {
            None => self.unsealed(place, whole),
            Some(sealed) => {
                if self.chains.len() >= MAX_CHAINS && !self.chains.contains_key(sealed.chain) {
                    return Err(Failure::invalid(format!("more than {MAX_CHAINS} chains"))
                        .remedy("verify fewer files at once, each with the state of those before (--since)"));
                }
                let timestamp = seal::timestamp(sealed.body);
                if self.first_timestamp.is_none() && !sealed.is_checkpoint() {
                    self.first_timestamp = timestamp.map(str::to_owned);
                }
                if sealed.is_checkpoint() {
                    self.checkpoint(place, &sealed);
                } else {
                    self.link(place, &sealed, timestamp.unwrap_or_default());
                }
            }
        }
        Ok(())
    }

    fn unsealed(&mut self, place: Place, text: &[u8]) {
        if let Some(record) = Record::parse(text) {
            if record.is_summary() {
                self.report.summaries = self.report.summaries.saturating_add(1);
            } else if self.allow_unsealed {
                self.report.unsealed = self.report.unsealed.saturating_add(1);
            } else {
                self.report.findings.add(Finding::of_line(place, Problem::Unsealed));
            }
        } else if text.starts_with(b"{\"timestamp\":\"")
            || memmem::find(text, b"\"mac\":\"").is_some()
            // Another reader may take it for a record: one that goes by the last of two members of a name, for example.
            || memmem::find(text, b"\"decision\"").is_some() && memmem::find(text, b"\"reason\"").is_some()
        {
            self.report.findings.add(Finding::of_line(place, Problem::Broken));
        }
    }

    fn link(&mut self, place: Place, sealed: &SealedLine<'_>, timestamp: &str) {
        let Self { key, chains, report, state, .. } = self;
        if !chains.contains_key(sealed.chain) {
            // Files from before the state begin where the chain does; later ones go on from it.
            let known = state.as_ref().and_then(|state| state.find(sealed.chain));
            let start = known.filter(|known| sealed.seq > known.seq);
            chains.insert(sealed.chain.to_owned(), Followed::new(start));
        }
        let Some(chain) = chains.get_mut(sealed.chain) else { return };
        let before = chain.seq;
        chain.take(key, place, sealed, &mut report.findings);
        chain.saw(timestamp);
        if chain.seq != before {
            self.reached(sealed.chain);
        }
    }

    /// Looks at what waited for a line that has come now.
    fn reached(&mut self, id: &str) {
        let Some(chain) = self.chains.get(id) else { return };
        let (seq, mac) = (chain.seq, chain.mac);
        let known = self.state.as_ref().and_then(|state| state.find(id));
        if known.is_some_and(|known| known.seq == seq && known.mac != mac) {
            let finding =
                Finding { place: chain.place, chain: Some(id.to_owned()), seq: Some(seq), problem: Problem::Other };
            self.report.findings.add(finding);
        }
        if self.early.is_empty() {
            return;
        }
        for waiting in self.early.remove(&(id.to_owned(), seq)).unwrap_or_default() {
            self.waiting = self.waiting.saturating_sub(1);
            let good = waiting.fits(&self.key, id, seq, &mac);
            self.judge_checkpoint(good, waiting.place, id, seq);
        }
    }

    fn judge_checkpoint(&mut self, good: bool, place: Place, chain: &str, seq: u64) {
        if good {
            self.report.checkpoints = self.report.checkpoints.saturating_add(1);
        } else {
            self.report.findings.add(Finding::new(place, chain, seq, Problem::Checkpoint));
        }
    }

    fn checkpoint(&mut self, place: Place, sealed: &SealedLine<'_>) {
        if let Some(reached) = seal::pruned(sealed) {
            return self.pruned(place, sealed, &reached);
        }
        let chain = self.chains.get_mut(sealed.chain);
        let seq = chain.as_ref().map_or(0, |chain| chain.seq);
        if let Some(chain) = chain {
            if chain.checkpoint == Some((sealed.seq, sealed.mac)) {
                return self.report.findings.add(Finding::new(place, sealed.chain, sealed.seq, Problem::Repeated));
            }
            chain.checkpoint = Some((sealed.seq, sealed.mac));
            if sealed.seq == seq {
                let good = sealed.follows(&self.key, &chain.mac);
                return self.judge_checkpoint(good, place, sealed.chain, seq);
            }
        }
        if self.waiting >= MAX_WAITING {
            self.report.unchecked = self.report.unchecked.saturating_add(1);
            return;
        }
        self.waiting = self.waiting.saturating_add(1);
        let waiting = Waiting { place, body: sealed.body.to_vec(), mac: sealed.mac };
        let list = if sealed.seq > seq { &mut self.early } else { &mut self.late };
        list.entry((sealed.chain.to_owned(), sealed.seq)).or_default().push(waiting);
    }

    /// What stands for the lines that were pruned: only at the head of a chain.
    fn pruned(&mut self, place: Place, sealed: &SealedLine<'_>, reached: &ChainMac) {
        let good = sealed.follows(&self.key, reached);
        if good {
            let chain = self.chains.entry(sealed.chain.to_owned()).or_insert_with(|| Followed::new(None));
            if chain.is_untouched() && sealed.seq > chain.seq {
                (chain.seq, chain.mac) = (sealed.seq, *reached);
            } else if sealed.seq > chain.seq {
                return self.report.findings.add(Finding::new(place, sealed.chain, sealed.seq, Problem::Inserted));
            }
        }
        self.judge_checkpoint(good, place, sealed.chain, sealed.seq);
        self.reached(sealed.chain);
    }

    /// Looks for the lines that late checkpoints tell of, which takes a second look at the files.
    fn look_back(&mut self, sources: &[Source], read: &Arc<AtomicU64>) -> Result<(), Failure> {
        if self.late.is_empty() || !sources.iter().all(Source::is_regular) {
            return Ok(());
        }
        let mut late = std::mem::take(&mut self.late);
        each_line(sources, read, |_, text| {
            if let Some(sealed) = SealedLine::parse(object(text).unwrap_or(text)).filter(|line| !line.is_checkpoint()) {
                for waiting in late.remove(&(sealed.chain.to_owned(), sealed.seq)).unwrap_or_default() {
                    let good = waiting.fits(&self.key, sealed.chain, sealed.seq, &sealed.mac);
                    self.judge_checkpoint(good, waiting.place, sealed.chain, sealed.seq);
                }
            }
            Ok(())
        })?;
        self.late = late;
        Ok(())
    }

    fn finish(mut self) -> Report {
        let mut ids: Vec<String> = self.chains.keys().cloned().collect();
        ids.sort_unstable();
        for id in &ids {
            while let Some(chain) = self.chains.get_mut(id).filter(|chain| chain.has_suspects()) {
                chain.settle(&self.key, id, &mut self.report.findings);
                self.reached(id);
            }
            let Some(chain) = self.chains.get_mut(id) else { continue };
            chain.report_gaps(id, &mut self.report.findings);
            self.report.sealed = self.report.sealed.saturating_add(chain.good);
        }
        self.report_ends();
        let Self { chains, mut report, early, late, .. } = self;
        let passed = |(key, waiting): (&(String, u64), &Vec<Waiting>)| {
            let came = chains.get(&key.0).is_some_and(|chain| chain.seq >= key.1);
            if came { waiting.len() } else { 0 }
        };
        let left = late.values().map(Vec::len).chain(early.iter().map(passed)).fold(0, usize::saturating_add);
        report.unchecked = report.unchecked.saturating_add(u64::try_from(left).unwrap_or(u64::MAX));
        report.chains = chains.into_iter().map(|(id, chain)| chain.into_reached(id)).collect();
        report.chains.sort_unstable_by(|a, b| a.chain.cmp(&b.chain));
        report.findings.sort();
        report
    }

    /// Says of which chains the end is missing: a checkpoint or the state knows of more.
    fn report_ends(&mut self) {
        let mut ends: HashMap<&str, (u64, Option<Place>)> = HashMap::new();
        for ((chain, seq), waiting) in &self.early {
            let end = ends.entry(chain).or_default();
            if *seq > end.0 {
                *end = (*seq, waiting.first().map(|waiting| waiting.place));
            }
        }
        let first = self.first_timestamp.as_deref().unwrap_or_default();
        for known in self.state.iter().flat_map(State::chains) {
            // A chain that had ended before these files begin is in none of them.
            let seen = self.chains.contains_key(&known.chain);
            if seen || (!first.is_empty() && known.last.as_str() >= first) {
                let end = ends.entry(&known.chain).or_default();
                if known.seq > end.0 {
                    *end = (known.seq, None);
                }
            }
        }
        for (id, (reached, told)) in ends {
            let (seq, last) = self.chains.get(id).map_or((0, None), |chain| (chain.seq, chain.place));
            if reached > seq {
                let problem = Problem::CutOff { reached, told };
                let finding = Finding { place: last.or(told), chain: Some(id.to_owned()), seq: Some(seq), problem };
                self.report.findings.add(finding);
            }
        }
    }
}

/// Goes through the lines of files in order.
///
/// # Errors
/// One cannot be read, or what `each` says.
pub fn each_line(
    sources: &[Source],
    read: &Arc<AtomicU64>,
    mut each: impl FnMut(Place, &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for (file, source) in sources.iter().enumerate() {
        let mut lines = Lines::new(source.open(read)?);
        while let Some(line) = lines.next_line().map_err(|error| source.unreadable(&error))? {
            each(Place { file, line: line.number }, line.text)?;
        }
    }
    Ok(())
}
