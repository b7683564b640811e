/*
 * The ELF format: static programs, position-independent ones, and those that name an interpreter (the dynamic loader). And
 * flat programs (abi/flat.h): what an ELF file with a single segment would be, but for the header.
 *
 * Nothing in the file is trusted. A struct image is read and checked as a whole first: header, table of program
 * headers (at most 64 KiB), then every PT_LOAD segment: inside user space, sizes that do not wrap, in rising order without
 * overlap, file offset and address equal modulo the page. Only then is anything mapped. A file shorter than its
 * segments say is mapped all the same: touching the missing pages is SIGBUS later.
 *
 * A segment becomes a private mapping of the file's pages; what its memory has beyond the file's bytes (bss) is the rest
 * of the last page, zeroed here, and anonymous memory after it. ET_DYN programs go to PIE_BASE and a random
 * distance above, the interpreter wherever there is room below the stack.
 *
 * Source: System V ABI (ELF), RISC-V ELF psABI. The address space is nobody else's yet: its lock is taken only
 * because vma_map() asks for it. May sleep.
 */
#include "abi/elf.h"
#include "abi/errno.h"
#include "abi/flat.h"
#include "abi/time.h"
#include "fs/file.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm.h"
#include "proc/exec.h"
#include "vdso/vdso.h"

#define PIE_BASE 0x2aaaaaa000ul  // two thirds of the user half
#define MAX_HEADERS 65536        // bytes of program headers
#define SMALL_SEGMENT KIB(512)   // what the cache has of code and constants is mapped at once
#define HWCAP                                                                                      \
    (1 << ('I' - 'A') | 1 << ('M' - 'A') | 1 << ('A' - 'A') | 1 << ('F' - 'A') |                   \
     1 << ('D' - 'A') | 1 << ('C' - 'A'))

struct image {
    struct file *file;
    Elf64_Ehdr header;
    Elf64_Phdr *headers;
    u64 bias;             // added to every address of the file
    u64 start, end;       // memory of all segments, page aligned, before the bias
    u64 headers_address;  // where the table is in memory, 0 if no segment holds it
};

/* ---- reading and checking ---- */

static int check_header(const Elf64_Ehdr *h) {
    if (memcmp(h->e_ident, ELFMAG, SELFMAG) || h->e_ident[EI_CLASS] != ELFCLASS64 ||
        h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != EM_RISCV ||
        (h->e_type != ET_EXEC && h->e_type != ET_DYN))
        return -ENOEXEC;
    if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 ||
        h->e_phnum * sizeof(Elf64_Phdr) > MAX_HEADERS)
        return -ENOEXEC;
    return 0;
}

static int read_headers(struct image *im, const char *head) {
    size_t n = im->header.e_phnum * sizeof(Elf64_Phdr), at = im->header.e_phoff;
    if (at > INT64_MAX - n)
        return -ENOEXEC;
    im->headers = kmalloc(n, 0);
    if (!im->headers)
        return -ENOMEM;
    if (at + n <= EXEC_HEAD) {
        memcpy(im->headers, head + at, n);
        return 0;
    }
    ssize_t got = file_read_kernel(im->file, im->headers, n, at);
    if (got < 0)
        return got;
    return got == (ssize_t)n ? 0 : -ENOEXEC;
}

static int check_segment(const Elf64_Phdr *p, u64 previous_end) {
    if (p->p_filesz > p->p_memsz || p->p_memsz > USER_TOP || p->p_vaddr > USER_TOP - p->p_memsz)
        return -EINVAL;
    if (p->p_offset > INT64_MAX - p->p_filesz || (p->p_vaddr ^ p->p_offset) & (PAGE_SIZE - 1))
        return -EINVAL;
    return p->p_vaddr < previous_end ? -EINVAL : 0;
}

static int check_segments(struct image *im) {
    const Elf64_Ehdr *h = &im->header;
    u64 end = 0;
    bool any = false;
    for (u32 i = 0; i < h->e_phnum; i++) {
        const Elf64_Phdr *p = &im->headers[i];
        if (p->p_type == PT_PHDR)
            im->headers_address = p->p_vaddr;
        if (p->p_type != PT_LOAD || p->p_memsz == 0)
            continue;
        int error = check_segment(p, end);
        if (error)
            return error;
        if (!any)
            im->start = align_down(p->p_vaddr, PAGE_SIZE);
        if (!im->headers_address && h->e_phoff >= p->p_offset &&
            h->e_phoff - p->p_offset < p->p_filesz)
            im->headers_address = p->p_vaddr + (h->e_phoff - p->p_offset);
        any = true;
        end = p->p_vaddr + p->p_memsz;
    }
    im->end = align_up(end, PAGE_SIZE);
    if (!any)
        return -ENOEXEC;
    if (h->e_type == ET_EXEC && im->start < USER_BOTTOM)
        return -EPERM;
    return h->e_entry < USER_TOP ? 0 : -EINVAL;
}

// => `head` is what im->file begins with
static int image_read(struct image *im, const char *head) {
    memcpy(&im->header, head, sizeof(im->header));
    int error = check_header(&im->header);
    if (!error)
        error = read_headers(im, head);
    if (!error)
        error = check_segments(im);
    return error;
}

// Open the program's interpreter, if it names one, as im. 0 with im->file NULL: it does not.
static int open_interpreter(struct exec *x, const struct image *program, struct image *im) {
    const Elf64_Phdr *p = program->headers, *end = p + program->header.e_phnum;
    while (p < end && p->p_type != PT_INTERP)
        p++;
    if (p == end)
        return 0;
    if (p->p_filesz < 2 || p->p_filesz > PATH_MAX || p->p_offset > INT64_MAX - PATH_MAX)
        return -ENOEXEC;
    char *path = kmalloc(p->p_filesz, 0);
    if (!path)
        return -ENOMEM;
    ssize_t n = file_read_kernel(program->file, path, p->p_filesz, p->p_offset);
    int error = n < 0 ? n : 0;
    if (!error && (n != (ssize_t)p->p_filesz || path[n - 1]))
        error = -ENOEXEC;
    if (!error) {
        im->file = path_open_exec(path, AT_FDCWD);
        if (IS_ERR(im->file)) {
            error = PTR_ERR(im->file);
            im->file = NULL;
        }
    }
    kfree(path);
    if (error)
        return error;
    error = exec_read_head(x, im->file);
    if (!error)
        error = image_read(im, x->head);
    return error == -ENOEXEC ? -ELIBBAD
                             : error;  // not another format's turn: x->head is the interpreter's
}

static void image_free(struct image *im) {
    kfree(im->headers);
    if (im->file)
        file_put(im->file);
}

/* ---- mapping ---- */

static long map_locked(struct mm *mm, const struct vma_request *r) {
    write_lock(&mm->lock);
    long addr = vma_map(mm, r);
    write_unlock(&mm->lock);
    return addr;
}

static u32 segment_flags(const Elf64_Phdr *p) {
    u32 flags = VM_MAYWRITE;
    if (p->p_flags & PF_R)
        flags |= VM_READ;
    if (p->p_flags & PF_W)
        flags |= VM_WRITE | VM_ACCOUNT;
    if (p->p_flags & PF_X)
        flags |= VM_EXEC;
    return flags;
}

static int map_file(struct mm *mm, const struct image *im, const Elf64_Phdr *p, u64 start,
                    u64 end) {
    struct vma_request r = {
        .addr = start,
        .length = end - start,
        .fixed = true,
        .flags = segment_flags(p),
        .pgoff = p->p_offset >> PAGE_SHIFT,
        .file = im->file,
    };
    if (!im->file->ops->mmap)
        return -ENOEXEC;
    int error = im->file->ops->mmap(im->file, &r);
    if (error)
        return error;
    long addr = map_locked(mm, &r);
    if (addr < 0)
        return addr;
    if (!(p->p_flags & PF_W) && r.length <= SMALL_SEGMENT)
        vm_map_cached(mm, start, end);
    return 0;
}

static int map_zeroes(struct mm *mm, const Elf64_Phdr *p, u64 start, u64 end) {
    struct vma_request r = {
        .addr = start,
        .length = end - start,
        .fixed = true,
        .flags = segment_flags(p),
        .ops = &anon_vma_ops,
    };
    if (start >= end)
        return 0;
    long addr = map_locked(mm, &r);
    return addr < 0 ? addr : 0;
}

// The part of the last file page that is bss. Beyond the end of the file there is nothing to clear.
static int clear_tail(struct mm *mm, const struct image *im, const Elf64_Phdr *p, u64 from,
                      u64 to) {
    if (from >= to || !(p->p_flags & PF_W) || p->p_offset + p->p_filesz > im->file->inode->size)
        return 0;
    return mm_access(mm, from, NULL, to - from, true) == (ssize_t)(to - from) ? 0 : -ENOMEM;
}

static int map_segment(struct mm *mm, const struct image *im, const Elf64_Phdr *p) {
    u64 start = p->p_vaddr + im->bias;
    u64 file_end = start + p->p_filesz, end = align_up(start + p->p_memsz, PAGE_SIZE);
    u64 zero_start = align_up(file_end, PAGE_SIZE);
    int error = 0;
    if (p->p_filesz)
        error = map_file(mm, im, p, align_down(start, PAGE_SIZE), zero_start);
    else
        zero_start = align_down(start, PAGE_SIZE);
    if (!error)
        error = map_zeroes(mm, p, zero_start, end);
    if (!error && p->p_filesz && p->p_memsz > p->p_filesz)
        error = clear_tail(mm, im, p, file_end, min(zero_start, end));
    return error;
}

static void note_areas(struct mm *mm, const struct image *im, const Elf64_Phdr *p) {
    u64 start = p->p_vaddr + im->bias, end = start + p->p_filesz;
    if (p->p_flags & PF_X && !mm->code_end) {
        mm->code_start = start;
        mm->code_end = end;
    }
    if (p->p_flags & PF_W) {
        mm->data_start = start;
        mm->data_end = end;
    }
}

static int map_image(struct mm *mm, const struct image *im, bool program) {
    for (u32 i = 0; i < im->header.e_phnum; i++) {
        const Elf64_Phdr *p = &im->headers[i];
        if (p->p_type != PT_LOAD || p->p_memsz == 0)
            continue;
        int error = map_segment(mm, im, p);
        if (error)
            return error;
        if (program)
            note_areas(mm, im, p);
    }
    return 0;
}

// Where an image that may be anywhere goes; `at` 0: where there is room. 0 or errno.
static int place(struct mm *mm, struct image *im, u64 at) {
    u64 length = im->end - im->start;
    long addr = im->header.e_type == ET_EXEC ? (long)im->start
                : at                         ? (long)at
                                             : vma_unmapped_area(mm, 0, length);
    if (addr < 0 || addr + length > STACK_TOP)
        return -ENOMEM;
    im->bias = (u64)addr - im->start;
    return 0;
}

/* ---- the whole ---- */

static int build(struct exec *x, struct image *program, struct image *interpreter) {
    struct mm *mm = x->mm;
    int error;
    if ((error = place(mm, program, PIE_BASE + exec_offset(x, PLACE_PROGRAM))) ||
        (error = map_image(mm, program, true)))
        return error;
    mm->brk_start = mm->brk = program->end + program->bias + exec_offset(x, PLACE_HEAP);
    u64 program_entry = program->header.e_entry + program->bias;
    x->entry = program_entry;
    if (interpreter->file) {
        if ((error = place(mm, interpreter, 0)) || (error = map_image(mm, interpreter, false)))
            return error;
        x->entry = interpreter->header.e_entry + interpreter->bias;
    }
    const struct cred *c = current->cred;
    u32 euid, egid;
    exec_ids(x->file, &euid, &egid);
    const u64 auxv[] = {
        AT_SYSINFO_EHDR, VDSO,
        AT_HWCAP,        HWCAP,
        AT_PAGESZ,       PAGE_SIZE,
        AT_CLKTCK,       USER_HZ,
        AT_PHDR,         program->headers_address ? program->headers_address + program->bias : 0,
        AT_PHENT,        sizeof(Elf64_Phdr),
        AT_PHNUM,        program->header.e_phnum,
        AT_BASE,         interpreter->file ? interpreter->bias : 0,
        AT_FLAGS,        0,
        AT_ENTRY,        program_entry,
        AT_UID,          c->uid,
        AT_EUID,         euid,
        AT_GID,          c->gid,
        AT_EGID,         egid,
        AT_SECURE,       c->uid != euid || c->gid != egid,
    };
    return exec_make_stack(x, auxv, ARRAY_SIZE(auxv) / 2);
}

// => program is read and checked
static int load(struct exec *x, struct image *program) {
    struct image interpreter = {0};
    int error = open_interpreter(x, program, &interpreter);
    if (!error)
        error = exec_gather(x);
    if (!error)
        error = exec_make_mm(x);
    if (!error)
        error = build(x, program, &interpreter);
    image_free(&interpreter);
    return error;
}

static int elf_load(struct exec *x) {
    struct image program = {.file = x->file};
    int error = image_read(&program, x->head);
    if (!error)
        error = load(x, &program);
    kfree(program.headers);
    return error;
}

static int flat_load(struct exec *x) {
    const struct flat_header *h = (const void *)x->head;
    if (memcmp(h->magic, FLAT_MAGIC, sizeof(h->magic)))
        return -ENOEXEC;
    Elf64_Phdr all = {
        .p_type = PT_LOAD,
        .p_flags = PF_R | PF_W | PF_X,
        .p_vaddr = h->start,
        .p_filesz = READ_ONCE(x->file->inode->size),
        .p_memsz = h->memory,
    };
    struct image program = {.file = x->file, .headers = &all};
    program.header =
        (Elf64_Ehdr){.e_type = ET_EXEC, .e_phnum = 1, .e_phoff = ~0ul, .e_entry = h->entry};
    int error = check_segments(&program);
    return error ? error : load(x, &program);
}

const struct binfmt elf_format = {.name = "elf", .load = elf_load};
const struct binfmt flat_format = {.name = "flat", .load = flat_load};
