//! Turns pointed Hebrew into phonemes: one line in, one line of espeak-ng mnemonics (voice `he`, without `[[ ]]`) out.
//!
//! `echo "שָׁלוֹם" | cargo run -q -p language --example phonemes`

use std::io::{self, BufRead as _, Write as _};

use language::phonemes::{foreign_words, mnemonics, phonemes};

fn main() -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let tokens = phonemes(&line?);
        for word in foreign_words(&tokens) {
            writeln!(io::stderr(), "warning: left out, not Hebrew: {word}")?;
        }
        writeln!(out, "{}", mnemonics(&tokens))?;
    }
    out.flush()
}
