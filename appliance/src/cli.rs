//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use units::Language;

use crate::api::Scope;

/// An office receptionist in a box: answers the phone, in Hebrew and English, without any cloud.
#[derive(Debug, Parser)]
#[command(name = "kolbox", version, about, max_term_width = 100)]
pub struct Cli {
    /// How much to log, for example `info` or `appliance=debug`.
    #[arg(long, global = true, env = "KOLBOX_LOG", default_value = "info")]
    pub log: String,
    /// Log as JSON, one object a line.
    #[arg(long, global = true)]
    pub log_json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve: answer the phone until told to stop.
    Run(RunArgs),
    /// Place a test call at a box, the way the carrier does it.
    Call(CallArgs),
    /// Check line by line whether the box would answer, and say what to do where it would not.
    Doctor(DoctorArgs),
    /// List or verify the speech models on this device.
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Replay the decisions of a call log and compare them with what was decided then.
    Replay(ReplayArgs),
    /// Start a box and a gateway on loopback, place four calls at the box and check what came of each, on both.
    Demo(DemoArgs),
    /// Make, list or revoke tokens of the HTTP API.
    Token(TokenArgs),
    /// Print the figures of this machine beside their targets.
    Bench(BenchArgs),
}

/// Arguments of `token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// The configuration of the box, for the folder of its store.
    #[arg(long, short, env = "KOLBOX_CONFIG", default_value = "/etc/kolbox/kolbox.toml", global = true)]
    pub config: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: TokenCommand,
}

/// What can be done about tokens; the box may run meanwhile.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it, this once.
    Add {
        /// What you call it.
        #[arg(long)]
        name: String,
        /// What it may be used for, for example `leads:read`; may be given several times.
        #[arg(long, required = true)]
        scope: Vec<Scope>,
    },
    /// List the tokens, without their secrets.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token: it is refused from then on.
    Revoke {
        /// Its id, as in the list.
        id: String,
    },
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The configuration file.
    #[arg(long, short, env = "KOLBOX_CONFIG", default_value = "/etc/kolbox/kolbox.toml")]
    pub config: PathBuf,
    /// Make a configuration for trying the box on this machine (loopback, generated key) and use it.
    #[arg(long, conflicts_with = "config")]
    pub development: bool,
}

/// How to reach a box as its carrier.
#[derive(Debug, Args)]
pub struct Target {
    /// The box's public URL; default: that of the configuration.
    #[arg(long)]
    pub url: Option<String>,
    /// The box's configuration, for its URL, account and signing key.
    #[arg(long, short, env = "KOLBOX_CONFIG", default_value = "/etc/kolbox/kolbox.toml")]
    pub config: PathBuf,
    /// A file with the key that signs webhooks, in place of the configuration's.
    #[arg(long)]
    pub auth_token_file: Option<PathBuf>,
}

/// Arguments of `call`.
#[derive(Debug, Args)]
pub struct CallArgs {
    /// The box to call.
    #[command(flatten)]
    pub target: Target,
    /// What the caller says, one turn each, in order; the caller waits for the agent to finish before each.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["wav", "script"])]
    pub say: Vec<String>,
    /// A recording of the caller, played from the start of the stream (WAV, 8 kHz or more, mono).
    #[arg(long, value_name = "FILE", conflicts_with = "script")]
    pub wav: Option<PathBuf>,
    /// A caller's script (TOML): what is said, waited for, pressed and interrupted.
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// The language of `--say`.
    #[arg(long, default_value = "he")]
    pub language: Language,
    /// The caller's number.
    #[arg(long, default_value = "+972541234567")]
    pub from: String,
    /// The office's number.
    #[arg(long, default_value = "+97235550100")]
    pub to: String,
    /// Where the stereo recording goes: left the caller, right the agent.
    #[arg(long, short, default_value = "call.wav")]
    pub output: PathBuf,
    /// Print a JSON report in place of the conversation.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The box to check.
    #[command(flatten)]
    pub target: Target,
    /// Do not place a test call.
    #[arg(long)]
    pub no_call: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What can be done about models.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// List the models in a folder.
    List {
        /// The folder of model folders.
        #[arg(long, default_value = "models")]
        folder: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check every file of a model against the digests of its card.
    Verify {
        /// The model's folder.
        model: PathBuf,
    },
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The call log.
    pub file: PathBuf,
    /// How often to replay it, each time with other delays of the wake-ups.
    #[arg(long, default_value_t = 1)]
    pub times: u32,
    /// Seed of the delays.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Print the timeline.
    #[arg(long)]
    pub timeline: bool,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where recordings, call logs, the store and the gateway's files go; emptied first.
    #[arg(long, default_value = "var/demo")]
    pub folder: PathBuf,
    /// The program of the gateway that the box tells of its calls; default: the one beside this program.
    #[arg(long, value_name = "FILE", conflicts_with = "without_gateway")]
    pub gateway: Option<PathBuf>,
    /// Start no gateway.
    #[arg(long)]
    pub without_gateway: bool,
    /// Print JSON at the end.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Where the box under test keeps its state; emptied first.
    #[arg(long, default_value = "var/bench")]
    pub folder: PathBuf,
    /// Only the parts whose name contains this: hearing, speaking, memory, calls, weather; or soak or offline, which are done
    /// only when named.
    #[arg(long)]
    pub only: Option<String>,
    /// How many calls the soak places.
    #[arg(long, default_value_t = 10_000)]
    pub calls: usize,
    /// How many hours the gateway is away in the offline part, at 50 events a second.
    #[arg(long, default_value_t = 24)]
    pub hours: u64,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
