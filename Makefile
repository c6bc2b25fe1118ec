# The commands people type. `make help` lists them; each installs what it needs first and says so.

.NOTPARALLEL:
.DEFAULT_GOAL := help

# Where rustup puts cargo, for a shell that was opened before it was installed.
export PATH := $(PATH):$(HOME)/.cargo/bin

setup := crates/xtask/setup/setup.sh
kolbox := target/release/kolbox

# The speech library that setup fetches, unless the environment names another.
with_library := ORT_DYLIB_PATH="$${ORT_DYLIB_PATH:-$(CURDIR)/.setup/onnxruntime/libonnxruntime.so}"

.PHONY: help
help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install what is missing: Debian packages, ONNX Runtime, the Hebrew diacritiser.
	@$(setup)

.PHONY: demo
demo: release gateway ## Start a box and a gateway on loopback, place seven test calls, write a few messages.
	@$(with_library) $(kolbox) demo

.PHONY: run
run: release ## Serve calls: with KOLBOX_CONFIG if set, else on loopback with development credentials.
	@$(with_library) $(kolbox) run $(if $(KOLBOX_CONFIG),,--development)

.PHONY: bench
bench: release ## Print the figures of the design beside their targets.
	@$(with_library) $(kolbox) bench

.PHONY: bench-gateway
bench-gateway: ## Connect 10,000 simulated devices to a gateway and print what it stores; OPTIONS as of kolbox-sim bench.
	@$(setup) test
	@cargo build --release --package sim --package gateway
	@target/release/kolbox-sim bench $(OPTIONS)

.PHONY: day-offline
day-offline: release gateway ## Keep the gateway away for HOURS (24) of 50 events a second, and tell what callers notice of the replay.
	@$(with_library) $(kolbox) bench --only offline --folder var/day-offline --hours $(or $(HOURS),24)

.PHONY: release
release: setup
	@cargo build --release --package appliance

.PHONY: gateway
gateway: setup
	@cargo build --release --package gateway

.PHONY: test
test: ## Run every test, doc test and decision replay.
	@$(setup) test
	@$(with_library) crates/xtask/setup/test.sh

.PHONY: power-cuts
power-cuts: ## Cut the power of a box in QEMU, N times (20), and look what the store lost; SEED repeats a campaign.
	@cd tests/power-cuts && python3 -m unittest --quiet
	@tests/power-cuts/campaign.py --cuts $(or $(N),20) $(if $(SEED),--seed $(SEED)) $(if $(UNSYNCED),--unsynced)

.PHONY: chaos
chaos: ## Kill and cut everything between box and gateway, ROUNDS times (500), and look what was lost; SEED repeats a campaign.
	@$(setup) test
	@cargo build --release --package chaos --package gateway
	@target/release/kolbox-chaos --rounds $(or $(ROUNDS),500) $(if $(SEED),--seed $(SEED)) $(if $(BREAK),--break $(BREAK))

.PHONY: fuzz
fuzz: ## Fuzz TARGET (each of them) for SECONDS (60): forms, bodies, frames, markup, call logs; needs nightly Rust.
	@tests/fuzz/fuzz.sh run '$(TARGET)' $(or $(SECONDS),60)

.PHONY: fuzz-keep
fuzz-keep: ## Take what fuzzing found and reaches new code into the corpora that make test replays.
	@tests/fuzz/fuzz.sh keep '$(TARGET)'

.PHONY: crm
crm: ## Kill a box KILLS times (200) while LEADS (500) are made and delivered, and look what the CRM got; SEED, BREAK=ack-early.
	@$(setup) test
	@cargo build --release --package chaos --package appliance
	@target/release/kolbox-chaos crm --kills $(or $(KILLS),200) --leads $(or $(LEADS),500) $(if $(SEED),--seed $(SEED)) $(if $(BREAK),--break $(BREAK))

.PHONY: messages
messages: ## Kill a box KILLS times (100) while MESSAGES (300) come in and are answered, look what was lost or sent twice; PROVIDER=meta, SEED, BREAK=ack-early, send-twice.
	@$(setup) test
	@cargo build --release --package chaos --package appliance
	@target/release/kolbox-chaos messages --kills $(or $(KILLS),100) --messages $(or $(MESSAGES),300) --provider $(or $(PROVIDER),twilio) $(if $(SEED),--seed $(SEED)) $(if $(BREAK),--break $(BREAK))

.PHONY: check
check: setup ## Check format, lints, docs and house rules without running the tests.
	@cargo xtask check

.PHONY: clean
clean: ## Remove what was built; what setup installed stays.
	@cargo clean
