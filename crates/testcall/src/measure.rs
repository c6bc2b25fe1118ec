//! The latencies of a call, from who was heard when and when the box cleared. Pure.

use crate::line::{LineTime, Speech};
use crate::report::TurnReport;

/// Returns the caller's turns with what each waited for.
pub fn turns(caller: &[Speech], agent: &[Speech], clears: &[LineTime]) -> Vec<TurnReport> {
    caller
        .iter()
        .enumerate()
        .map(|(index, speech)| {
            let next = caller.get(index + 1).map(|next| next.from);
            let before_next = |at: LineTime| next.is_none_or(|next| at < next);
            let heard_at = |at: LineTime| agent.iter().any(|a| a.from <= at && at < a.until);
            let over_agent = heard_at(speech.from);
            let still_speaking = agent.iter().any(|a| a.from < speech.until && speech.until < a.until);
            let to_agent = agent
                .iter()
                .map(|a| a.from)
                .find(|from| *from >= speech.until)
                .filter(|from| !still_speaking && before_next(*from))
                .map(|from| from.since(speech.until));
            let to_clear = clears
                .iter()
                .find(|at| over_agent && **at >= speech.from && before_next(**at))
                .map(|at| at.since(speech.from));
            TurnReport { speech: *speech, to_agent, to_clear, over_agent }
        })
        .collect()
}

#[cfg(test)]
mod tests;
