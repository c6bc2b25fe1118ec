//! The program `kolbox-chaos`: kills and cuts everything between box and gateway, and counts what was lost.
//!
//! Devices are processes with the real store and the real link; gateways, broker and database are the real programs. A
//! device says on its standard output what it promises: events whose commit has returned. Each round begins one or two
//! faults at moments that a seed decides ([`plan`]); most end in the same round, some later. In the end everything is
//! healed, the outboxes must become empty, and what lies in the database is compared with what was promised ([`check`]).
//!
//! Two campaigns kill a real box alone: `kolbox-chaos crm` while leads are made and delivered ([`crm`]), and
//! `kolbox-chaos messages` while people write to it and are answered ([`messages`]).
//!
//! **Invariant:** what happens when is decided by the seed alone; how it falls together with what the programs do is not.
//! **Invariant:** only what this process has read of a device counts as promised.

mod box_api;
mod box_report;
mod campaign;
mod check;
mod cli;
mod crm;
mod device;
mod fleet;
mod messages;
mod plan;
mod progress;
mod promise;
mod report;
mod seat;
mod stage;
mod victim;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Command::Device(options)) => device::run(&options).map(|()| ExitCode::SUCCESS),
        Some(Command::Crm(options)) => crm::run(&options),
        Some(Command::Messages(options)) => messages::run(&options),
        None => campaign::run(&cli.campaign),
    };
    done.unwrap_or_else(|error| {
        complain(&error);
        ExitCode::FAILURE
    })
}

#[expect(clippy::print_stderr, reason = "the last word of a program that failed")]
fn complain(error: &anyhow::Error) {
    eprintln!("kolbox-chaos: {error:#}");
}
