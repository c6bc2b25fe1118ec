use std::convert::Infallible;

use super::*;

/// A language of four tokens, 0 the end; the probabilities depend on what was said so far.
struct Script(fn(&[u32]) -> [f32; 4]);

impl Scorer for Script {
    type State = Vec<u32>;
    type Error = Infallible;

    fn step(&mut self, state: &Self::State, token: u32, scores: &mut Vec<f32>) -> Result<Self::State, Infallible> {
        let mut said = state.clone();
        said.push(token);
        *scores = row(self.0, &said);
        Ok(said)
    }
}

const BOUNDS: Bounds = Bounds { end: 0, max_tokens: 10 };

#[test]
fn greedy_says_the_likeliest_token_until_the_end() {
    let found = run_greedy(straight, BOUNDS);
    assert_eq!(found.tokens, [1, 2, 3]);
    assert!(found.ended);
    assert!((found.mean() - 0.7_f32.ln()).abs() < 1e-5, "{}", found.mean());
}

#[test]
fn a_search_stops_at_its_bound() {
    let endless = |_: &[u32]| [0.1, 0.7, 0.1, 0.1];
    let found = run_greedy(endless, BOUNDS);
    assert_eq!(found.tokens, [1; 10]);
    assert!(!found.ended);
    let found = run_beam(endless, 3);
    assert!(found.tokens.len() <= 10);
}

#[test]
fn greedy_stops_when_told() {
    let Ok(found) = greedy(&mut Script(straight), (Vec::new(), row(straight, &[])), BOUNDS, |tokens| {
        if tokens.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(found.tokens, [1, 2]);
}

#[test]
fn a_beam_finds_the_text_that_starts_less_likely() {
    assert_eq!(run_greedy(garden_path, BOUNDS).tokens[0], 1);
    assert_eq!(run_beam(garden_path, 2).tokens, [2, 3]);
}

#[test]
fn a_beam_of_one_is_greedy() {
    for script in [straight as fn(&[u32]) -> [f32; 4], garden_path] {
        assert_eq!(run_beam(script, 1).tokens, run_greedy(script, BOUNDS).tokens);
    }
}

fn straight(said: &[u32]) -> [f32; 4] {
    match said.len() {
        0 => [0.1, 0.7, 0.1, 0.1],
        1 => [0.1, 0.1, 0.7, 0.1],
        2 => [0.1, 0.1, 0.1, 0.7],
        _ => [0.7, 0.1, 0.1, 0.1],
    }
}

/// Starting with 1 looks better but leads nowhere; starting with 2 pays.
fn garden_path(said: &[u32]) -> [f32; 4] {
    match said {
        [] => [0.01, 0.5, 0.48, 0.01],
        [2] => [0.01, 0.01, 0.01, 0.97],
        [2, 3] => [0.97, 0.01, 0.01, 0.01],
        [1] => [0.24, 0.26, 0.25, 0.25],
        _ => [0.28, 0.24, 0.24, 0.24],
    }
}

fn row(script: fn(&[u32]) -> [f32; 4], said: &[u32]) -> Vec<f32> {
    script(said).iter().map(|probability| probability.ln()).collect()
}

fn run_greedy(script: fn(&[u32]) -> [f32; 4], bounds: Bounds) -> Found {
    let Ok(found) = greedy(&mut Script(script), (Vec::new(), row(script, &[])), bounds, |_| ControlFlow::Continue(()));
    found
}

fn run_beam(script: fn(&[u32]) -> [f32; 4], width: usize) -> Found {
    let Ok(found) =
        beam(&mut Script(script), (Vec::new(), row(script, &[])), BOUNDS, width, |_| ControlFlow::Continue(()));
    found
}
