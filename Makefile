# Slicenode's build. Everything built goes to out/; `make help` lists the targets.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif

PYTHON ?= /usr/bin/python3
export PYTHON

# In the order in which they start: first the kernel, which takes as long as all others together, then what Xen needs.
recipes := $(patsubst %/recipe,%,$(wildcard hv/*/recipe initramfs/pkg/*/recipe))
names := $(notdir $(recipes))
stamps := $(names:%=out/stamp/%)
fetching := scripts/fetch $(wildcard scripts/slicenode_sources/*.py)

# autoconf, libtool and make itself do not know of names with spaces.
ifneq ($(words $(CURDIR)),1)
$(error the folder "$(CURDIR)" has a space in its name, which the packages' build systems cannot cope with: clone into another)
endif
ifneq ($(filter-out exact move,$(PINS))$(filter-out 0 1,$(OFFLINE)),)
$(error PINS=$(PINS) OFFLINE=$(OFFLINE): only PINS=exact and OFFLINE=1 are known)
endif
export OFFLINE PINS

.PHONY: all help
all: image sbom

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 22

# Written only when it changes, while the rules are read, so that make needs no rule that always runs.
written = $(shell mkdir -p $(dir $(1)) && new=$(1).$$$$ && $(2) >$$new && if cmp -s $$new $(1); then rm $$new; else mv $$new $(1); fi)

# The host's packages and the recipes' rules are looked at only when something is built.
ifneq ($(filter-out help clean,$(or $(MAKECMDGOALS),all)),)
missing := $(shell scripts/deps)
ifneq ($(.SHELLSTATUS),0)
$(error the host lacks packages: $(or $(missing),see above))
endif
# A folder is newer when a file was added, renamed or removed.
out/recipes.mk: scripts/build-pkg $(recipes:%=%/recipe) $(shell find hv initramfs/pkg -type d)
	@mkdir -p out && scripts/build-pkg --make $(recipes) >$@.$$$$ && mv $@.$$$$ $@
# What the image is made of follows from the manifest alone.
out/manifest.mk: scripts/mkinitramfs initramfs/manifest
	@mkdir -p out && { printf 'packed :='; scripts/mkinitramfs --sources | tr '\n' ' ' | sed 's/^/ /'; echo; } >$@.$$$$ && mv $@.$$$$ $@
include out/recipes.mk out/manifest.mk

# All that is missing is fetched, or told, before anything is built: as files that make includes, these are made first.
ifneq ($(filter-out help clean check fuzz pins bump sources-bundle fetch agent-host soak-sim,$(or $(MAKECMDGOALS),all)),)
include out/fetched/image
ifneq ($(filter guests guest-debian test bench,$(MAKECMDGOALS))$(filter debian,$(GUEST)),)
include out/fetched/guest-debian
endif
endif
# Another cache has other files; and while a pin is moved, the pinned file is looked for each time.
$(call written,out/fetched/cache,echo '$(SLICENODE_CACHE) $(XDG_CACHE_HOME) $(HOME)')
ifeq ($(MAKE_RESTARTS),)
ifneq ($(wildcard out/moved/*.pins out/moved/guest/*.pins),)
out/fetched/image out/fetched/guest-debian: again
endif
endif
out/fetched/image out/fetched/guest-debian: out/fetched/cache
out/fetched/image: $(recipes:%=%/pins) $(fetching)
	@scripts/fetch image && mkdir -p $(@D) && touch $@
out/fetched/guest-debian: scripts/guest/debian/pins $(fetching) | out/fetched/image
	@scripts/fetch guest-debian && mkdir -p $(@D) && touch $@
# The version, and which pins had to be moved: with such it ends in +moved.
$(call written,out/version,{ scripts/version; cat out/moved/*.pins 2>/dev/null || :; })
# Those of the Debian guest concern it alone.
$(call written,out/version-guest,cat out/moved/guest/*.pins 2>/dev/null || :)
endif
shipped := $(yes-shipped:%=out/stamp/%)
shipped_recipes := $(foreach recipe,$(recipes),$(if $(filter $(notdir $(recipe)),$(yes-shipped)),$(recipe)/recipe))
agent_programs := $(filter out/agent/%,$(packed))

# --- Parts of the image ---------------------------------------------------------------------------

.PHONY: fetch toolchain pkgs xen linux agent agent-programs agent-host initramfs image sbom again
fetch: ## only fetch the pinned files
	@scripts/fetch all

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
out/initramfs/initramfs: scripts/mkinitramfs scripts/slicenode_build.py scripts/slicenode_cpio.py initramfs/manifest out/version $(shipped) \
		$(filter-out out/%,$(packed)) $(agent_programs)
	@mkdir -p out/log
	@scripts/mkinitramfs >out/log/initramfs.log || { cat out/log/initramfs.log; exit 1; }
	@tail -n 1 out/log/initramfs.log | sed 's/^/  /'

# What someone has removed is made again, too.
artefacts := $(addprefix out/,slicenode-$(shell scripts/version).iso slicenode.efi $(addprefix pxe/,xen.gz vmlinuz initramfs slicenode.ipxe))
ifneq ($(words $(wildcard $(artefacts))),$(words $(artefacts)))
out/SHA256SUMS: again
endif
ifeq ($(wildcard out/licenses/slicenode),)
out/sbom.spdx.json: again
endif
image: out/SHA256SUMS ## ISO, PXE set, slicenode.efi and SHA256SUMS
out/SHA256SUMS: $(filter-out image/sizes.py image/limits.json,$(wildcard image/*)) scripts/slicenode_build.py scripts/slicenode_menu.py out/version $(addprefix out/stamp/,xen linux syslinux) \
		out/initramfs/initramfs
	@image/build

.PHONY: firmware
firmware: out/firmware.cpio image ## the images once more with microcode and non-free firmware, in out/with-firmware
	@image/build --firmware
out/firmware.cpio: scripts/mkfirmware scripts/slicenode_cpio.py initramfs/firmware/pins initramfs/modules.firmware out/stamp/linux
	@scripts/mkfirmware

sbom: out/sbom.spdx.json ## what is inside, from which source, under which licence
out/sbom.spdx.json: scripts/sbom out/version LICENSE $(shipped_recipes) $(shipped_recipes:recipe=pins)
	@scripts/sbom

# --- Guests ---------------------------------------------------------------------------------------

small_files := scripts/guest/small.sh scripts/guest/pv-kernel hv/linux-cloud/modules.list $(shell find scripts/guest/small -type f)
small_stamps := $(addprefix out/stamp/,linux-cloud busybox dropbear e2fsprogs util-linux)
debian_files := scripts/guest/debian.sh scripts/guest/pv-kernel $(shell find scripts/guest/debian -type f)
.PHONY: guests guest-small guest-noboot guest-debian
guests: guest-small guest-noboot guest-debian ## guest images for tests and the demo
guest-small guest-noboot guest-debian: guest-%: out/guest/%.raw.zst
out/guest/small.raw.zst out/guest/noboot.raw.zst: out/guest/%.raw.zst: scripts/mkguest out/version $(small_files) $(small_stamps)
	@scripts/mkguest $*
out/guest/debian.raw.zst: scripts/mkguest out/version out/version-guest $(debian_files) out/stamp/e2fsprogs
	@scripts/mkguest debian

# --- What one does with it ------------------------------------------------------------------------

# Started with a clean slate: the makes that these run get no job slots from this one.
alone := env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL
GUEST ?= small
T ?= 60
CUTS ?= 200

.PHONY: run test test-hardware check soak soak-cycles soak-sim bench fuzz pins bump sources-bundle clean
run: all guest-$(GUEST) ## boot a node in QEMU with a running slice: make run [GUEST=debian]
	@$(alone) scripts/run --guest $(GUEST) $(RUN_OPTIONS)

test: all agent-host guests ## every test level; one closing line; TESTS='unit agent' runs only these
	@$(alone) $(PYTHON) tests/run $(TESTS)

test-hardware: all ## every machine and disk of tests/system/hardware.py: make test-hardware [K=nvme]
	@$(alone) HARDWARE=all $(PYTHON) tests/run system -- --dist load -k 'test_hardware$(if $(K), and ($(K)))'

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

pins: ## how the pinned files stand to what the suite offers now
	@scripts/pins status

bump: ## write new pins, build, test, say what changed: make bump [PACKAGE=xen]
	@$(alone) scripts/bump $(PACKAGE)

BUNDLE ?= out/slicenode-$(shell scripts/version)-sources.tar
sources-bundle: ## all that is needed to build without a network, as a tar file or a folder: [BUNDLE=FOLDER]
	@scripts/pins bundle "$(BUNDLE)"

clean: ## remove out/ (the cache stays: ~/.cache/slicenode)
	rm -rf out
