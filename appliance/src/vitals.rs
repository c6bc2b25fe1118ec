//! How the machine is: disk, memory, temperature, what board it is. Whatever cannot be found out is left out.

use std::fs;
use std::path::Path;

use protocol::{Disk, Memory, Reported, Throttling};

/// Reads what the machine says of itself into a report. `store` is the folder whose disk counts. May wait for the disk.
pub fn read(store: &Path, report: Reported) -> Reported {
    let text = |path: &str| fs::read_to_string(path).ok();
    Reported {
        board: text("/proc/device-tree/model")
            .or_else(|| text("/sys/class/dmi/id/product_name"))
            .and_then(|t| name(&t)),
        system: text("/etc/os-release").and_then(|text| pretty_name(&text)),
        uptime_ms: text("/proc/uptime").and_then(|text| uptime_ms(&text)),
        disk: disk(store),
        memory: text("/proc/meminfo").and_then(|text| memory(&text)),
        temperature_c: text("/sys/class/thermal/thermal_zone0/temp").and_then(|text| temperature_c(&text)),
        throttling: text("/sys/devices/platform/soc/soc:firmware/get_throttled").and_then(|text| throttling(&text)),
        sd_wear_percent: text("/sys/block/mmcblk0/device/life_time").and_then(|text| wear_percent(&text)),
        ..report
    }
}

/// A name may end with a zero byte, as the device tree's do, and is cut to what a report holds.
fn name(text: &str) -> Option<String> {
    let text = text.trim_matches(['\0', '\n', ' ']);
    let end = text.floor_char_boundary(protocol::limits::MAX_SHORT_LEN);
    text.get(..end).filter(|name| !name.is_empty()).map(str::to_owned)
}

fn pretty_name(os_release: &str) -> Option<String> {
    name(os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?.trim_matches('"'))
}

fn uptime_ms(uptime: &str) -> Option<u64> {
    let (seconds, hundredths) = uptime.split_whitespace().next()?.split_once('.')?;
    seconds.parse::<u64>().ok()?.checked_mul(1_000)?.checked_add(hundredths.parse::<u64>().ok()?.checked_mul(10)?)
}

fn disk(folder: &Path) -> Option<Disk> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Some(Disk { total_bytes: bytes(stat.f_blocks), free_bytes: bytes(stat.f_bavail), ..Disk::default() })
}

fn memory(meminfo: &str) -> Option<Memory> {
    let kib = |field: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(field))?;
        line.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1_024)
    };
    Some(Memory { total_bytes: kib("MemTotal")?, available_bytes: kib("MemAvailable")?, ..Memory::default() })
}

/// The kernel counts in thousandths of a degree.
fn temperature_c(text: &str) -> Option<f64> {
    Some(f64::from(text.trim().parse::<i32>().ok()?) / 1_000.0)
}

/// The firmware's bits: <https://www.raspberrypi.com/documentation/computers/os.html#get_throttled>.
fn throttling(text: &str) -> Option<Throttling> {
    let bits = u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()?;
    let any = |of: u32| bits & of != 0;
    Some(Throttling {
        now: any(0b1110),
        since_power_on: any(0b1110 << 16),
        under_voltage: any(1 << 16),
        ..Throttling::default()
    })
}

/// An eMMC tells of two kinds of its cells, in tenths of their life used, from 1 (JEDEC JESD84-B51,
/// `DEVICE_LIFE_TIME_EST`); 11 is beyond it, 0 is not told. The worse one counts.
fn wear_percent(text: &str) -> Option<u32> {
    let tenths = text.split_whitespace().filter_map(|part| u32::from_str_radix(part.trim_start_matches("0x"), 16).ok());
    tenths.max().filter(|tenths| (1..=11).contains(tenths)).map(|tenths| tenths.saturating_mul(10))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use protocol::Reported;

    use super::{memory, name, pretty_name, read, temperature_c, throttling, uptime_ms, wear_percent};

    #[test]
    fn what_the_kernel_says_is_read_and_nonsense_is_left_out() {
        assert_eq!(name("Raspberry Pi 5 Model B Rev 1.0\0").as_deref(), Some("Raspberry Pi 5 Model B Rev 1.0"));
        assert_eq!(name("\0\n"), None);
        let system = "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n";
        assert_eq!(pretty_name(system).as_deref(), Some("Debian GNU/Linux 13 (trixie)"));
        assert_eq!((uptime_ms("12.34 20.00\n"), uptime_ms("x"), uptime_ms("")), (Some(12_340), None, None));
        assert_eq!((temperature_c("48312\n"), temperature_c("hot")), (Some(48.312), None));
        let found = memory("MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  500 kB\n").unwrap();
        assert_eq!((found.total_bytes, found.available_bytes), (1_024_000, 512_000));
        assert_eq!(memory("MemTotal: 1000 kB\n"), None);
        let found = throttling("0x50005\n").unwrap();
        assert_eq!((found.now, found.since_power_on, found.under_voltage), (true, true, true));
        assert_eq!(throttling("50000").map(|found| (found.now, found.under_voltage)), Some((false, true)));
        assert_eq!((wear_percent("0x01 0x03\n"), wear_percent("0x00 0x00"), wear_percent("")), (Some(30), None, None));
    }

    #[test]
    fn this_machine_has_a_disk_memory_and_a_system() {
        let report = read(Path::new("/"), Reported::new(1, 1));
        assert!(report.disk.is_some_and(|disk| disk.total_bytes > 0));
        assert!(report.memory.is_some_and(|memory| memory.total_bytes > 0));
        assert!(report.uptime_ms.is_some());
    }
}
