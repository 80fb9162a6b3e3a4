# Slicenode's build. Everything built goes to out/; `make help` lists the targets.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif

PYTHON ?= /usr/bin/python3
export PYTHON

recipes := $(patsubst %/recipe,%,$(wildcard initramfs/pkg/*/recipe hv/*/recipe))
names := $(notdir $(recipes))
stamps := $(names:%=out/stamp/%)
agent_programs := $(addprefix out/agent/,sliced sliced-net sliced-import slicectl slicenode-conf slice-hotplug confine)

.PHONY: all help
all: image sbom

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 22

# The host's packages and the recipes' rules are looked at only when something is built.
ifneq ($(filter-out help clean,$(or $(MAKECMDGOALS),all)),)
missing := $(shell scripts/deps)
ifneq ($(.SHELLSTATUS),0)
$(error the host lacks packages: $(missing))
endif
out/recipes.mk: scripts/build-pkg $(recipes:%=%/recipe) $(recipes)
	@mkdir -p out && scripts/build-pkg --make $(recipes) >$@.new && mv $@.new $@
include out/recipes.mk
endif

# --- Parts of the image ---------------------------------------------------------------------------

.PHONY: fetch toolchain pkgs xen linux agent agent-programs agent-host initramfs image sbom
fetch: $(names:%=fetch-%) ## only fetch the pinned sources
toolchain: out/stamp/musl
pkgs: $(stamps) ## every third-party package
xen: out/stamp/xen ## the hypervisor and its tools
linux: out/stamp/linux out/stamp/linux-cloud ## dom0's kernel and the small guest's

agent: $(agent_programs) ## sliced, slicectl and their helpers
$(agent_programs): agent-programs
	@:
agent-programs: $(addprefix out/stamp/,xen lvm2 curl sqlite jansson nettle)
	+@$(MAKE) -s -C agent BUILD=target
agent-host: ## the agent for this machine, with sanitizers and the simulated node
	+@$(MAKE) -s -C agent BUILD=host

initramfs: out/initramfs/initramfs
out/initramfs/initramfs: scripts/mkinitramfs scripts/version $(stamps) $(agent_programs) \
		$(shell find initramfs -path initramfs/pkg -prune -o -type f -print)
	@mkdir -p out/log
	@scripts/mkinitramfs >out/log/initramfs.log || { cat out/log/initramfs.log; exit 1; }
	@tail -n 1 out/log/initramfs.log | sed 's/^/  /'

image: out/SHA256SUMS ## ISO, PXE set, slicenode.efi and SHA256SUMS
out/SHA256SUMS: $(wildcard image/*) scripts/version $(stamps) out/initramfs/initramfs
	@image/build

sbom: out/sbom.spdx.json ## what is inside, from which source, under which licence
out/sbom.spdx.json: scripts/sbom scripts/version LICENSE $(recipes:%=%/recipe)
	@scripts/sbom

# --- Guests ---------------------------------------------------------------------------------------

guest_files := scripts/mkguest $(shell find scripts/guest -type f)
.PHONY: guests guest-small guest-noboot guest-debian
guests: guest-small guest-noboot guest-debian ## guest images for tests and the demo
guest-small guest-noboot guest-debian: guest-%: out/guest/%.raw.zst
out/guest/%.raw.zst: $(guest_files) $(addprefix out/stamp/,linux-cloud busybox dropbear e2fsprogs)
	@scripts/mkguest $*

# --- What one does with it ------------------------------------------------------------------------

# Started with a clean slate: the makes that these run get no job slots from this one.
alone := env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL
GUEST ?= small
T ?= 60
CUTS ?= 200

.PHONY: run test check soak soak-cycles soak-sim bench fuzz clean
run: all guest-$(GUEST) ## boot a node in QEMU with a running slice: make run [GUEST=debian]
	@$(alone) scripts/run --guest $(GUEST) $(RUN_OPTIONS)

test: all agent-host guests ## every test level; one closing line; TESTS='unit agent' runs only these
	@$(alone) $(PYTHON) tests/run $(TESTS)

check: ## formatting, linters, layout
	@scripts/check

soak: all guest-small ## power cuts without end: make soak CUTS=200 [SEED=1]
	@$(alone) $(PYTHON) -B tests/system/power.py --cuts $(CUTS) $(if $(SEED),--seed $(SEED))

soak-cycles: all guest-small ## slices come and go on the real image: make soak-cycles CYCLES=200
	@$(alone) $(PYTHON) -B tests/system/cycles.py --cycles $(or $(CYCLES),200)

soak-sim: ## provision and terminate on the simulated node: make soak-sim CYCLES=10000
	@CYCLES=$(or $(CYCLES),10000) $(PYTHON) -B -m pytest -p no:cacheprovider -s -q tests/agent/test_exactness.py -k cycles

bench: all guests ## sizes, memory and times of the real image
	@$(alone) $(PYTHON) tests/bench/run

fuzz: ## every libFuzzer target for a minute: make fuzz T=60
	@$(alone) $(MAKE) -C tests/fuzz all-fuzz TIME=$(T)

clean: ## remove out/ (the cache stays: ~/.cache/slicenode)
	rm -rf out
