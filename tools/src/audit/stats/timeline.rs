//! How many at what time, however long that is: the longer, the coarser.

use std::collections::BTreeMap;

/// How many buckets are kept before they become wider.
const MAX_BUCKETS: usize = 2_000;

/// What a person would count by, in seconds; wider ones are twice the one before.
const WIDTHS: [i64; 8] = [1, 10, 60, 300, 900, 3_600, 21_600, 86_400];

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What was counted in a while.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Everything.
    pub all: u64,
    /// What was refused.
    pub refused: u64,
}

impl Bucket {
    const fn add(&mut self, other: Self) {
        self.all = self.all.saturating_add(other.all);
        self.refused = self.refused.saturating_add(other.refused);
    }
}

/// Counts over time.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// How many seconds a bucket has.
    pub width: i64,
    buckets: BTreeMap<i64, Bucket>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { width: 1, buckets: BTreeMap::new() }
    }
}

impl Timeline {
    /// Counts at a second.
    pub fn add(&mut self, second: i64, all: u64, refused: u64) {
        self.add_bucket(second, Bucket { all, refused });
    }

    fn add_bucket(&mut self, second: i64, bucket: Bucket) {
        self.buckets.entry(second.div_euclid(self.width)).or_default().add(bucket);
        while self.buckets.len() > MAX_BUCKETS {
            self.widen(wider(self.width));
        }
    }

    fn widen(&mut self, width: i64) {
        let old = std::mem::take(&mut self.buckets);
        let before = std::mem::replace(&mut self.width, width);
        for (at, bucket) in old {
            let second = at.saturating_mul(before);
            self.buckets.entry(second.div_euclid(width)).or_default().add(bucket);
        }
    }

    /// Adds another.
    pub fn merge(&mut self, other: &Self) {
        if other.width > self.width {
            self.widen(other.width);
        }
        for (at, bucket) in &other.buckets {
            self.add_bucket(at.saturating_mul(other.width), *bucket);
        }
    }

    /// At most so many buckets without a gap from the first to the last, with the second at which each begins.
    #[must_use]
    pub fn columns(&self, most: usize) -> (i64, Vec<(i64, Bucket)>) {
        let mut line = self.clone();
        let span = |line: &Self| {
            let ends = line.buckets.first_key_value().zip(line.buckets.last_key_value());
            ends.map_or(0, |((first, _), (last, _))| last.saturating_sub(*first).saturating_add(1))
        };
        let most = i64::try_from(most).unwrap_or(i64::MAX).max(1);
        while span(&line) > most {
            line.widen(wider(line.width));
        }
        let Some((first, _)) = line.buckets.first_key_value() else { return (line.width, Vec::new()) };
        let columns = (*first..first.saturating_add(span(&line)))
            .map(|at| (at.saturating_mul(line.width), line.buckets.get(&at).copied().unwrap_or_default()))
            .collect();
        (line.width, columns)
    }
}

fn wider(width: i64) -> i64 {
    WIDTHS.into_iter().find(|next| *next > width).unwrap_or_else(|| width.saturating_mul(2))
}

/// Counts as a line of bars; nothing at all is a dot.
#[must_use]
pub fn sparkline(counts: impl Iterator<Item = u64> + Clone) -> String {
    let most = counts.clone().max().unwrap_or_default().max(1);
    let bar = |count: u64| {
        let step = u64::try_from(BARS.len()).unwrap_or(1);
        let height = usize::try_from(count.saturating_mul(step).div_ceil(most)).unwrap_or_default();
        height.checked_sub(1).map_or('·', |at| BARS.get(at).copied().unwrap_or('█'))
    };
    counts.map(bar).collect()
}
