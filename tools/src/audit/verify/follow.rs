//! One chain, followed from line to line.

use std::collections::VecDeque;

use portcullis_engine::audit::{BEFORE_FIRST, ChainKey, ChainMac, SealedLine};

use super::finding::{Finding, Findings, Place, Problem};
use crate::audit::seal::Reached;

/// How many lines in a row may be wrong before the oldest is judged without what comes after.
const MAX_SUSPECTS: usize = 8;

/// How many gaps of a chain wait for lines that turn up elsewhere.
const MAX_GAPS: usize = 1_000;

/// A line that does not follow the one before.
struct Suspect {
    place: Place,
    seq: u64,
    mac: ChainMac,
    body: Vec<u8>,
    /// How far the chain had come when it turned up, and what its MAC would be if only that was changed.
    after: u64,
    own: ChainMac,
}

impl Suspect {
    fn follows(&self, key: &ChainKey, before: &ChainMac) -> bool {
        SealedLine { chain: "", seq: self.seq, mac: self.mac, body: &self.body }.follows(key, before)
    }
}

/// Lines that are missing so far.
struct Gap {
    from: u64,
    to: u64,
    /// The MAC of the line before.
    before: ChainMac,
    /// The line after: it cannot be judged as long as these are missing.
    next: Suspect,
}

/// How a suspect came to be one, as a line after it shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// It stands for the place it gives, with the MAC it gives.
    Text,
    /// It was the next, with the MAC it gives and another place.
    Place,
    /// It was the next, with another MAC.
    Mac,
}

/// A chain as far as it was followed.
pub struct Followed {
    /// The place of its last line.
    pub seq: u64,
    /// Its MAC.
    pub mac: ChainMac,
    /// Where it stands.
    pub place: Option<Place>,
    /// How many lines are good.
    pub good: u64,
    /// The checkpoint seen last.
    pub checkpoint: Option<(u64, ChainMac)>,
    last: String,
    seen: bool,
    suspects: VecDeque<Suspect>,
    gaps: Vec<Gap>,
}

impl Followed {
    /// A chain from its beginning, or from where it is known to have come.
    pub fn new(start: Option<&Reached>) -> Self {
        Self {
            seq: start.map_or(0, |start| start.seq),
            mac: start.map_or(BEFORE_FIRST, |start| start.mac),
            place: None,
            good: 0,
            checkpoint: None,
            last: String::new(),
            seen: false,
            suspects: VecDeque::new(),
            gaps: Vec::new(),
        }
    }

    /// Whether none of its lines was seen yet.
    pub const fn is_untouched(&self) -> bool {
        !self.seen
    }

    /// Keeps the latest time.
    pub fn saw(&mut self, timestamp: &str) {
        if timestamp > self.last.as_str() {
            timestamp.clone_into(&mut self.last);
        }
    }

    /// Takes the next line.
    pub fn take(&mut self, key: &ChainKey, place: Place, line: &SealedLine<'_>, findings: &mut Findings) {
        self.seen = true;
        if line.seq == self.seq.saturating_add(1) && line.follows(key, &self.mac) {
            self.go_to(line.seq, line.mac, place);
            return self.catch_up(key, line.chain, findings);
        }
        if self.fills_gap(key, place, line, findings) {
            return;
        }
        if let Some((index, at, cause)) = self.explained_by(key, line) {
            self.believe(key, line.chain, index, at, cause, findings);
            self.go_to(line.seq, line.mac, place);
            return self.catch_up(key, line.chain, findings);
        }
        let own = key.link(&self.mac, line.body);
        let body = line.body.to_vec();
        self.suspects.push_back(Suspect { place, seq: line.seq, mac: line.mac, body, after: self.seq, own });
        if self.suspects.len() > MAX_SUSPECTS {
            self.settle(key, line.chain, findings);
        }
    }

    const fn go_to(&mut self, seq: u64, mac: ChainMac, place: Place) {
        (self.seq, self.mac, self.place) = (seq, mac, Some(place));
        self.good = self.good.saturating_add(1);
    }

    /// Whether this is the first line of a gap.
    fn fills_gap(&mut self, key: &ChainKey, place: Place, line: &SealedLine<'_>, findings: &mut Findings) -> bool {
        let fits = |gap: &Gap| gap.from == line.seq && line.follows(key, &gap.before);
        let Some(index) = self.gaps.iter().position(fits) else { return false };
        findings.add(Finding::new(place, line.chain, line.seq, Problem::OutOfOrder));
        self.good = self.good.saturating_add(1);
        if let Some(gap) = self.gaps.get_mut(index) {
            (gap.from, gap.before) = (gap.from.saturating_add(1), line.mac);
            if gap.from <= gap.to {
                return true;
            }
        }
        // All of them are here: the line after them can be judged now.
        let Gap { before, next, .. } = self.gaps.swap_remove(index);
        if !next.follows(key, &before) {
            findings.add(Finding::new(next.place, line.chain, next.seq, Problem::Changed));
        }
        true
    }

    /// The suspect that this line follows, the place it stood for, and what was wrong with it.
    fn explained_by(&self, key: &ChainKey, line: &SealedLine<'_>) -> Option<(usize, u64, Cause)> {
        let next = self.seq.saturating_add(1);
        self.suspects.iter().enumerate().rev().find_map(|(index, suspect)| {
            let ways = [
                (suspect.seq, suspect.mac, Cause::Text),
                (next, suspect.mac, Cause::Place),
                (next, suspect.own, Cause::Mac),
            ];
            let fits = |(at, mac, _): &(u64, ChainMac, Cause)| {
                *at > self.seq && line.seq == at.saturating_add(1) && line.follows(key, mac)
            };
            ways.into_iter().find(fits).map(|(at, _, cause)| (index, at, cause))
        })
    }

    /// Goes on from a suspect that a later line speaks for.
    fn believe(&mut self, key: &ChainKey, chain: &str, index: usize, at: u64, cause: Cause, findings: &mut Findings) {
        // Those before it go by what they say, as far as that is before it.
        for _ in 0..index {
            if self.suspects.front().is_some_and(|older| older.seq < at) {
                self.settle(key, chain, findings);
            } else if let Some(older) = self.suspects.pop_front() {
                findings.add(Finding::new(older.place, chain, older.seq, Problem::Inserted));
            }
        }
        let Some(suspect) = self.suspects.pop_front() else { return };
        match cause {
            Cause::Text => self.jump(chain, suspect, findings),
            Cause::Place => findings.add(Finding::new(suspect.place, chain, suspect.seq, Problem::Changed)),
            Cause::Mac => findings.add(Finding::new(suspect.place, chain, suspect.seq, Problem::MacChanged)),
        }
    }

    /// Judges the oldest suspect by what it says and what has come since.
    pub fn settle(&mut self, key: &ChainKey, chain: &str, findings: &mut Findings) {
        let Some(suspect) = self.suspects.pop_front() else { return };
        if suspect.seq <= self.seq || suspect.after != self.seq {
            findings.add(Finding::new(suspect.place, chain, suspect.seq, Problem::Inserted));
        } else {
            self.jump(chain, suspect, findings);
            self.catch_up(key, chain, findings);
        }
    }

    /// Goes on from a suspect, by its own word.
    fn jump(&mut self, chain: &str, suspect: Suspect, findings: &mut Findings) {
        let next = self.seq.saturating_add(1);
        let (before, seq, mac, place) = (self.mac, suspect.seq, suspect.mac, suspect.place);
        if seq == next {
            findings.add(Finding::new(place, chain, seq, Problem::Changed));
        } else {
            let gap = Gap { from: next, to: seq.saturating_sub(1), before, next: suspect };
            if self.gaps.len() < MAX_GAPS {
                self.gaps.push(gap);
            } else {
                report_gap(chain, &gap, findings);
            }
        }
        (self.seq, self.mac, self.place) = (seq, mac, Some(place));
    }

    /// After a step: suspects that follow now stood too early, those that were passed belong nowhere.
    fn catch_up(&mut self, key: &ChainKey, chain: &str, findings: &mut Findings) {
        while !self.suspects.is_empty() {
            let next = self.seq.saturating_add(1);
            let early = |suspect: &Suspect| suspect.seq == next && suspect.follows(key, &self.mac);
            if let Some(index) = self.suspects.iter().position(early) {
                let Some(suspect) = self.suspects.remove(index) else { return };
                findings.add(Finding::new(suspect.place, chain, suspect.seq, Problem::OutOfOrder));
                self.go_to(suspect.seq, suspect.mac, suspect.place);
                continue;
            }
            let Some(index) = self.suspects.iter().position(|suspect| suspect.seq <= self.seq) else { return };
            let Some(suspect) = self.suspects.remove(index) else { return };
            findings.add(Finding::new(suspect.place, chain, suspect.seq, Problem::Inserted));
        }
    }

    /// Whether there are suspects left.
    pub fn has_suspects(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// Says what is missing for good.
    pub fn report_gaps(&mut self, chain: &str, findings: &mut Findings) {
        self.gaps.drain(..).for_each(|gap| report_gap(chain, &gap, findings));
    }

    /// How far it had come.
    pub fn into_reached(self, chain: String) -> Reached {
        Reached { chain, seq: self.seq, mac: self.mac, last: self.last }
    }
}

fn report_gap(chain: &str, gap: &Gap, findings: &mut Findings) {
    let problem = Problem::Missing { from: gap.from, to: gap.to };
    findings.add(Finding::new(gap.next.place, chain, gap.next.seq, problem));
}
