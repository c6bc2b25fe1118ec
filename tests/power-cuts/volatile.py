"""What a power cut leaves of a disk with a cache of its own.

QEMU's `blklogwrites` writes every request to a log, in the format of the Linux kernel's dm-log-writes. What was
written before the last flush is on the disk; of what came behind it, each block is there or is not.
"""

import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

# https://docs.kernel.org/admin-guide/device-mapper/log-writes.html
MAGIC = 0x6A736677736872
SUPER = struct.Struct("<QQQI")
ENTRY = struct.Struct("<QQQQ")
FLUSH, DISCARD = 1, 4
# What a disk writes as one, in bytes; also what the guest's file system does.
BLOCK = 4096


class BrokenLog(Exception):
    """The log does not go on to its end; the kill fell between two requests that were logged at the same time."""


@dataclass
class Request:
    """One request, as it is in the log."""

    offset: int
    data: bytes
    flush: bool


def requests(log: Path, sector_size: int) -> Iterator[Request]:
    """Reads the log. A last request that was cut off is left out: it was not answered."""
    with log.open("rb") as file:
        head = file.read(SUPER.size)
        if not head:
            # QEMU writes the head with the first request.
            return
        if len(head) < SUPER.size or SUPER.unpack(head)[0] != MAGIC:
            raise BrokenLog("no head")
        end = file.seek(0, 2)
        position = sector_size
        while position + ENTRY.size <= end:
            file.seek(position)
            sector, count, flags, _ = ENTRY.unpack(file.read(ENTRY.size))
            if count == 0 and not flags & FLUSH:
                raise BrokenLog(f"hole at {position} of {end}")
            position += sector_size
            data = b""
            if not flags & DISCARD:
                file.seek(position)
                data = file.read(count * sector_size)
                if len(data) < count * sector_size:
                    return
                position += len(data)
            yield Request(sector * sector_size, data, bool(flags & FLUSH))


def copy_sparse(source: Path, target: Path) -> None:
    """Copies a disk; holes stay holes."""
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", source, target], check=True)


@dataclass
class Survivors:
    """How much of what was not flushed is on the disk after the cut."""

    kept: int
    blocks: int


def cut(before: Path, log: Path, sector_size: int, after: Path, random: Random) -> Survivors:
    """Makes the disk `after` of the disk as it was `before`, the log, and chance."""
    all_requests = list(requests(log, sector_size))
    flushes = [index for index, request in enumerate(all_requests) if request.flush]
    last_flush = flushes[-1] if flushes else -1
    # Between a cache that lost everything and one that had written nearly all of it.
    share = random.choice((0.0, 0.1, 0.5, 0.9))
    survivors = Survivors(0, 0)
    copy_sparse(before, after)
    with after.open("r+b") as disk:
        for index, request in enumerate(all_requests):
            for start in range(0, len(request.data), BLOCK):
                if index > last_flush:
                    survivors.blocks += 1
                    if random.random() >= share:
                        continue
                    survivors.kept += 1
                disk.seek(request.offset + start)
                disk.write(request.data[start : start + BLOCK])
    return survivors
