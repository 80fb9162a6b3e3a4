# Slicenode's build. Everything built goes to out/; `make help` lists the targets.
PYTHON ?= /usr/bin/python3
RECIPES := $(patsubst %/recipe,%,$(wildcard initramfs/pkg/*/recipe hv/*/recipe))
NAMES := $(notdir $(RECIPES))
MAKEFLAGS += --no-print-directory
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif

.PHONY: all
all: image sbom

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 22

.PHONY: help deps fetch toolchain pkgs xen linux agent initramfs image sbom guest-small guest-debian
deps:
	@scripts/deps

out/recipes.mk: $(addsuffix /recipe,$(RECIPES)) scripts/build-pkg
	@mkdir -p out && scripts/build-pkg --make $(RECIPES) >$@.new && mv $@.new $@
-include out/recipes.mk
$(NAMES:%=out/stamp/%): | deps

fetch: $(NAMES:%=fetch-%) ## only fetch the pinned sources
toolchain: out/stamp/musl
xen: out/stamp/xen ## the hypervisor and its tools
linux: out/stamp/linux out/stamp/linux-cloud
pkgs: $(NAMES:%=out/stamp/%) ## every third-party package

agent: pkgs ## sliced, slicectl and their helpers
	@$(MAKE) -C agent BUILD=target

initramfs: agent
	@scripts/mkinitramfs

image: initramfs ## ISO, PXE set, slicenode.efi and SHA256SUMS
	@image/build

sbom: pkgs
	@scripts/sbom

guest-small: pkgs
	@scripts/mkguest small

guest-debian: pkgs ## the Debian guest image for tests and demo
	@scripts/mkguest debian

.PHONY: run test check bench fuzz clean
run: image guest-$(or $(GUEST),small) ## boot a node in QEMU with a running slice: make run [GUEST=debian]
	@scripts/run $(if $(GUEST),--guest $(GUEST)) $(RUN_OPTIONS)

test: all guest-small guest-debian ## every test level; one closing line
	@$(MAKE) -C agent BUILD=host
	@$(PYTHON) tests/run

check: | deps ## formatting, linters, layout
	@scripts/check

bench: image guest-small ## sizes, memory and times of the real image
	@$(PYTHON) tests/bench/run

fuzz: ## libFuzzer targets, T seconds each: make fuzz T=60
	@$(MAKE) -C tests/fuzz fuzz T=$(or $(T),60)

clean: ## remove out/ (the cache stays: ~/.cache/slicenode)
	rm -rf out
