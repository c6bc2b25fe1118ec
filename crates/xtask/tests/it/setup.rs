use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

#[test]
fn a_test_runner_that_could_not_be_fetched_is_tried_again_next_time() {
    let machine = tempfile::tempdir().unwrap();
    let asked = machine.path().join("asked");
    // A cargo without nextest and without a network, which notes what it is asked to install.
    let cargo = format!("[ \"$1\" = install ] && echo \"$@\" >>'{}'\nexit 101\n", asked.display());
    furnish(machine.path(), &cargo);
    for time in 1..=2 {
        let output = set_up(machine.path());
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "tests run without it: {output:?}");
        assert!(text.contains("could not be built") && text.contains("everything is in place"), "{text}");
        assert_eq!(fs::read_to_string(&asked).unwrap().lines().count(), time, "{text}");
    }
    // With the network back it is there, and not built again.
    furnish(machine.path(), "exit 0\n");
    let text = String::from_utf8(set_up(machine.path()).stdout).unwrap();
    assert_eq!(text, "setup: everything is in place\n");
}

/// Puts a copy of the script and stand-ins for what it looks for into `machine`; everything is in place but nextest.
fn furnish(machine: &Path, cargo: &str) {
    let (scripts, programs) = (machine.join("crates/xtask/setup"), machine.join("bin"));
    let library = machine.join(".setup/nakdimon");
    for folder in [&scripts, &programs, &library] {
        fs::create_dir_all(folder).unwrap();
    }
    let script = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("setup/setup.sh")).unwrap();
    let digest = script.lines().find_map(|line| line.strip_prefix("nakdimon_digest=")).unwrap();
    fs::write(library.join("nakdimon.onnx"), "a stand-in").unwrap();
    fs::write(library.join("stamp"), format!("{digest}\n")).unwrap();
    fs::write(scripts.join("setup.sh"), &script).unwrap();
    fs::write(machine.join("library.so"), "a stand-in").unwrap();
    let programs_there = [("cargo", cargo), ("rustc", "echo rustc 1.999.0\n")];
    let others = ["cc", "make", "espeak-ng", "lame", "mosquitto", "initdb", "openssl"].map(|name| (name, "exit 0\n"));
    for (name, does) in programs_there.into_iter().chain(others) {
        let file = programs.join(name);
        fs::write(&file, format!("#!/bin/sh\n{does}")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn set_up(machine: &Path) -> Output {
    Command::new("bash")
        .arg(machine.join("crates/xtask/setup/setup.sh"))
        .arg("test")
        .env("PATH", format!("{}:/usr/bin:/bin", machine.join("bin").display()))
        .env("ORT_DYLIB_PATH", machine.join("library.so"))
        .output()
        .unwrap()
}
