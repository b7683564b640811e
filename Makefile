# xv39's Makefile: one page, no recursion into folders, nothing generated.
#
#   make            kernel/kernel (ELF with symbols) and fs.img, the disk with our own programs
#   make qemu       boot it           CPUS=2 MEM=128M ROOT=xv39|debian FSIMG=file APPEND="more boot arguments"
#   make qemu-gdb   boot it, waiting for a debugger: start gdb-multiarch in this folder
#   make qemu-record, then make qemu-replay: the same run once more, for a debugger that can step backwards too
#   make test       all tests         PYTEST="-k fork" chooses, PYTEST=--slow adds the slow ones
#   make test-checks  the kernel under each of its checks, fuzzing, schedules: long; make test has the short part
#   make check      style, layers, warnings as errors, and a second compiler
#   make format     put the sources in the style that make check wants
#   make bench      instructions per operation, beside Linux's
#   make trace      RUN='ls | wc' in the guest, and a picture of who ran, where and why: build/trace/trace.html (OUT, SIZE)
#   make compare-schedulers   one load under rr, o1 and cfs, as a page of plots: build/schedulers.html (SECONDS=10, OUT)
#   make book       docs/ as one page of HTML and as PDF, and the poster: build/book/
#   make clean      remove what was built
#   make lab LAB=cow OUT=dir   what students get of a lab (SEED=term UNLIKE="former terms"); make grade LAB=cow [DIR=tree]   what a tree is worth
#   make test-labs  handouts, solutions, wrong solutions and attacks on the grader, for every lab: long
#   make setup      install what is missing; the other goals do it too
#
# A variant is the same tree built otherwise, in a folder of its own: CLANG=1, STRICT=1 (-Werror), and checks of the
# kernel (docs/debugging.md), of which CHECK names one or more: CHECK="kasan ubsan", poison, leak, locks, fail, race, chaos,
# kcov; PLANT=1 adds the bugs that tests of the checks look for.

CPUS   ?= 2
MEM    ?= 128M
ROOT   ?= xv39
QEMU   ?= qemu-system-riscv64
FSIMG  ?= $(if $(filter debian,$(ROOT)),debian.img,fs.img)
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
export PATH := $(PATH):/usr/sbin:/sbin
GOALS  := $(or $(MAKECMDGOALS),all)
# A recipe is shown as one short line; V=1 shows the commands.
say     = $(if $(V),,@printf '%6s  %s\n' $1 $@;)

# What the goals need and this machine lacks is installed first; it costs a few milliseconds when nothing is.
ifneq ($(filter-out clean setup,$(GOALS)),)
ifneq ($(shell tools/setup $(GOALS) >&2 && echo ready),ready)
$(error this machine lacks tools, see above)
endif
endif

TOOLPREFIX ?= $(patsubst %gcc,%,$(firstword $(foreach t,riscv64-unknown-elf-gcc riscv64-linux-gnu-gcc \
	riscv64-elf-gcc,$(if $(shell command -v $t),$t))))
NM  := $(TOOLPREFIX)nm
AR  := $(TOOLPREFIX)ar
UCC := $(TOOLPREFIX)gcc
KCC := $(if $(CLANG),clang --target=riscv64-unknown-elf,$(TOOLPREFIX)gcc)
KLD := $(if $(CLANG),ld.lld,$(TOOLPREFIX)ld)

# ---- variants
CHECK_locks    := -DCHECK_LOCKS
CHECK_poison   := -DCHECK_POISON -DCHECK_HEAP
CHECK_leak     := -DCHECK_LEAK -DCHECK_HEAP
CHECK_chaos    := -DCHECK_CHAOS
CHECK_fail     := -DCHECK_FAIL
CHECK_kasan    := -DCHECK_KASAN -DCHECK_HEAP
CHECK_kcov     := -DCHECK_KCOV
CHECK_race     := -DCHECK_RACE
SANITIZE_ubsan := -fsanitize=undefined -fno-sanitize=alignment -Wno-array-bounds
SANITIZE_kasan := -fsanitize=kernel-address -fasan-shadow-offset=0xe0000007c0000000 -fsanitize-address-use-after-scope \
	$(addprefix --param asan-,globals=1 stack=1 instrumentation-with-call-threshold=0)
SANITIZE_kcov  := -fsanitize-coverage=trace-pc
SANITIZE_race  := $(if $(CLANG),-Xclang -fsanitize=thread $(addprefix -mllvm -tsan-,distinguish-volatile instrument-func-entry-exit=0),\
	-fsanitize=thread -Wno-tsan $(addprefix --param tsan-,distinguish-volatile=1 instrument-func-entry-exit=0))
# What a check is made of, beside check/callers.c, and the files that the compiler must not put it into.
PARTS_poison   := heap
PARTS_locks    := locks
PARTS_fail     := fail
PARTS_leak     := leak heap
PARTS_ubsan    := ubsan
PARTS_chaos    := chaos
PARTS_kasan    := kasan checked_string heap
PARTS_kcov     := kcov
PARTS_race     := race checked_string
WITHOUT_ubsan  := $(filter-out %/planted_memory.c %/planted_fuzz.c,$(wildcard kernel/check/*.c))
WITHOUT_kasan  := $(filter-out %/planted_chaos.c,$(WITHOUT_ubsan)) kernel/lib/string.c kernel/mm/slab.c
WITHOUT_kcov   := $(filter-out %/planted_fuzz.c,$(wildcard kernel/check/*.c)) $(wildcard kernel/arch/*)
WITHOUT_race   := $(filter-out %/planted_race.c,$(wildcard kernel/check/*.c)) kernel/lib/string.c kernel/sync/spin.c \
	kernel/arch/oops.c

VARIANT := $(subst $() ,-,$(strip $(if $(CLANG),clang) $(CHECK) $(if $(PLANT),plant) $(if $(STRICT),strict)))
B       := build$(if $(VARIANT),/$(VARIANT))
KERNEL  := $(if $(VARIANT),$B/kernel/kernel,kernel/kernel)
SHARED  := -std=gnu11 -O2 -g -Wall -Wextra $(if $(STRICT),-Werror) -ffreestanding -fno-pie -fno-common \
	-fno-stack-protector -fno-strict-aliasing -fno-omit-frame-pointer -mcmodel=medany -MMD -MP
# A library's own memcpy must not be turned into a call of itself.
STRING  := $(if $(CLANG),,-fno-tree-loop-distribute-patterns)

# ---- kernel: every source in every room
KSRC   := $(filter-out kernel/check/%,$(wildcard kernel/*.c kernel/*/*.c kernel/*/*/*.c kernel/*/*.S)) \
	$(patsubst %,kernel/check/%.c,$(sort $(foreach c,$(CHECK),$(PARTS_$c) callers))) $(if $(PLANT),$(wildcard kernel/check/planted*.c))
KOBJ   := $(KSRC:%=$B/obj/%.o)
KFLAGS := $(SHARED) -mabi=lp64 -march=$(if $(CLANG),rv64imac,rv64imac_zicsr_zifencei) -Ikernel -Ikernel/include \
	$(if $(CLANG),-mno-relax) $(foreach c,$(CHECK),$(CHECK_$c) -fno-optimize-sibling-calls) $(if $(PLANT),-DPLANT)

# Only arch/fpu.S knows floating-point registers.
KSFLAGS := -march=$(if $(CLANG),rv64imafdc,rv64imafdc_zicsr_zifencei)

# Part of the kernel's image, but programs run it.
VDSO    := -fomit-frame-pointer -fno-jump-tables

# ---- user: user/NAME.c or a folder user/NAME makes the program NAME; user/lib is linked to each
UDIR   := $(filter-out lib xv6,$(patsubst user/%/,%,$(sort $(dir $(wildcard user/*/*.c)))))
UNAME  := $(patsubst user/%.c,%,$(wildcard user/*.c)) $(UDIR)
UPROG  := $(UNAME:%=$B/user/%)
ULIB   := $(patsubst %,$B/obj/%.o,$(wildcard user/lib/*.c user/lib/*.S))
UFLAGS := $(SHARED) -march=rv64gc -mabi=lp64d -ffunction-sections -fdata-sections -Iuser/xv6 -I. -Ikernel/include
ULINK   = $(UCC) -march=rv64gc -mabi=lp64d -nostdlib -static -no-pie -T user/lib/user.ld \
	-Wl,--gc-sections,-z,max-page-size=4096,--build-id=none -o $@

all: $(KERNEL) $(FSIMG)
kernel: $(KERNEL)
user: $(UPROG)

# tools/ksyms links twice or more: the second time with the table of function names that an oops prints from.
$(KERNEL): $(KOBJ) kernel/kernel.ld tools/ksyms
	@mkdir -p $(@D)
	$(call say,LINK)tools/ksyms $@ '$(NM)' '$(KCC) $(KFLAGS)' \
		'$(KLD) -T kernel/kernel.ld -z max-page-size=4096 --build-id=none $(KOBJ)'

$B/obj/kernel/%.o: kernel/% Makefile
	@mkdir -p $(@D)
	$(call say,CC)$(KCC) $(KFLAGS) $(if $(findstring lib/string.,$<),$(STRING)) $(if $(filter %.S,$<),$(KSFLAGS)) \
		$(if $(filter kernel/vdso/%,$<),$(VDSO),$(foreach c,$(CHECK),$(if $(filter $(WITHOUT_$c),$<),,$(SANITIZE_$c)))) -c -o $@ $<

$B/obj/user/%.o: user/% Makefile
	@mkdir -p $(@D)
	$(call say,CC)$(UCC) $(UFLAGS) $(if $(findstring user/lib/,$<),$(STRING)) -c -o $@ $<

$B/obj/user/lib.a: $(ULIB)
	$(call say,AR)rm -f $@; $(AR) rcs $@ $^

$(filter-out $(UDIR:%=$B/user/%),$(UPROG)): $B/user/%: $B/obj/user/%.c.o $B/obj/user/lib.a user/lib/user.ld
	@mkdir -p $(@D)
	$(call say,LINK)$(ULINK) $(filter %.o %.a,$^) -lgcc

.SECONDEXPANSION:
$(UDIR:%=$B/user/%): $B/user/%: $$(addprefix $B/obj/,$$(addsuffix .o,$$(wildcard user/$$*/*.[cS]))) $B/obj/user/lib.a user/lib/user.ld
	@mkdir -p $(@D)
	$(call say,LINK)$(ULINK) $(filter %.o %.a,$^) -lgcc

# ---- disks
fs.img: $(UPROG) $(wildcard mkfs/*)
	$(call say,DISK)mkfs/xv39 $@ $(UPROG)

debian.img: $(wildcard mkfs/*) tools/fetch-debian
	$(call say,DISK)tar=$$(tools/fetch-debian busybox-static bash-static) && mkfs/debian $@ "$$tar"

# ---- running
GDBPORT  := $(shell expr 25000 + $$(id -u) % 5000)
BOARD     = -machine virt -bios default -m $(MEM) -global virtio-mmio.force-legacy=false -kernel $(KERNEL) \
	-append "root=/dev/vda rw $(APPEND)" -device virtio-blk-device,drive=d0 -device virtio-rng-device
QEMUOPTS  = $(BOARD) -smp $(CPUS) -nographic -drive file=$(FSIMG),format=raw,if=none,id=d0
# A recording has all that it needs in a folder of its own. QEMU records one hart only. Backwards means: load the state at the
# beginning and run on. QEMU before 10.2 forgets the CLINT's mtime then, so the machine begins with four instructions that set it,
# below the kernel, before it goes to the reset vector: lui t0,0x200c; sd zero,-8(t0); lui t0,1; jr t0.
RR       ?= build/rr
RROPTS    = $(subst -kernel $(KERNEL),-kernel $(RR)/kernel,$(BOARD)) -smp 1 -display none -serial stdio -monitor none -rtc clock=vm \
	-drive file=$(RR)/disk.qcow2,if=none,id=disk -drive driver=blkreplay,if=none,image=disk,id=d0 \
	-device loader,addr=0x801ff000,data=0xfe02bc230200c2b7,data-len=8 -device loader,addr=0x801ff000,cpu-num=0 \
	-device loader,addr=0x801ff008,data=0x00028067000012b7,data-len=8 -icount shift=auto,rrfile=$(RR)/log,rrsnapshot=init

qemu: all
	@tools/check-env $(QEMU)
	$(QEMU) $(QEMUOPTS)

qemu-gdb: all .gdbinit
	@tools/check-env $(QEMU)
	@echo "now start gdb-multiarch in another window, in this folder (port $(GDBPORT))"
	$(QEMU) $(QEMUOPTS) -S -gdb tcp:127.0.0.1:$(GDBPORT)

qemu-record: all
	@tools/check-env $(QEMU)
	@mkdir -p $(RR) && cp $(KERNEL) $(RR)/kernel && printf '%s' '$(RROPTS)' >$(RR)/options
	qemu-img convert -O qcow2 $(FSIMG) $(RR)/disk.qcow2
	$(QEMU) $(RROPTS),rr=record

qemu-replay: .gdbinit
	@test -s $(RR)/log || { echo "nothing is recorded: make qemu-record comes first"; exit 1; }
	@cmp -s $(KERNEL) $(RR)/kernel || echo "the kernel has changed since; tell gdb: symbol-file $(RR)/kernel"
	@echo "now start gdb-multiarch in another window, in this folder (port $(GDBPORT))"
	@eval "tools/replay $(QEMU) $$(cat $(RR)/options),rr=replay -S -gdb tcp:127.0.0.1:$(GDBPORT)"

.gdbinit: .gdbinit.tmpl
	sed 's/@PORT@/$(GDBPORT)/' $< >$@

# ---- judging
GDBS := $(foreach g,gdb-multiarch riscv64-unknown-elf-gdb riscv64-elf-gdb,$(if $(shell command -v $g),$g))
test: all
	@tools/check-env $(QEMU)
	QEMU=$(QEMU) TOOLPREFIX=$(TOOLPREFIX) $(PYTHON) -m pytest tests $(PYTEST)

# Everything about checks, traces, schedules, fuzzing and gdb, the slow parts too. Much of it waits for a clock, hence four at a time.
test-checks: all
	@tools/check-env $(QEMU)
	QEMU=$(QEMU) TOOLPREFIX=$(TOOLPREFIX) $(PYTHON) -m pytest -n 4 --dist loadgroup --slow $(PYTEST) \
		$(addprefix tests/,checks explore fuzz gdb trace)
	$(foreach g,$(filter-out $(firstword $(GDBS)),$(GDBS)),XV39_GDB=$g $(PYTHON) -m pytest tests/gdb --slow)

check:
	tools/check-layers
	tests/models/check
	@echo clang-format; clang-format --dry-run -Werror $(shell find kernel user tests/unit labs -name '*.[ch]')
	+$(MAKE) --no-print-directory -s STRICT=1 kernel user
	+$(MAKE) --no-print-directory -s STRICT=1 CLANG=1 kernel

format:
	clang-format -i $(shell find kernel user tests/unit labs -name '*.[ch]')

bench: all
	@tools/check-env $(QEMU)
	QEMU=$(QEMU) $(PYTHON) tests/bench/bench.py --baseline $(or $(BASELINE),check)

# ---- labs: a handout has one lab only, so its students need not say which
LAB ?= $(if $(word 2,$(wildcard labs/*/lab.toml)),,$(patsubst labs/%/lab.toml,%,$(wildcard labs/*/lab.toml)))
lab:
	$(if $(LAB),tools/lab handout $(LAB) $(OUT) --seed '$(SEED)' $(UNLIKE:%=--unlike '%'),tools/lab list)

grade: all
	@tools/check-env $(QEMU)
	@QEMU=$(QEMU) TOOLPREFIX=$(TOOLPREFIX) $(PYTHON) tools/lab grade $(LAB) $(DIR) --always-ok --seed '$(SEED)' --out $(or $(OUT),build/grade)

test-labs: all
	@tools/check-env $(QEMU)
	QEMU=$(QEMU) TOOLPREFIX=$(TOOLPREFIX) $(PYTHON) -m pytest -v -n 2 --dist loadgroup tests/labs --slow $(PYTEST)

# ---- seeing: RUN reaches the guest's shell as it was typed
trace: override export RUN := $(value RUN)
trace: all
	@tools/check-env $(QEMU)
	@QEMU=$(QEMU) $(PYTHON) tools/trace/run --kernel $(KERNEL) --image $(FSIMG) --cpus $(CPUS) --mem $(MEM) \
		--append "$(APPEND)" $(if $(SIZE),--size $(SIZE)) $(if $(OUT),--out $(OUT)) -- "$$RUN"

compare-schedulers: all
	@tools/check-env $(QEMU)
	@QEMU=$(QEMU) $(PYTHON) tools/compare-schedulers --kernel $(KERNEL) --image $(FSIMG) \
		$(if $(SECONDS),--seconds $(SECONDS)) $(if $(OUT),--out $(OUT))

# ---- the book: the pictures in docs/img are of docs/drawings
book:
	tools/book/draw
	tools/book/build build/book
	@echo "build/book: xv39.html, xv39.pdf, poster.svg, poster.pdf"

setup:
	tools/setup all book qemu qemu-gdb qemu-record trace test check bench

clean:
	rm -rf build kernel/kernel fs.img debian.img .gdbinit tests/logs .pytest_cache tests/__pycache__ tests/*/__pycache__

.PHONY: all kernel user qemu qemu-gdb qemu-record qemu-replay test test-checks check format bench trace compare-schedulers book setup clean lab grade test-labs
.SECONDARY:
-include $(shell find build -name '*.d' 2>/dev/null)
