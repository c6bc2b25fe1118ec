//! Everything between box and gateway, and how it is broken.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::mpsc::SyncSender;

use anyhow::Context as _;
use rig::{Conditions, Flow, Gateway, Mosquitto, Postgres, Proxy, RigError, beside_current_program};

use crate::cli::CampaignOptions;
use crate::plan::{Action, Fault, Line, Program};
use crate::seat::{DeviceSeat, Heard};

/// The database's name.
const DATABASE: &str = "chaos";

/// All of it. Dropped in this order.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) devices: Vec<DeviceSeat>,
    gateways: Vec<GatewaySeat>,
    broker: Mosquitto,
    database: Postgres,
}

/// A gateway and its lines.
#[derive(Debug)]
struct GatewaySeat {
    program: Gateway,
    is_wanted: bool,
    to_broker: Proxy,
    to_database: Proxy,
}

impl Fleet {
    /// Starts everything in `folder`, and waits until the gateways are ready.
    pub(crate) fn start(
        folder: &Path,
        options: &CampaignOptions,
        seed: u64,
        heard: &SyncSender<Heard>,
    ) -> anyhow::Result<Self> {
        // PostgreSQL does not run as root, and must get at its own folder.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o711))?;
        let broker = Mosquitto::start_in(&folder.join("mosquitto"), "")?;
        let mut database = Postgres::start_in(&folder.join("postgres"), &[])?;
        let url = database.database(DATABASE)?;
        let program = match &options.gateway {
            Some(program) => program.clone(),
            None => beside_current_program("kolbox-gateway").context("build it: cargo build --package gateway")?,
        };
        let mut gateways = Vec::new();
        for number in 1..=usize::from(options.gateways.get()) {
            let (to_broker, to_database) = (Proxy::to_port(broker.port())?, Proxy::to_port(database.port())?);
            let url = url.replace(&format!(":{}/", database.port()), &format!(":{}/", to_database.port()));
            let config = format!(
                "[database]\nurl = '{url}'\n[mqtt]\nservers = ['mqtt://127.0.0.1:{}']\nname = 'gateway-{number}'\n",
                to_broker.port(),
            );
            let program = Gateway::start_in(&folder.join(format!("gateway-{number}")), &program, &config)?;
            gateways.push(GatewaySeat { program, is_wanted: true, to_broker, to_database });
        }
        let mut devices = Vec::new();
        for number in 0..usize::from(options.devices.get()) {
            let proxy = Proxy::to_port(broker.port())?;
            let (folder, heard) = (folder.join(format!("box-{}", number + 1)), heard.clone());
            devices.push(DeviceSeat::new(number, folder, proxy, seed, options.broken, heard));
        }
        for gateway in &mut gateways {
            gateway.program.wait_until_ready()?;
        }
        for device in &mut devices {
            device.start()?;
        }
        Ok(Self { devices, gateways, broker, database })
    }

    /// Does what the plan says.
    pub(crate) fn act(&mut self, action: Action) -> anyhow::Result<()> {
        match action {
            Action::Begin(Fault::Kill(program)) => self.kill(program),
            Action::End(Fault::Kill(program)) => self.start_again(program),
            Action::Begin(Fault::Cut(line)) => self.line(line).map(Proxy::cut),
            Action::Begin(Fault::BlackHole { line, .. }) => {
                self.line(line).map(|proxy| proxy.set(Conditions::BLACK_HOLE))
            }
            Action::Begin(Fault::Delay { line, to_server, to_client }) => {
                let late = Conditions { to_server: Flow::Delay(to_server), to_client: Flow::Delay(to_client) };
                self.line(line).map(|proxy| proxy.set(late))
            }
            Action::End(Fault::BlackHole { line, then_cut }) => self.line(line).map(|proxy| {
                if then_cut {
                    proxy.cut();
                }
                proxy.set(Conditions::WELL);
            }),
            Action::End(Fault::Cut(line) | Fault::Delay { line, .. }) => {
                self.line(line).map(|proxy| proxy.set(Conditions::WELL))
            }
        }
    }

    /// Starts gateways again that ended by themselves, as an init system does, and returns how many.
    pub(crate) fn tend(&mut self) -> anyhow::Result<u64> {
        let mut count = 0;
        for gateway in self.gateways.iter_mut().filter(|gateway| gateway.is_wanted) {
            match gateway.program.check_running() {
                Ok(()) => {}
                Err(RigError::Ended { .. }) => {
                    gateway.program.start_again()?;
                    count += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(count)
    }

    /// Asks the database.
    pub(crate) fn query(&self, sql: &str) -> anyhow::Result<String> {
        Ok(self.database.query(DATABASE, sql)?)
    }

    fn kill(&mut self, program: Program) -> anyhow::Result<()> {
        match program {
            Program::Device(number) => self.device(number)?.kill()?,
            Program::Gateway(number) => {
                let gateway = self.gateway(number)?;
                gateway.is_wanted = false;
                gateway.program.kill()?;
            }
            Program::Broker => self.broker.kill()?,
            Program::Database => self.database.kill()?,
        }
        Ok(())
    }

    fn start_again(&mut self, program: Program) -> anyhow::Result<()> {
        match program {
            Program::Device(number) => self.device(number)?.start()?,
            Program::Gateway(number) => {
                let gateway = self.gateway(number)?;
                gateway.is_wanted = true;
                gateway.program.start_again()?;
            }
            Program::Broker => self.broker.start_again()?,
            Program::Database => self.database.start_again()?,
        }
        Ok(())
    }

    fn line(&mut self, line: Line) -> anyhow::Result<&Proxy> {
        Ok(match line {
            Line::DeviceBroker(number) => &self.device(number)?.proxy,
            Line::GatewayBroker(number) => &self.gateway(number)?.to_broker,
            Line::GatewayDatabase(number) => &self.gateway(number)?.to_database,
        })
    }

    fn device(&mut self, number: usize) -> anyhow::Result<&mut DeviceSeat> {
        self.devices.get_mut(number).with_context(|| format!("there is no device {number}"))
    }

    fn gateway(&mut self, number: usize) -> anyhow::Result<&mut GatewaySeat> {
        self.gateways.get_mut(number).with_context(|| format!("there is no gateway {number}"))
    }
}
