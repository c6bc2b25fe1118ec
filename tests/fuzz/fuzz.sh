#!/usr/bin/env bash
# Fuzzes the readers of bytes from outside, and says what it needs and installs. Called by make.
#
#   fuzz.sh run [TARGET] [SECONDS]   fuzz one target, or each of them, for so long (60)
#   fuzz.sh keep [TARGET]            take what was found and reaches new code into the corpus
#
# What is found lies in var/fuzz/TARGET, inputs that break a promise in var/fuzz/failures: call the target with such a
# file, mend what it shows, and put the file into the corpus under a name that says what it is.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
found="$root/var/fuzz"
built="${CARGO_TARGET_DIR:-$root/target}/fuzz"

cargo_fuzz_version=0.13.2
# Longest input made up, in bytes: four times the longest the carrier sends. Longer seeds are cut.
longest=8192
# Longest input taken into a corpus, in bytes, and most files of all corpora; the rest of the 300 is for failures.
longest_kept=2048
most_files=290
# A single input that takes this long, in seconds, or this much memory, in MB, counts as a failure.
slowest=10
largest=1024

say() { printf 'fuzz: %s\n' "$*"; }
fail() {
    printf 'fuzz: %s\n' "$@" >&2
    exit 1
}

install_tools() {
    command -v rustup >/dev/null || fail "rustup is missing; the fuzzer wants the nightly compiler, which comes by it"
    command -v c++ >/dev/null || fail "a C++ compiler is missing; as root, run: apt-get install g++"
    if ! rustup run nightly rustc --version >/dev/null 2>&1; then
        say "installing the nightly compiler"
        rustup toolchain install nightly --profile minimal || fail "it could not be installed"
    fi
    if ! cargo fuzz --version >/dev/null 2>&1; then
        say "installing cargo-fuzz $cargo_fuzz_version"
        cargo install --quiet --locked --version "$cargo_fuzz_version" cargo-fuzz || fail "it could not be installed"
    fi
}

# Builds with overflow checks and debug assertions. No sanitizer: there is no unsafe code of ours to watch, and without
# one twice as much is tried.
build() {
    CARGO_TARGET_DIR=$built cargo +nightly fuzz build --fuzz-dir "$here" --sanitizer none ||
        fail "the fuzzers could not be built"
}

fuzzer() {
    printf '%s/%s/release/%s' "$built" "$(rustc -vV | sed -n 's/^host: //p')" "$1"
}

targets() {
    if [[ -n ${1:-} ]]; then
        [[ -f $here/fuzz_targets/$1.rs ]] || fail "there is no target '$1'; there are: $(targets | paste -sd ' ')"
        printf '%s\n' "$1"
    else
        find "$here/fuzz_targets" -name '*.rs' -printf '%f\n' | sed 's/\.rs$//' | sort
    fi
}

run() {
    local seconds=${2:-60} target failed=0
    for target in $(targets "${1:-}"); do
        mkdir -p "$found/$target" "$found/failures"
        say "$target for $seconds s"
        "$(fuzzer "$target")" "$found/$target" "$here/corpus/$target" -dict="$here/dictionaries/$target.dict" \
            -artifact_prefix="$found/failures/$target-" -max_total_time="$seconds" -max_len=$longest \
            -timeout=$slowest -rss_limit_mb=$largest -print_final_stats=1 2>"$found/$target.log" || failed=1
        grep -E '^stat::number_of_executed_units|^SUMMARY|panicked at|Test unit written' "$found/$target.log" || true
        grep -E '^#[0-9]+.* cov: ' "$found/$target.log" | tail -n 1
    done
    [[ $failed -eq 0 ]] || fail "a promise was broken; see $found/failures and the logs beside it"
    say "no promise was broken; 'make fuzz-keep' takes what reached new code into the corpus"
}

# Takes as many as there is room for, divided among the targets.
keep() {
    local target all merged files
    mapfile -t all < <(targets "${1:-}")
    files=$(find "$here/corpus" -type f | wc -l)
    for target in "${all[@]}"; do
        merged="$found/merged/$target"
        rm -rf "$merged" "$merged.control"
        mkdir -p "$found/$target" "$found/merged"
        cp -r "$here/corpus/$target" "$merged"
        "$(fuzzer "$target")" -merge=1 -use_counters=0 -max_len=$longest_kept -merge_control_file="$merged.control" \
            "$merged" "$found/$target" 2>"$found/$target.log" || fail "see $found/$target.log"
        "$here/keep.py" "$merged.control" "$here/corpus/$target" $(((most_files - files) / ${#all[@]}))
        say "$target: $(find "$here/corpus/$target" -type f | wc -l) files"
    done
}

case "${1:-}" in
    run | keep)
        targets "${2:-}" >/dev/null
        install_tools
        build
        "$@"
        ;;
    *) fail "say 'run' or 'keep', and which target: $(targets | paste -sd ' ')" ;;
esac
