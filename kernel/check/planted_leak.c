/*
 * Planted leaks, for CHECK=leak: memory and references that nobody has any more. Each is allocated in the line that is called
 * wrong, since that is what the check knows of it.
 */
#include "abi/fcntl.h"
#include "check/planted.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "lib/list.h"
#include "mm/slab.h"

struct item {
    struct list link;
    u64 value;
};

static struct list items = LIST_INIT(items);
static void *only;

static void add_item(struct item *item) {
    if (item)
        list_add(&item->link, &items);
}

// Two go on the list, the first comes off and is forgotten.
static void plant_leak_list(void) {
    add_item(kmalloc(sizeof(struct item), ALLOC_ZERO));  // wrong
    struct item *lost = list_first_or_null(&items, struct item, link);
    add_item(kmalloc(sizeof(struct item), ALLOC_ZERO));
    if (lost)
        list_del(&lost->link);
}

static void plant_leak_overwritten(void) {
    WRITE_ONCE(only, kmalloc(300, ALLOC_ZERO));  // wrong
    WRITE_ONCE(only, kmalloc(300, ALLOC_ZERO));
}

static void plant_leak_page(void) {
    char *page = page_alloc_va(0);  // wrong
    if (page)
        *hide(page) = 1;
}

static void plant_leak_large(void) {
    char *block = kmalloc(10000, 0);  // wrong
    if (block)
        *hide(block) = 1;
}

// The description was opened and is never closed.
static void plant_leak_file(void) {
    struct file *f = path_open(AT_FDCWD, "/", O_RDONLY, 0);  // wrong
    (void)hide(f);
}

// The inode of the writer's folder gets one reference too many. A scan does not tell: the table of inodes points to it.
static void plant_leak_inode(void) {
    struct path here;
    if (path_lookup(AT_FDCWD, ".", 0, &here))
        return;
    inode_ref(here.dentry->inode);  // wrong
    path_put(&here);
}

const struct planted leak_bugs[] = {
    {"leak_list", plant_leak_list},
    {"leak_overwritten", plant_leak_overwritten},
    {"leak_page", plant_leak_page},
    {"leak_large", plant_leak_large},
    {"leak_file", plant_leak_file},
    {"leak_inode", plant_leak_inode},
    {},
};
