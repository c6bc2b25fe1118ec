"""What the campaign's own judgement is worth: `python3 -m unittest` in this folder. Takes no guest."""

import tempfile
import unittest
from pathlib import Path
from random import Random

import guest
import volatile
from promises import Promises, Verdict


def boot(promises: Promises, *lines: str) -> Verdict | None:
    """Boots the guest anew and lets it say some lines. Returns the verdict if there was one."""
    promises.boot()
    verdicts = [promises.take(line) for line in ("mounting", "opening", *lines)]
    return next((verdict for verdict in verdicts if verdict is not None), None)


def look(promises: Promises, *lines: str, opened: str = "Existing boot=2 salvaged=0 damaged=0 ") -> Verdict:
    """Boots the guest anew and lets it find some things."""
    verdict = boot(promises, f"opened {opened}", *lines, "verified")
    assert verdict is not None
    return verdict


def written(*lines: str) -> Promises:
    """Returns what was promised on a new disk."""
    promises = Promises()
    boot(promises, "opened Fresh boot=1 salvaged=0 damaged=0 ", "verified", "writing", *lines)
    return promises


class PromisesTest(unittest.TestCase):
    def test_what_was_acknowledged_and_is_there_breaks_nothing(self):
        promises = written("try 1 p10 p11", "ack 1", "try 2 d10 p11", "ack 2")
        self.assertEqual(look(promises, "rows 11:2").broken(), 0)
        self.assertEqual((promises.commits, promises.operations), (2, 4))

    def test_a_row_that_is_gone_or_older_is_lost_and_counted_once(self):
        promises = written("try 1 p10 p11", "ack 1", "try 2 p10", "ack 2")
        self.assertEqual(sorted(look(promises, "rows 10:1").lost), [10, 11])
        self.assertEqual(look(promises, "rows 10:1").broken(), 0)

    def test_a_deleted_row_that_is_back_and_one_nobody_announced_have_risen(self):
        promises = written("try 1 p10", "ack 1", "try 2 d10", "ack 2")
        self.assertEqual(sorted(look(promises, "rows 10:1 77:5").risen), [10, 77])

    def test_a_commit_in_flight_is_there_or_not(self):
        for found, kept in (("rows 10:2 12:2", 1), ("rows 10:1 11:1", 0)):
            promises = written("try 1 p10 p11", "ack 1", "try 2 p10 d11 p12")
            verdict = look(promises, found)
            self.assertEqual((verdict.broken(), verdict.in_flight_kept), (0, kept))

    def test_a_commit_in_flight_of_which_half_is_there_is_torn(self):
        promises = written("try 1 p10 p11", "ack 1", "try 2 p10 d11")
        verdict = look(promises, "rows 10:2 11:1")
        self.assertEqual((verdict.torn, verdict.lost, verdict.risen), ([2], [], []))
        promises = written("try 1 p10 p11 p12", "ack 1", "try 2 p10 d11 p12")
        self.assertEqual(look(promises, "rows 10:2 11:1 12:7").lost, [12])

    def test_a_cut_in_the_opening_leaves_the_doubt_and_the_promise(self):
        promises = written("try 1 p10", "ack 1", "try 2 p11")
        self.assertIsNone(boot(promises))
        self.assertEqual(look(promises, "rows 11:2").lost, [10])

    def test_a_recording_must_be_whole_once_it_is_finished(self):
        for found, lost in (("sound 5 444 whole", []), ("sound 5 444 torn", [5]), ("sound 5 400 whole", [5])):
            promises = written("record 5", "recorded 5 444", "record 6")
            self.assertEqual(look(promises, found).lost_sounds, lost)
        promises = written("record 5", "recorded 5 444", "removing 5", "record 6")
        verdict = look(promises, "sound 5 444 whole", "sound 6 100 torn")
        self.assertEqual((verdict.broken(), verdict.risen_sounds, verdict.torn_sounds), (0, 1, 1))
        # Both are on the disk now, and one of them is as it should be.
        self.assertEqual(look(promises).lost_sounds, [5])

    def test_a_store_that_begins_anew_or_complains_has_broken_a_promise(self):
        promises = written("try 1 p10", "ack 1")
        for opened in ("Fresh boot=1 salvaged=0 damaged=0 ", "Reset boot=2 salvaged=1 damaged=0 sled panicked"):
            self.assertEqual(len(look(promises, "rows 10:1", opened=opened).complaints), 1)
        for line in ("bad calls 10", "refused 9 Sync", "exit 1", "mount failed"):
            self.assertEqual(look(promises, "rows 10:1", line).complaints, [line])


class VolatileTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.before, self.log, self.after = (Path(folder.name) / name for name in ("before", "log", "after"))
        self.before.write_bytes(b"-" * 8 * volatile.BLOCK)

    def write_log(self, *entries: tuple[int, bytes, int], tail: bytes = b"") -> None:
        size = guest.SECTOR
        log = volatile.SUPER.pack(volatile.MAGIC, 1, len(entries), size).ljust(size, b"\0")
        for offset, data, flags in entries:
            log += volatile.ENTRY.pack(offset // size, len(data) // size, flags, 0).ljust(size, b"\0") + data
        self.log.write_bytes(log + tail)

    def cut(self, seed: int) -> bytes:
        self.survivors = volatile.cut(self.before, self.log, guest.SECTOR, self.after, Random(seed))
        return self.after.read_bytes()

    def test_what_was_flushed_is_there_and_of_the_rest_any_block_may_be(self):
        block = volatile.BLOCK
        self.write_log((0, b"a" * block, 0), (0, b"", volatile.FLUSH), (block, b"b" * 4 * block, 0))
        states = set()
        for seed in range(40):
            after = self.cut(seed)
            self.assertEqual(after[:block], b"a" * block)
            self.assertEqual(after[5 * block :], b"-" * 3 * block)
            blocks = [after[at : at + block] for at in range(block, 5 * block, block)]
            self.assertTrue(all(each in (b"b" * block, b"-" * block) for each in blocks))
            self.assertEqual(blocks.count(b"b" * block), self.survivors.kept)
            states.add(tuple(each[0] for each in blocks))
        self.assertGreater(len(states), 5)

    def test_a_request_cut_off_in_the_log_was_not_answered(self):
        self.write_log((0, b"a" * 512, 0), (0, b"", volatile.FLUSH), tail=volatile.ENTRY.pack(1, 8, 0, 0).ljust(600, b"x"))
        self.assertEqual(self.cut(1)[:512], b"a" * 512)
        self.assertEqual(self.survivors.blocks, 0)

    def test_a_hole_in_the_log_is_told(self):
        self.write_log((0, b"a" * 512, 0), tail=b"\0" * 1024)
        with self.assertRaises(volatile.BrokenLog):
            self.cut(1)


class ConsoleTest(unittest.TestCase):
    def test_only_whole_lines_are_taken(self):
        lines = []
        self.assertEqual(guest.hand_over(b"ack 1\r\nack 2\nack 3", lines.append), b"ack 3")
        self.assertEqual(lines, ["ack 1", "ack 2"])

    def test_a_guest_is_killed_at_its_moment_and_what_it_said_before_is_heard(self):
        lines = []
        says_and_waits = ["sh", "-c", "echo writing; echo ack 1; exec tail -f /dev/null"]
        late = guest.run(says_and_waits, lines.append, lambda: 0.0 if "ack 1" in lines else None)
        self.assertIsNotNone(late)
        self.assertEqual(lines, ["writing", "ack 1"])
        self.assertIsNone(guest.run(["echo", "exit 0"], lines.append, lambda: None))


if __name__ == "__main__":
    unittest.main()
