//! How far the campaign is: a bar on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Cells of the bar.
const WIDTH: u32 = 30;
/// Time between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(15);

/// Shows progress on the standard error output.
#[derive(Debug)]
pub(crate) struct Progress {
    rounds: u32,
    has_terminal: bool,
    next_line: Instant,
}

impl Progress {
    pub(crate) fn new(rounds: u32) -> Self {
        let has_terminal = std::io::stderr().is_terminal();
        Self { rounds, has_terminal, next_line: Instant::now() + LINE_EVERY }
    }

    /// Shows that so many rounds are done and so many events promised.
    pub(crate) fn show(&mut self, round: u32, promised: usize) {
        if self.has_terminal {
            put(&format!("\r{} {round}/{} rounds, {promised} promised ", bar(round, self.rounds), self.rounds));
        } else if Instant::now() >= self.next_line || round == self.rounds {
            self.next_line = Instant::now() + LINE_EVERY;
            put(&format!("{round}/{} rounds, {promised} promised\n", self.rounds));
        }
    }

    /// Says something on a line of its own.
    pub(crate) fn say(&self, text: &str) {
        put(&format!("{}{text}\n", if self.has_terminal { "\n" } else { "" }));
    }
}

fn bar(done: u32, all: u32) -> String {
    let full = u64::from(WIDTH) * u64::from(done) / u64::from(all.max(1));
    (0..u64::from(WIDTH)).map(|cell| if cell < full { '█' } else { '░' }).collect()
}

/// Nobody is the poorer when it cannot be shown.
fn put(text: &str) {
    let mut out = std::io::stderr().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn the_bar_fills() {
        let full = |done| bar(done, 500).chars().filter(|cell| *cell == '█').count();
        assert_eq!([0, 1, 250, 499, 500].map(full), [0, 0, 15, 29, 30]);
        assert_eq!(bar(0, 0).chars().count(), 30);
    }
}
