#!/usr/bin/env bash
# Runs every test: unit and integration tests (the decision replays of tests/calls among them), doc tests. Prints the
# time each part took. A part of which a test fails does not keep the next from running.
set -euo pipefail

failed=0

step() {
    local name=$1 started=$SECONDS
    shift
    printf 'test: %s\n' "$name"
    if "$@"; then
        printf 'test: %s, %d s\n' "$name" "$((SECONDS - started))"
    else
        failed=1
        printf 'test: FAILED in "%s" after %d s\n' "$name" "$((SECONDS - started))" >&2
    fi
}

if cargo nextest --version >/dev/null 2>&1; then
    step "building the tests" cargo nextest run --workspace --no-run
    ((failed)) && exit 1
    step "tests" cargo nextest run --workspace -E 'not package(e2e)'
    # Whole calls wait more than they compute: several share a core.
    step "tests of whole calls" cargo nextest run --workspace -E 'package(e2e)' --test-threads $(($(nproc) * 3))
else
    echo "test: cargo-nextest is not here, so a test that hangs is not stopped; running under cargo test"
    step "building the tests" cargo test --workspace --tests --no-run
    ((failed)) && exit 1
    step "tests" cargo test --workspace --tests --quiet
fi
step "doc tests" cargo test --workspace --doc --quiet
if ((failed)); then
    printf 'test: FAILED, see above; %d min %d s\n' "$((SECONDS / 60))" "$((SECONDS % 60))" >&2
    exit 1
fi
printf 'test: all passed in %d min %d s\n' "$((SECONDS / 60))" "$((SECONDS % 60))"
