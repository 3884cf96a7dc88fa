# Two commands do everything on a fresh Debian or Ubuntu machine that has Rust and a shell with root or sudo:
#   make demo    a small office's traffic, scanned and judged
#   make test    formatting, lints, every test
# Both say what they install. As root there is more to see:
#   make demo-live     real programs in a network of kernel namespaces, and the sensor on its mirror port
#   make demo-soc      the same before Prometheus and Alertmanager, to be looked at with a browser
#   make bench-live    frames per second without loss, beside a bare libpcap receiver

SHELL := /bin/bash
CARGO ?= cargo
DEMO := target/demo

.PHONY: demo demo-live demo-soc dashboards-check dashboards-hops dashboards-pictures bench bench-short bench-compare bench-curves bench-parts bench-build bench-live bench-store test setup peers lab-setup lint-tools docs clean help

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | head -8

# Building needs a C compiler (ring, SQLite) and libpcap's headers. The lab and the tests need real clients and servers.
PACKAGES := build-essential pkg-config libpcap-dev
lab-setup demo-soc dashboards-hops dashboards-pictures test: PACKAGES += curl dnsmasq-base iproute2 openssl udhcpc
test: PACKAGES += python3-jsonschema valgrind
test peers demo-soc dashboards-hops dashboards-pictures: PACKAGES += mount python3-pip util-linux

lab-setup: setup

setup:
	@missing=""; for p in $(PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	  echo "installing:$$missing"; \
	  sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null \
	    || { echo "could not install$$missing: run as root or with sudo, on Debian or Ubuntu" >&2; exit 1; }; \
	fi
	@command -v $(CARGO) >/dev/null || { echo "cargo is missing: install Rust $$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or later (https://rustup.rs)" >&2; exit 1; }

lint-tools:
	@$(CARGO) fmt --version >/dev/null 2>&1 && $(CARGO) clippy --version >/dev/null 2>&1 \
	  || { echo "rustfmt or clippy is missing: rustup component add rustfmt clippy" >&2; exit 1; }

demo: setup
	@echo "== building the sensor"
	@$(CARGO) build --quiet --locked -p ringfence -p ringfence-tests
	@mkdir -p $(DEMO)
	@echo "== a morning in a small office, made by our own generator: $(DEMO)/office.pcap"
	@$(CARGO) run --quiet --locked -p ringfence-tests --bin office -- $(DEMO)/office.pcap
	@echo "== ringfence scan -c deploy/config/ringfence.toml $(DEMO)/office.pcap"
	@echo
	@$(CARGO) run --quiet --locked -p ringfence -- scan -c deploy/config/ringfence.toml $(DEMO)/office.pcap

demo-live: lab-setup
	@echo "== building the sensor and the lab"
	@$(CARGO) build --quiet --locked -p ringfence -p ringfence-tests
	@echo "== a network of kernel namespaces; everything is gone when it ends (40 seconds, or Ctrl-C)"
	@target/debug/lab target/debug/ringfence

bench-build: setup
	@echo "== building the sensor, optimised"
	@$(CARGO) build --quiet --locked --release -p ringfence -p ringfence-tests --bin ringfence --bin bench --example baseline

# Processor time beside the baseline, then the curves: about half an hour. The others are its parts; bench-short takes a few minutes.
bench: bench-compare bench-curves

bench-compare: bench-build
	@target/release/bench compare $(BENCH)

bench-curves: bench-build
	@target/release/bench curves --into=docs/images $(BENCH)

bench-short: bench-build
	@target/release/bench all --short --rounds=3 $(BENCH)

bench-parts: setup
	@$(CARGO) bench --quiet --locked -p ringfence-tests --bench parts $(BENCH)

# Takes about ten minutes on an idle machine: `make bench-live BENCH=--long` sends two hundred million frames instead.
bench-live: lab-setup
	@echo "== building the sensor, optimised"
	@$(CARGO) build --quiet --locked --release -p ringfence -p ringfence-tests
	@target/release/rate target/release/ringfence $(BENCH)

# A hundred thousand devices and a year of sightings: needs 4 GB of disk and a few minutes.
bench-store: lab-setup
	@echo "== building the sensor, optimised"
	@$(CARGO) build --quiet --locked --release -p ringfence -p ringfence-tests
	@target/release/remember target/release/ringfence $(BENCH)

# Real far ends (Prometheus, Alertmanager, rsyslog, NATS), unpacked below target/ and not installed: their packages would start servers.
peers: setup
	@tests/peers.sh

# With what is no part of a plain build, in the one build that is tested.
EVERY := --features ringfence-tests/kafka

test: export PEERS = required
test: setup lint-tools peers
	@echo "== formatting"
	@$(CARGO) fmt --all --check
	@echo "== lints"
	@$(CARGO) clippy --quiet --locked --workspace --all-targets $(EVERY) -- -D warnings
	@echo "== tests"
	@$(CARGO) test --quiet --locked --workspace $(EVERY)
	@echo "== rules"
	@target/debug/ringfence rules test
	@target/debug/ringfence rules coverage
	@echo "== the example configuration"
	@target/debug/ringfence check -c deploy/config/ringfence.toml

# Rewrites everything that is generated from the code's own declarations.
docs:
	@UPDATE_EXPECT=1 $(CARGO) test --quiet --workspace generated

clean:
	@$(CARGO) clean

# A SOC in small, as root: the lab, the sensor, Prometheus and Alertmanager (unpacked, not installed). It says where to look.
demo-soc: lab-setup peers
	@echo "== building the sensor and the lab"
	@$(CARGO) build --quiet --locked -p ringfence -p ringfence-tests
	@target/debug/soc target/debug/ringfence $(DEMO_SOC)

# How long a packet takes to become an alert; the table goes into dashboards/README.md.
dashboards-hops: lab-setup peers
	@$(CARGO) build --quiet --locked -p ringfence -p ringfence-tests
	@target/debug/soc target/debug/ringfence --into=dashboards/README.md

# Dashboards against the schemas of Grafana 10.1, 10.4, 11.0, 11.6 and of the time of 12, and the compose file against its own: needs
# Python and its package index.
GRAFANA_SDKS := 1769699998!10.1.0 1769699796!10.4.0 1769699734!11.0.0 1769699379!11.6.0 1769699241
dashboards-check:
	@[ -x target/dashboards/bin/python ] || python3 -m venv target/dashboards
	@target/dashboards/bin/pip install --quiet grafana-foundation-sdk check-jsonschema
	@for version in $(GRAFANA_SDKS); do \
	  echo "== grafana-foundation-sdk $$version"; sdk=target/dashboards/sdk/$$version; \
	  [ -d $$sdk ] || target/dashboards/bin/pip install --quiet --no-deps --target $$sdk "grafana-foundation-sdk==$$version" || exit 1; \
	  PYTHONPATH=$$sdk python3 dashboards/tests/schema.py dashboards/grafana/*.json || exit 1; \
	done
	@target/dashboards/bin/check-jsonschema --builtin-schema vendor.compose-spec deploy/demo/compose.yaml

# Pictures of the dashboards after eight minutes in the lab, drawn by Grafana's components: needs root, Node.js, Chromium and 640 MB.
dashboards-pictures: lab-setup peers
	@$(CARGO) build --quiet --locked -p ringfence -p ringfence-tests
	@mkdir -p target/dashboards/pictures
	@cp dashboards/pictures/* target/dashboards/pictures/
	@cd target/dashboards/pictures && npm install --silent --legacy-peer-deps --ignore-scripts --no-audit --no-fund
	@target/debug/soc target/debug/ringfence --secs=480 --data=target/dashboards/pictures/data.json
	@cd target/dashboards/pictures && node draw.mjs data.json ../../../dashboards/grafana ../../../docs/images
