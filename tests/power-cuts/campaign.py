#!/usr/bin/env python3
"""Cuts the power of a guest in which the store writes, again and again, and looks what is there afterwards.

`make power-cuts N=20 SEED=1`; see README.md beside this file. Ends with 0 if every promise was kept.
"""

import argparse
import fcntl
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import guest
import volatile
from promises import Promises, Verdict

# Large enough that the store's reserve stays free, small enough to be copied for each cut.
DISK_SIZE = "192M"
# How long after the mount a cut in the opening comes, in seconds.
OPENING_S = (0.0, 1.2)
# How many commits come before a cut in the writing, and how long after the last of them it comes, in seconds: counting
# commits makes campaigns on a busy machine as long as those on an idle one, the moment after it hits anywhere in one.
WRITING_COMMITS = 250
WRITING_S = (0.0, 0.3)
# A guest that does not get as far as the mount has not touched the disk and is started again so often.
STARTS = 3
# Share of the cuts that come while the store is being opened.
OPENING_SHARE = 0.3
# Share of the cuts at which the disk loses its own cache too.
CACHE_LOST_SHARE = 0.5
# Share of the cuts after which a new disk is begun.
NEW_DISK_SHARE = 0.15
# Numbers that one boot may use up.
NUMBERS_PER_BOOT = 1_000_000
# Complaints of one boot that are printed.
COMPLAINTS_SHOWN = 5


@dataclass
class Totals:
    """What the campaign counts."""

    cuts: int = 0
    in_opening: int = 0
    cache_lost: int = 0
    disks: int = 0
    boots: int = 0
    looks: int = 0
    opens: int = 0
    commits: int = 0
    operations: int = 0
    recordings: int = 0
    salvaged: int = 0
    damaged: int = 0
    verdicts: list[Verdict] = field(default_factory=list)

    def count(self, of: str) -> int:
        """Returns the sum of one figure over all verdicts."""
        figures = (getattr(verdict, of) for verdict in self.verdicts)
        return sum(figure if isinstance(figure, int) else len(figure) for figure in figures)

    def broken(self) -> int:
        """Returns how many promises were broken, openings that failed included."""
        return sum(verdict.broken() for verdict in self.verdicts) + self.looks - self.opens


class Campaign:
    """One campaign in one folder."""

    def __init__(self, folder: Path, random: Random, disk_kind: str) -> None:
        self.folder = folder
        self.random = random
        self.disk_kind = disk_kind
        self.totals = Totals()
        self.disk, self.before, self.log = (folder / name for name in ("disk.img", "before.img", "requests.log"))
        self.new_disk()

    def new_disk(self) -> None:
        """Begins a new disk."""
        guest.make_disk(self.disk, DISK_SIZE)
        self.promises = Promises()
        self.totals.disks += 1

    def run(self, cuts: int) -> None:
        """Cuts the power so many times and looks at the disk after each."""
        for number in range(1, cuts + 1):
            self.cut(number)
            if number == cuts or self.random.random() < NEW_DISK_SHARE:
                self.look()
                if number < cuts:
                    self.new_disk()

    def cut(self, number: int) -> None:
        """Boots, looks at what the cut before left, writes, cuts."""
        in_opening = self.random.random() < OPENING_SHARE
        delay = self.random.uniform(*(OPENING_S if in_opening else WRITING_S))
        cache_lost = self.random.random() < CACHE_LOST_SHARE
        commits_wanted = self.promises.commits + self.random.randrange(WRITING_COMMITS)
        moment: float | None = None

        def cut_at() -> float | None:
            nonlocal moment
            written = self.promises.writing and self.promises.commits >= commits_wanted
            if moment is None and (self.promises.mounted if in_opening else written):
                moment = time.monotonic() + delay
            return moment

        before = (self.promises.commits, self.promises.operations, self.promises.recordings)
        late = self.boot("write", cut_at)
        if late is None:
            # The guest died by itself; the complaints say how.
            self.judge(Verdict(complaints=self.promises.complaints() or ["the guest ended by itself"]))
        elif complaints := self.promises.complaints():
            # A commit that was refused, say: without a cut all of them succeed.
            self.totals.verdicts.append(Verdict(complaints=complaints))
            self.say_complaints(complaints)
        kept = self.lose_cache() if cache_lost else "kept all it was sent"
        self.totals.cuts += 1
        # A cut meant for the opening may come after it.
        in_opening = not self.promises.writing
        self.totals.in_opening += in_opening
        self.totals.cache_lost += cache_lost
        after = (self.promises.commits, self.promises.operations, self.promises.recordings)
        commits, operations, recordings = (now - then for now, then in zip(after, before))
        where = "in the opening" if in_opening else "in the writing"
        say(
            f"cut {number} {where}: acknowledged {commits} commits of {operations} operations, "
            f"{recordings} recordings; in flight {len(self.promises.in_flight)}; the disk {kept}"
        )
        self.totals.commits += commits
        self.totals.operations += operations
        self.totals.recordings += recordings

    def look(self) -> None:
        """Boots to look at what the last cut left, and lets the guest end by itself."""
        if self.boot("verify", lambda: None) is not None or not self.promises.verified:
            self.judge(Verdict(complaints=self.promises.complaints() or ["the store was not looked through"]))

    def boot(self, mode: str, cut_at) -> float | None:
        """Runs the guest once."""
        volatile.copy_sparse(self.disk, self.before)
        self.totals.boots += 1
        first = self.totals.boots * NUMBERS_PER_BOOT
        writer = ",".join((mode, str(self.random.getrandbits(32)), str(first), self.disk_kind))

        def take(line: str) -> None:
            verdict = self.promises.take(line)
            if verdict is not None:
                self.judge(verdict)

        late = None
        for _ in range(STARTS):
            self.log.unlink(missing_ok=True)
            self.log.touch()
            self.promises.boot()
            late = guest.run(guest.command(self.folder, self.disk, self.log, writer), take, cut_at)
            if self.promises.mounted:
                break
            say("  the guest did not start; once more")
        return late

    def judge(self, verdict: Verdict) -> None:
        """Counts a verdict and says what it is."""
        opened = self.promises.opened or "not at all"
        self.totals.looks += 1
        self.totals.opens += opened.startswith(("Existing", "Fresh"))
        self.totals.verdicts.append(verdict)
        for word in opened.split():
            name, _, figure = word.partition("=")
            if name in ("salvaged", "damaged") and figure.isdigit():
                setattr(self.totals, name, getattr(self.totals, name) + int(figure))
        say(
            f"  opened {opened}: {len(self.promises.rows)} rows, {len(self.promises.sounds)} recordings; "
            f"lost {len(verdict.lost)} rows, {len(verdict.lost_sounds)} recordings; risen {len(verdict.risen)}; "
            f"torn commits {len(verdict.torn)}; in flight and there {verdict.in_flight_kept}"
        )
        self.say_complaints(verdict.complaints)

    def say_complaints(self, complaints: list[str]) -> None:
        """Says what the guest complained of."""
        for complaint in complaints[:COMPLAINTS_SHOWN]:
            say(f"  the guest says: {complaint}")
        if len(complaints) > COMPLAINTS_SHOWN:
            say(f"  and {len(complaints) - COMPLAINTS_SHOWN} more")

    def lose_cache(self) -> str:
        """Takes from the disk what it had not flushed, and says how much."""
        try:
            survivors = volatile.cut(self.before, self.log, guest.SECTOR, self.disk, self.random)
        except volatile.BrokenLog as broken:
            return f"kept all it was sent ({broken})"
        return f"kept {survivors.kept} of {survivors.blocks} unflushed blocks"


def say(line: str) -> None:
    """Prints a line at once."""
    print(line, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=20, help="how often the power is cut")
    parser.add_argument("--seed", type=int, default=None, help="what every choice follows from; default: by chance")
    parser.add_argument("--folder", type=Path, default=guest.ROOT / ".setup/power-cuts", help="where the guest lies")
    parser.add_argument("--unsynced", action="store_true", help="skip every fsync: the counter-proof, which must fail")
    arguments = parser.parse_args()
    seed = int.from_bytes(os.urandom(4)) if arguments.seed is None else arguments.seed
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("w")
    # One campaign at a time: they would write on the same disk.
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    guest.prepare(folder)
    say(f"{arguments.cuts} cuts, seed {seed}, disk {'unsynced' if arguments.unsynced else 'synced'}")
    started = time.monotonic()
    campaign = Campaign(folder, Random(seed), "unsynced" if arguments.unsynced else "synced")
    campaign.run(arguments.cuts)
    totals = campaign.totals
    say(
        f"{totals.cuts} cuts ({totals.in_opening} in the opening, {totals.cache_lost} with the disk's cache lost) on "
        f"{totals.disks} disks in {time.monotonic() - started:.0f} s"
    )
    say(
        f"acknowledged: {totals.commits} commits of {totals.operations} operations, {totals.recordings} recordings; "
        f"lost: {totals.count('lost')} rows, {totals.count('lost_sounds')} recordings; "
        f"risen rows: {totals.count('risen')}; torn commits: {totals.count('torn')}"
    )
    say(
        f"opens: {totals.opens} of {totals.looks}; complaints: {totals.count('complaints')}; rows salvaged: "
        f"{totals.salvaged}; damaged frames seen: {totals.damaged}; in flight and there: "
        f"{totals.count('in_flight_kept')}"
    )
    say(
        f"not promised: {totals.count('torn_sounds')} unfinished recordings torn, "
        f"{totals.count('risen_sounds')} removed recordings back"
    )
    kept = totals.broken() == 0 and totals.commits > 0
    say("every promise was kept" if kept else f"FAILED: {totals.broken()} promises broken")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
