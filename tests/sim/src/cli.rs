//! The command line: what it says and what it understands.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use protocol::DeviceId;
use sync::Broker;

use crate::behaviour::Behaviour;

/// Exit code for wrong usage (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// Simulated Kolbox devices, thousands in one process
#[derive(Debug, Parser)]
#[command(name = "kolbox-sim", version, about, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Connect devices to a broker and let them live
    #[command(after_long_help = EXAMPLES)]
    Run(Box<Run>),
    /// Start servers, connect thousands of devices, and measure what is stored
    #[command(after_long_help = BENCH)]
    Bench(Bench),
}

const BENCH: &str = "\
Starts Mosquitto, PostgreSQL and kolbox-gateway, each stage anew, with the settings of gateway/deploy/mosquitto-postgres, then
kolbox-gateway alone with its embedded broker and database. Everything runs on this machine, so that the figures are
those of a machine that carries the devices too. Exit code 0: everything that was made is stored, whatever the figures;
1: something is missing.";

const EXAMPLES: &str = "\
Each device has a connection of its own (MQTT 5), a birth and a last will, reports its state, and keeps its events in an
outbox that only the gateway's watermarks empty; what is sent when is decided by the code of the box itself. A line each
second says how many events were published and how many the gateway confirmed as stored. At the end devices make nothing
more, and are given time until everything is stored. Exit code 0: all of it is; 1: events are left; 64: wrong usage.

Examples:
  Half an event per second each, for a minute:
    kolbox-sim run --broker mqtt://127.0.0.1:1883 --devices 1000 --duration 60s
  As fast as the gateway stores them, ten events in a batch:
    kolbox-sim run --broker mqtt://127.0.0.1:1883 --devices 1000 --saturate --burst 10
  A bad network, and rubbish in between:
    kolbox-sim run --broker mqtt://127.0.0.1:1883 --flap-up 20s --flap-down 5s --bad-every 30s --repeat 0.1
  TLS, with a certificate signed here for each device:
    kolbox-sim run --broker mqtts://gateway.example --ca servers-authority.pem \\
        --device-authority devices-authority.pem --device-authority-key devices-authority.key
  Several groups at once:
    kolbox-sim run --broker mqtt://127.0.0.1:1883 --script script.toml

A script is TOML; the fields of a behaviour are the options of the same name:
    [[group]]
    name = \"steady\"                      # devices are steady-00000 and so on
    devices = 900

    [[group]]
    name = \"flapping\"
    devices = 100
    [group.behaviour]
    rate = 2.0
    burst = 4
    streams = [\"calls\", \"logs\"]
    clock = \"past\"
    flap_up = \"20s\"
    flap_down = \"5s\"
    repeat = 0.1
    flood_every = \"2min\"
    bad_every = \"30s\"";

/// How devices are run.
#[derive(Debug, Args)]
pub struct Run {
    /// The broker: mqtt://HOST:PORT, or mqtts://HOST:PORT with TLS
    #[arg(long, value_name = "URL")]
    pub broker: Broker,
    /// How many devices
    #[arg(long, value_name = "COUNT", default_value_t = 100, conflicts_with = "script")]
    pub devices: u32,
    /// What the devices' names start with, before a number
    #[arg(long, default_value = "sim", conflicts_with = "script")]
    pub name: DeviceId,
    /// A script with groups of devices, instead of one group of the options here
    #[arg(long, value_name = "FILE", conflicts_with = "Behaviour")]
    pub script: Option<PathBuf>,
    /// What the devices do.
    #[command(flatten)]
    pub behaviour: Behaviour,
    /// What all chances are drawn from; the same number gives each device the same life [default: by chance]
    #[arg(long)]
    pub seed: Option<u64>,
    /// How long events are made; without it, until interrupted
    #[arg(long, value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,
    /// Longest wait afterwards until everything is stored
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "1min")]
    pub drain: Duration,
    /// How many devices begin per second
    #[arg(long, value_name = "DEVICES/S", default_value_t = 500.0)]
    pub connect_rate: f64,
    /// The authorities that signed the broker's certificate, PEM
    #[arg(long, value_name = "FILE", requires_all = ["device_authority", "device_authority_key"])]
    pub ca: Option<PathBuf>,
    /// The authority that signs devices, PEM: each device gets a certificate of it, with its name as common name
    #[arg(long, value_name = "FILE", requires = "ca")]
    pub device_authority: Option<PathBuf>,
    /// The key of that authority, PEM
    #[arg(long, value_name = "FILE", requires = "ca")]
    pub device_authority_key: Option<PathBuf>,
    /// The user name at the broker, where it wants one
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub username: Option<String>,
    /// A file with the password for that user
    #[arg(long, value_name = "FILE", requires = "username")]
    pub password_file: Option<PathBuf>,
    /// How often the broker hears of a device at least
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "30s")]
    pub keep_alive: Duration,
    /// How long the broker remembers a device that is gone
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "10min")]
    pub session_expiry: Duration,
    /// How long after a break the broker tells of it
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "30s")]
    pub will_delay: Duration,
    /// Print the summary as JSON; the lines of the seconds go to standard error
    #[arg(long)]
    pub json: bool,
}

/// What is measured.
#[derive(Debug, Args)]
pub struct Bench {
    /// Devices connected to Mosquitto
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    pub devices: u32,
    /// Devices connected to the embedded broker
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    pub embedded_devices: u32,
    /// Workers of the gateway, one stage each
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_value = "1,2,4")]
    pub workers: Vec<usize>,
    /// Events in one message
    #[arg(long = "burst", value_name = "EVENTS", value_delimiter = ',', default_value = "1,10")]
    pub bursts: Vec<u32>,
    /// How long each load is measured
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "15s")]
    pub each: Duration,
    /// How many devices begin per second
    #[arg(long, value_name = "DEVICES/S", default_value_t = 500.0)]
    pub connect_rate: f64,
    /// What all chances are drawn from
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The gateway's program [default: kolbox-gateway beside this one]
    #[arg(long, value_name = "FILE")]
    pub gateway: Option<PathBuf>,
    /// Leave out the embedded broker and database
    #[arg(long, conflicts_with = "embedded_only")]
    pub external_only: bool,
    /// Leave out Mosquitto and the other database
    #[arg(long)]
    pub embedded_only: bool,
    /// Print all figures as JSON; the table goes to standard error
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound_and_its_examples_are_understood() {
        Cli::command().debug_assert();
        let text = EXAMPLES.replace("\\\n", " ");
        let examples: Vec<&str> = text.lines().filter(|line| line.trim_start().starts_with("kolbox-sim")).collect();
        assert_eq!(examples.len(), 5);
        for example in examples {
            Cli::try_parse_from(example.split_whitespace()).unwrap();
        }
        let (_, script) = EXAMPLES.split_once("same name:\n").unwrap();
        let script = crate::behaviour::Script::parse(std::path::Path::new("help"), script).unwrap();
        assert_eq!(script.devices(), 1_000);
    }

    #[test]
    fn a_script_and_a_behaviour_exclude_each_other() {
        let parse = |line: &str| Cli::try_parse_from(line.split_whitespace());
        let start = "kolbox-sim run --broker mqtt://127.0.0.1";
        assert!(parse(&format!("{start} --script a.toml --rate 3")).is_err());
        assert!(parse(&format!("{start} --script a.toml --devices 3")).is_err());
        assert!(parse(&format!("{start} --ca a.pem")).is_err());
        assert!(parse(&format!("{start} --script a.toml --seed 3")).is_ok());
    }
}
