//! Turns written text into spoken words: one line in, one line out. The argument `en` chooses English.

use std::io::{self, BufRead as _, Write as _};

use language::normalize::normalize;
use units::Language;

fn main() -> io::Result<()> {
    let english = std::env::args().nth(1).is_some_and(|code| code == "en");
    let language = if english { Language::English } else { Language::Hebrew };
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        writeln!(out, "{}", normalize(&line?, language))?;
    }
    out.flush()
}
