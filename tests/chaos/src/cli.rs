//! The command line.

use std::num::{NonZeroU8, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use protocol::DeviceId;
use sync::Broker;

use crate::plan::Kind;

/// Kill and cut everything between box and gateway at random moments, and count what was lost.
#[derive(Debug, Parser)]
#[command(name = "kolbox-chaos", version, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) campaign: CampaignOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Be a device of the campaign.
    #[command(hide = true)]
    Device(DeviceOptions),
    /// Kill a box at random moments while leads are made, changed and delivered, and look what the CRM got.
    Crm(CrmOptions),
    /// Kill a box at random moments while people write to it and are answered, and look what was lost or sent twice.
    Messages(MessagesOptions),
}

/// What is said of every campaign.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// Decides what happens when; how that falls together with what the programs do is left to chance. Default: a random
    /// one.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Keep the folder of the campaign even if all went well.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Print the figures as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is said of campaigns that kill one box.
#[derive(Clone, Debug, Args)]
pub(crate) struct BoxOptions {
    /// How often the box is killed.
    #[arg(long, default_value_t = 100)]
    pub(crate) kills: u32,
    /// Longest wait for everything to be done when nobody is killed any more.
    #[arg(long, value_parser = humantime::parse_duration, default_value = "5m", value_name = "TIME")]
    pub(crate) settle: Duration,
    /// The program kolbox. Default: the one beside this program.
    #[arg(long, value_name = "FILE")]
    pub(crate) kolbox: Option<PathBuf>,
}

/// How the campaign of leads is run.
#[derive(Clone, Debug, Args)]
pub(crate) struct CrmOptions {
    /// People; each becomes one lead, with several changes.
    #[arg(long, default_value = "500")]
    pub(crate) leads: NonZeroUsize,
    /// Break the promise on purpose: the campaign must fail then.
    #[arg(long = "break", value_enum, value_name = "HOW")]
    pub(crate) broken: Option<CrmBroken>,
    #[command(flatten)]
    pub(crate) of_box: BoxOptions,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// How the campaign of messages is run.
#[derive(Clone, Debug, Args)]
pub(crate) struct MessagesOptions {
    /// Texts that people write, about ten each.
    #[arg(long, default_value = "300")]
    pub(crate) messages: NonZeroUsize,
    /// Who carries them.
    #[arg(long, value_enum, default_value = "twilio")]
    pub(crate) provider: Provider,
    /// Break a promise on purpose: the campaign must fail then.
    #[arg(long = "break", value_enum, value_name = "HOW")]
    pub(crate) broken: Option<MessagesBroken>,
    #[command(flatten)]
    pub(crate) of_box: BoxOptions,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Who carries messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Provider {
    /// Twilio.
    Twilio,
    /// Meta's Cloud API.
    Meta,
}

/// Ways to break the promises of the campaign of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessagesBroken {
    /// At each kill, what came in last is not on the disk.
    AckEarly,
    /// At each kill, what was being sent is queued again.
    SendTwice,
}

/// Ways to break the promise of the campaign of leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CrmBroken {
    /// At each kill, what waits is taken for delivered.
    AckEarly,
}

/// How a campaign is run.
#[derive(Clone, Debug, Args)]
pub(crate) struct CampaignOptions {
    /// Rounds; each takes about a second and begins one or two faults.
    #[arg(long, default_value_t = 500)]
    pub(crate) rounds: u32,
    /// Devices.
    #[arg(long, default_value = "3")]
    pub(crate) devices: NonZeroU8,
    /// Gateways.
    #[arg(long, default_value = "2")]
    pub(crate) gateways: NonZeroU8,
    /// Faults of these kinds only.
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) only: Vec<Kind>,
    /// Longest wait for the outboxes to become empty when everything is healed.
    #[arg(long, value_parser = humantime::parse_duration, default_value = "3m", value_name = "TIME")]
    pub(crate) settle: Duration,
    /// Break the promise on purpose: the campaign must fail then.
    #[arg(long = "break", value_enum, value_name = "HOW")]
    pub(crate) broken: Option<Broken>,
    /// The program kolbox-gateway. Default: the one beside this program.
    #[arg(long, value_name = "FILE")]
    pub(crate) gateway: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Ways to break the promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Broken {
    /// A device promises an event that it will commit with the next one.
    PromiseEarly,
    /// A device removes events that it has sent, without a watermark.
    RemoveSent,
}

impl Broken {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::PromiseEarly => "promise-early",
            Self::RemoveSent => "remove-sent",
        }
    }
}

/// What a device is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct DeviceOptions {
    /// Its name.
    #[arg(long)]
    pub(crate) name: DeviceId,
    /// Where it keeps its store.
    #[arg(long)]
    pub(crate) folder: PathBuf,
    /// The broker.
    #[arg(long)]
    pub(crate) broker: Broker,
    /// Decides what it tells of when.
    #[arg(long)]
    pub(crate) seed: u64,
    /// How it breaks its promises.
    #[arg(long = "break", value_enum)]
    pub(crate) broken: Option<Broken>,
}
