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
    all: u32,
    done: &'static str,
    promised: &'static str,
    has_terminal: bool,
    next_line: Instant,
}

impl Progress {
    /// Makes one that ends when `all` is done; the words are what is done, and what came of it.
    pub(crate) fn new(all: u32, done: &'static str, promised: &'static str) -> Self {
        let has_terminal = std::io::stderr().is_terminal();
        Self { all, done, promised, has_terminal, next_line: Instant::now() + LINE_EVERY }
    }

    /// Shows how much is done and what came of it so far.
    pub(crate) fn show(&mut self, count: u32, promised: usize) {
        let line = format!("{count}/{} {}, {promised} {}", self.all, self.done, self.promised);
        if self.has_terminal {
            put(&format!("\r{} {line} ", bar(count, self.all)));
        } else if Instant::now() >= self.next_line || count == self.all {
            self.next_line = Instant::now() + LINE_EVERY;
            put(&format!("{line}\n"));
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
