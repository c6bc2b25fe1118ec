"""What the store promised on the guest's console, and whether what is there after a cut keeps it. No input or output."""

from dataclasses import dataclass, field


@dataclass
class Verdict:
    """What one look at the store after one cut, or several in a row, found."""

    # Rows whose last acknowledged commit is not what the store holds: gone, or older.
    lost: list[int] = field(default_factory=list)
    # Rows that are there though their deletion was acknowledged, or though nobody ever announced them.
    risen: list[int] = field(default_factory=list)
    # Commits cut off in the middle of which some rows are there and some are not.
    torn: list[int] = field(default_factory=list)
    # Finished recordings that are gone or not as they were written.
    lost_sounds: list[int] = field(default_factory=list)
    # Lines in which the guest itself said that something is wrong.
    complaints: list[str] = field(default_factory=list)
    # Not promised, told for the record: unfinished recordings whose samples are not those written, and removed
    # recordings that are there again.
    torn_sounds: int = 0
    risen_sounds: int = 0
    # Commits in flight at the cut that are there all the same.
    in_flight_kept: int = 0

    def broken(self) -> int:
        """Returns how many promises were broken."""
        return sum(map(len, (self.lost, self.risen, self.torn, self.lost_sounds, self.complaints)))


class Promises:
    """Follows the console of the guest over boots and cuts of one disk."""

    def __init__(self) -> None:
        # Row to the batch that put it last, as acknowledged.
        self.rows: dict[int, int] = {}
        # Batches announced and not acknowledged: row to batch, or to None where it is deleted.
        self.in_flight: dict[int, dict[int, int | None]] = {}
        # Finished recordings and their sizes in bytes.
        self.sounds: dict[int, int] = {}
        self.sounds_in_flight: set[int] = set()
        self.sounds_removed: set[int] = set()
        self.commits = 0
        self.operations = 0
        self.recordings = 0
        self.opened: str | None = None
        self.ever_opened = False
        self._start_boot()

    def _start_boot(self) -> None:
        self.opened = None
        self.mounted = self.verified = self.writing = False
        self._complaints: list[str] = []
        self._found: dict[int, int] = {}
        self._found_sounds: dict[int, tuple[int, bool]] = {}

    def boot(self) -> None:
        """Notes that the guest starts anew. What was in flight stays in doubt until the store was looked through."""
        self._start_boot()

    def take(self, line: str) -> Verdict | None:
        """Takes one whole line of the console. Returns the verdict when the line ends the look at the store."""
        word, _, rest = line.partition(" ")
        match word:
            case "mounting":
                self.mounted = True
            case "opened":
                self.opened = rest
                self._judge_opening(rest)
            case "rows":
                for pair in rest.split():
                    number, batch = pair.split(":")
                    self._found[int(number)] = int(batch)
            case "sound":
                number, size, state = rest.split()
                self._found_sounds[int(number)] = (int(size), state == "whole")
            case "verified":
                self.verified = self.ever_opened = True
                return self._judge()
            case "writing":
                self.writing = True
            case "try":
                batch, *operations = rest.split()
                put = {int(each[1:]): int(batch) if each[0] == "p" else None for each in operations}
                self.in_flight[int(batch)] = put
            case "ack":
                self._acknowledge(int(rest))
            case "record":
                self.sounds_in_flight.add(int(rest))
            case "recorded":
                number, size = map(int, rest.split())
                self.sounds_in_flight.discard(number)
                self.sounds[number] = size
                self.recordings += 1
            case "removing":
                self.sounds.pop(int(rest), None)
                self.sounds_removed.add(int(rest))
            case "opening" | "unmounted":
                pass
            case _:
                # `bad`, `refused`, `failed`, `exit 1`, and whatever the guest's kernel has to say.
                if line != "exit 0":
                    self._complaints.append(line)
        return None

    def complaints(self) -> list[str]:
        """Returns what the guest complained of since the last verdict."""
        complaints, self._complaints = self._complaints, []
        return complaints

    def _judge_opening(self, opened: str) -> None:
        how = opened.split()[0]
        if how == "Existing" or how == "Fresh" and not self.ever_opened and not self.rows:
            return
        self._complaints.append(f"opened {opened}")

    def _acknowledge(self, batch: int) -> None:
        operations = self.in_flight.pop(batch)
        self._apply(operations)
        self.commits += 1
        self.operations += len(operations)

    def _apply(self, operations: dict[int, int | None]) -> None:
        for number, value in operations.items():
            if value is None:
                self.rows.pop(number, None)
            else:
                self.rows[number] = value

    def _judge(self) -> Verdict:
        verdict = Verdict()
        # Rows of torn commits, which are neither lost nor risen when they are as before or after the commit.
        half_way = set()
        for batch, operations in self.in_flight.items():
            there = [self._found.get(number) == value for number, value in operations.items()]
            absent = [self._found.get(number) == self.rows.get(number) for number in operations]
            if all(there):
                self._apply(operations)
                verdict.in_flight_kept += 1
            elif not all(absent):
                verdict.torn.append(batch)
                as_one_or_other = zip(operations, there, absent)
                half_way |= {number for number, after, before in as_one_or_other if after or before}
        self.in_flight.clear()
        for number in (self.rows.keys() | self._found.keys()) - half_way:
            promised, found = self.rows.get(number), self._found.get(number)
            if promised is None:
                verdict.risen.append(number)
            elif found != promised:
                verdict.lost.append(number)
        self._judge_sounds(verdict)
        verdict.complaints = self.complaints()
        # From here on what is there counts, so that a loss is counted once.
        self.rows = dict(self._found)
        return verdict

    def _judge_sounds(self, verdict: Verdict) -> None:
        for number, size in self.sounds.items():
            if self._found_sounds.get(number) != (size, True):
                verdict.lost_sounds.append(number)
        for number, (_, whole) in self._found_sounds.items():
            if number in self.sounds_removed:
                verdict.risen_sounds += 1
            elif number in self.sounds_in_flight:
                verdict.torn_sounds += not whole
            elif number not in self.sounds:
                verdict.complaints.append(f"sound {number} was never announced")
        # A recording that the opening finished is on the disk like any other, torn or not.
        self.sounds = {number: size for number, (size, whole) in self._found_sounds.items() if whole}
        self.sounds_removed = {number for number, (_, whole) in self._found_sounds.items() if not whole}
        self.sounds_in_flight.clear()
