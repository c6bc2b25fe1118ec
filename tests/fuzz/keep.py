#!/usr/bin/env python3
"""Takes the few inputs into a corpus that reach most of what it does not reach yet.

    keep.py CONTROL_FILE CORPUS MOST

CONTROL_FILE is what libFuzzer writes with -merge_control_file: the names of all inputs, those that are already in the
corpus first, and what each reaches that none before it did. One after the other is copied that adds most, until MOST are
taken or none adds anything.
"""

import hashlib
import pathlib
import shutil
import sys


def read(control_file):
    """Returns the inputs that are already in the corpus, and what each reaches, by its path."""
    lines = control_file.read_text().splitlines()
    inputs = [pathlib.Path(line) for line in lines[2 : 2 + int(lines[0])]]
    reached = {}
    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind == "FT":
            number, *features = rest.split()
            reached[inputs[int(number)]] = frozenset(features)
    return set(inputs[: int(lines[1])]), reached


def best(reached, known, most):
    """Returns the inputs to take, the most telling first; of those that add the same, the shortest."""
    taken = []
    left = {path: features - known for path, features in reached.items()}
    while len(taken) < most:
        left = {path: features for path, features in left.items() if features}
        if not left:
            break
        path = max(left, key=lambda path: (len(left[path]), -path.stat().st_size, path.name))
        new = left.pop(path)
        left = {other: features - new for other, features in left.items()}
        taken.append(path)
    return taken


def main(control_file, corpus, most):
    ours, reached = read(control_file)
    known = frozenset().union(*(features for path, features in reached.items() if path in ours))
    found = {path: features for path, features in reached.items() if path not in ours}
    for path in best(found, known, most):
        shutil.copyfile(path, corpus / f"found-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]))
