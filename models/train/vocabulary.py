"""The closed vocabulary: reads vocabulary/*.toml and draws sentences from it.

A drawn sentence has two forms: `text`, the transcript the model shall write, and `spoken`, the words as they are said. They differ only
in digit strings: written "0541234567", spoken digit by digit. A comma in the spoken form is a short pause.
"""

from __future__ import annotations

import dataclasses
import pathlib
import random
import re
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
SLOT = re.compile(r"\{([a-z_]+)\}")
MOBILE_PREFIXES = ["050", "052", "053", "054", "055", "058"]
LANDLINE_PREFIXES = ["02", "03", "04", "08", "09"]


@dataclasses.dataclass(frozen=True)
class Sentence:
    language: str
    group: str
    text: str
    spoken: str


class Vocabulary:
    def __init__(self, language: str) -> None:
        with open(HERE / "vocabulary" / f"{language}.toml", "rb") as file:
            data = tomllib.load(file)
        assert data["language"] == language
        self.language = language
        self.groups = data["group"]
        self.slots: dict[str, list[str]] = data["slots"]
        self.niqqud: dict[str, str] = data.get("niqqud", {})
        self.digit_words = self.slots.pop("phone_digits")

    def plain_phrases(self) -> list[tuple[str, str]]:
        """(group, phrase) for every phrase without slots, once each."""
        seen: dict[str, str] = {}
        for group in self.groups:
            for phrase in group["phrases"]:
                if not SLOT.search(phrase):
                    seen.setdefault(phrase, group["name"])
        return [(group, phrase) for phrase, group in seen.items()]

    def draw(self, random_: random.Random, group_name: str | None = None) -> Sentence:
        if group_name is None:
            group = random_.choices(self.groups, weights=[g["weight"] for g in self.groups])[0]
        else:
            group = next(g for g in self.groups if g["name"] == group_name)
        return self.fill(group["name"], random_.choice(group["phrases"]), random_)

    def fill(self, group: str, phrase: str, random_: random.Random) -> Sentence:
        text, spoken = phrase, phrase
        while slot := SLOT.search(text):
            name = slot.group(1)
            if name in ("phone", "digits"):
                digits, said = self._digits(name, random_)
            else:
                digits = said = random_.choice(self.slots[name])
            text = text.replace(slot.group(0), digits, 1)
            spoken = spoken.replace(slot.group(0), said, 1)
        return Sentence(self.language, group, text, spoken)

    def say_digits(self, groups: list[str], random_: random.Random) -> str:
        """The words of a digit string, with a pause between its groups."""
        said = []
        for group in groups:
            words = [self.digit_words[int(digit)] for digit in group]
            if self.language == "en" and random_.random() < 0.35:
                words = ["oh" if word == "zero" else word for word in words]
            said.append(" ".join(words))
        return (", " if random_.random() < 0.7 else " ").join(said)

    def _digits(self, kind: str, random_: random.Random) -> tuple[str, str]:
        if kind == "phone":
            groups = self._phone_groups(random_)
        else:
            length = random_.choices([2, 3, 4, 5, 6, 7, 8, 9], weights=[4, 8, 6, 4, 4, 8, 2, 2])[0]
            groups = _split("".join(random_.choice("0123456789") for _ in range(length)), random_)
        return "".join(groups), self.say_digits(groups, random_)

    def _phone_groups(self, random_: random.Random) -> list[str]:
        rest = "".join(random_.choice("0123456789") for _ in range(7))
        kind = random_.random()
        if self.language == "en" and kind < 0.25:  # ten digits, 3-3-4
            number = random_.choice("23456789") + "".join(random_.choice("0123456789") for _ in range(9))
            return [number[:3], number[3:6], number[6:]]
        if kind < 0.8:
            prefix = random_.choice(MOBILE_PREFIXES)
        else:
            prefix = random_.choice(LANDLINE_PREFIXES)
        shapes = [[rest], [rest[:3], rest[3:]], [rest[:3], rest[3:5], rest[5:]], [rest[:2], rest[2:4], rest[4:]]]
        return [prefix, *random_.choices(shapes, weights=[3, 4, 2, 1])[0]]


def _split(digits: str, random_: random.Random) -> list[str]:
    groups = []
    while digits:
        size = min(len(digits), random_.choice([2, 3, 3, 4, 9]))
        groups.append(digits[:size])
        digits = digits[size:]
    return groups
