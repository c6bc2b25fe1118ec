"""The guest: what it is made of, and one run of it."""

import json
import os
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = "x86_64-unknown-linux-gnu"
# Size of a request's unit in the log of the disk, in bytes.
SECTOR = 512
# A guest that says nothing for so long is broken; an emulated one boots in 5 to 30 s.
SILENCE_S = 240.0


def prepare(folder: Path) -> None:
    """Builds the writer and puts the guest together in `folder`."""
    build = ["cargo", "build", "--quiet", "--package", "store", "--example", "powercut-writer"]
    build += ["--target", TARGET, "--message-format", "json-render-diagnostics"]
    environment = os.environ | {"RUSTFLAGS": "-C target-feature=+crt-static"}
    output = subprocess.run(build, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in output.splitlines()]
    writer = next(message["executable"] for message in messages if message.get("executable"))
    subprocess.run([HERE / "guest.sh", folder, writer], check=True)


def make_disk(path: Path, size: str) -> None:
    """Makes an empty ext4 disk."""
    path.unlink(missing_ok=True)
    subprocess.run(["truncate", "-s", size, path], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-F", path], check=True, env=os.environ | {"PATH": os.environ["PATH"] + ":/sbin:/usr/sbin"})


def command(folder: Path, disk: Path, log: Path, writer: str) -> list[str]:
    """Returns how the guest is started: one processor, half a gigabyte, a console, a disk whose requests are logged."""
    # no_timer_check: on a busy machine the emulated timer is late, and the kernel would panic over it.
    cmdline = f"console=ttyS0 quiet panic=-1 no_timer_check writer={writer}"
    return [
        str(folder / "qemu"),
        *("-machine", "q35", "-accel", "tcg", "-cpu", "max", "-m", "512", "-smp", "1"),
        *("-nodefaults", "-display", "none", "-no-reboot"),
        *("-kernel", str(folder / "vmlinuz"), "-initrd", str(folder / "initramfs"), "-append", cmdline),
        # A virtio console: a line is with the host when write() returns, unlike with an emulated UART.
        *("-serial", f"file:{folder / 'kernel.log'}"),
        *("-device", "virtio-serial-pci", "-chardev", "stdio,id=console", "-device", "virtconsole,chardev=console"),
        # Requests reach the files at once: only what the guest has not asked for is lost when QEMU is killed.
        *("-blockdev", f"driver=file,node-name=disk,filename={disk}"),
        *("-blockdev", f"driver=file,node-name=log,filename={log}"),
        *("-blockdev", f"driver=blklogwrites,node-name=logged,file=disk,log=log,log-sector-size={SECTOR}"),
        *("-device", "virtio-blk-pci,drive=logged,write-cache=on"),
    ]


class Broken(Exception):
    """The guest did not do what it does."""


def run(start: list[str], take: Callable[[str], None], cut_at: Callable[[], float | None]) -> float | None:
    """Runs the guest and hands its lines over, until it ends or the moment has come at which it is killed.

    `cut_at` is asked after every line for the moment, by `time.monotonic`, once that is known. Returns how late the
    kill was, in seconds, or None if the guest ended by itself. Lines that the guest wrote before the kill are handed
    over to the last whole one.
    """
    guest = subprocess.Popen(start, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    buffer = b""
    late = None
    try:
        heard = time.monotonic()
        while True:
            moment = cut_at()
            now = time.monotonic()
            if moment is not None and now >= moment and guest.poll() is None:
                guest.kill()
                late = now - moment
                break
            if now - heard > SILENCE_S:
                raise Broken(f"the guest said nothing for {SILENCE_S:.0f} s")
            wait = SILENCE_S if moment is None else min(moment - now, SILENCE_S)
            if select.select([guest.stdout], [], [], max(wait, 0.0))[0]:
                heard = now
                some = os.read(guest.stdout.fileno(), 65536)
                if not some:
                    break
                buffer = hand_over(buffer + some, take)
        while some := os.read(guest.stdout.fileno(), 65536):
            buffer = hand_over(buffer + some, take)
        return late
    finally:
        guest.kill()
        guest.wait()
        guest.stdout.close()


def hand_over(buffer: bytes, take: Callable[[str], None]) -> bytes:
    """Hands whole lines over and returns the rest."""
    *lines, rest = buffer.split(b"\n")
    for line in lines:
        take(line.decode(errors="replace").rstrip("\r"))
    return rest
