//! Figures of several runs. In: one list per run and program. Out: minimum, median and maximum of each, and the ratio of the medians.

use std::time::Duration;

use crate::{database::Counts, process::Memory};

/// The outcome of one run, in the order of measuring: the same names in every run.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<(String, f64)>);

impl Figures {
    pub(crate) fn rate(&mut self, what: &str, number: usize, took: Duration) {
        self.add(format!("{what} per second"), count(number) / took.as_secs_f64());
    }

    /// Of a service, per `what`.
    pub(crate) fn processor(&mut self, what: &str, number: usize, spent: Duration) {
        self.add(format!("processor µs per {what}"), spent.as_secs_f64() * 1e6 / count(number));
    }

    /// Of the database, per `what`.
    pub(crate) fn counts(&mut self, what: &str, number: usize, counts: Counts) {
        for (name, value) in [
            ("statements", counts.statements),
            ("buffers", counts.buffers),
            ("WAL records", counts.wal_records),
            ("WAL bytes", counts.wal_bytes),
        ] {
            self.add(format!("{name} per {what}"), value / count(number));
        }
    }

    pub(crate) fn memory(&mut self, who: &str, memory: Memory) {
        self.add(format!("MiB resident, {who}"), memory.resident);
        self.add(format!("MiB anonymous, {who}"), memory.anonymous);
    }

    pub(crate) fn peak(&mut self, who: &str, memory: Memory) {
        self.add(format!("MiB resident, {who}, at most"), memory.peak);
    }

    fn add(&mut self, name: String, value: f64) {
        self.0.push((name, value));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a benchmark counts less than 2^52 of anything")]
fn count(number: usize) -> f64 {
    number as f64
}

struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

/// Of at least one value.
fn spread(mut values: Vec<f64>) -> Spread {
    values.sort_by(f64::total_cmp);
    let (last, half) = (values.len() - 1, values.len() / 2);
    let median =
        if values.len() % 2 == 1 { values[half] } else { f64::midpoint(values[half - 1], values[half]) };
    Spread { least: values[0], median, most: values[last] }
}

/// One line per figure; of the second program the ratio, too: this tree's median divided by the other's.
pub(crate) fn print(measured: &[Vec<Figures>]) {
    let title = |who: &str| format!("{:>36}", format!("{who}: least, median, most"));
    let other =
        if measured.len() > 1 { format!("{}{:>8}", title("the other"), "ratio") } else { String::new() };
    println!("\n{:<52}{}{other}", "", title("this tree"));
    for (index, (name, _)) in measured[0][0].0.iter().enumerate() {
        let of = |runs: &Vec<Figures>| spread(runs.iter().map(|run| run.0[index].1).collect());
        let spreads: Vec<Spread> = measured.iter().map(of).collect();
        let columns: String =
            spreads.iter().map(|s| format!("{:>12.1}{:>12.1}{:>12.1}", s.least, s.median, s.most)).collect();
        let ratio = match &spreads[..] {
            [this, other] => format!("{:>8.3}", this.median / other.median),
            _ => String::new(),
        };
        println!("{name:<52}{columns}{ratio}");
    }
}
