/*
 * Files in flight: descriptors inside packets that nobody has received yet. unix(7), SCM_RIGHTS.
 *
 * A packet holds a reference to each file. Two sockets sent to each other and then closed would keep each other for ever: the
 * reference of each is in a packet of the other, which nobody can receive. So it is counted for every UNIX socket how many
 * references packets hold (in_flight), and when a descriptor of a socket is closed while there are such, garbage is looked for:
 *
 *   candidates   sockets whose file has no other references than those in packets
 *   inside       for each candidate, the references that are in packets of candidates
 *   alive        a candidate with in_flight > inside: somebody who is no candidate can still receive it; and, again and again,
 *                what is in packets of the alive
 *   garbage      the rest. Their packets are freed, which closes them.
 *
 * A listener's packets are also those of the connections that wait to be accepted.
 *
 * Why it is safe: all of it is one critical section of flight_lock, which also guards every change of in_flight. A packet not
 * yet queued, or taken off and not yet handed out, counts in in_flight but in nobody's `inside`: alive. And what nobody can reach
 * stays so.
 *
 * The search goes through all that is in flight, so it is work for a thread of its own: many closes ask for one search.
 *
 * Freeing a packet may close a socket, that frees packets, and so on: an unbounded recursion on a small stack. So packets with
 * files go on one list, and whoever finds nobody at work on it works it off; the others return at once.
 *
 * Locks: flight_lock, a listener's pending_lock, a socket's lock. Sleeps: packets_free() and the search's thread.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/resource.h"
#include "mm/slab.h"
#include "net/unix.h"
#include "sync/work.h"

enum { ALIVE, CANDIDATE };

static struct spinlock flight_lock = SPINLOCK_INIT(RANK_FLIGHT, "files in flight");
static struct list flying = LIST_INIT(flying);
static struct list discarded = LIST_INIT(discarded);  // [flight_lock] packets
static bool discarding;                               // [flight_lock] somebody works them off

static struct unix_socket *unix_of_file(struct file *f) {
    struct socket *s = socket_of(f);
    return s && s->family == AF_UNIX ? unix_of(s) : NULL;
}

/* ---- how many each user has in flight: unix(7), ETOOMANYREFS; => flight_lock held ---- */

struct sender {
    struct hlist_node hash;
    u32 uid, packets, files;
};
static struct hlist_head senders[16];

static struct sender *sender_find(u32 uid) {
    struct sender *s;
    hlist_for_each (s, &senders[uid % ARRAY_SIZE(senders)], hash)
        if (s->uid == uid)
            return s;
    return NULL;
}

static int count_flight(struct passed *p) {
    u32 uid = p->uid = current->cred->uid;
    u64 most = READ_ONCE(current->process->limit[RLIMIT_NOFILE].rlim_cur);
    struct sender *s = sender_find(uid);
    if (s && s->files > most && !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN))
        return -ETOOMANYREFS;
    if (!s) {
        s = kmalloc(sizeof(*s), ALLOC_ZERO | ALLOC_ATOMIC);
        if (!s)
            return -ENOMEM;
        s->uid = uid;
        hlist_add(&s->hash, &senders[uid % ARRAY_SIZE(senders)]);
    }
    s->packets++;
    s->files += p->count;
    return 0;
}

static void uncount_flight(const struct passed *p) {
    struct sender *s = sender_find(p->uid);
    s->files -= p->count;
    if (--s->packets == 0) {
        hlist_del(&s->hash);
        kfree(s);
    }
}

int passed_fly(struct passed *p) {
    spin_lock(&flight_lock);
    int error = count_flight(p);
    for (u32 i = 0; i < p->count && !error; i++) {
        struct unix_socket *u = unix_of_file(p->file[i]);
        if (!u)
            continue;
        u->file = p->file[i];
        if (u->in_flight++ == 0)
            list_add_tail(&u->flying, &flying);
    }
    spin_unlock(&flight_lock);
    return error;
}

void passed_land(struct passed *p) {
    spin_lock(&flight_lock);
    uncount_flight(p);
    for (u32 i = 0; i < p->count; i++) {
        struct unix_socket *u = unix_of_file(p->file[i]);
        if (u && --u->in_flight == 0)
            list_del(&u->flying);
    }
    spin_unlock(&flight_lock);
}

void packet_free(struct packet *p) {
    if (p->from && ref_put(&p->from->ref))
        kfree(p->from);
    kfree(p);
}

static void free_with_files(struct packet *p) {
    passed_land(p->files);
    passed_free(p->files);
    packet_free(p);
}

static void discard(struct list *packets) {
    struct packet *p;
    spin_lock(&flight_lock);
    list_splice_tail(packets, &discarded);
    if (!discarding) {
        discarding = true;
        while ((p = list_first_or_null(&discarded, struct packet, link))) {
            list_del(&p->link);
            spin_unlock(&flight_lock);
            free_with_files(p);
            spin_lock(&flight_lock);
        }
        discarding = false;
    }
    spin_unlock(&flight_lock);
}

void packets_free(struct list *packets) {
    struct packet *p, *next;
    struct list with_files = LIST_INIT(with_files);
    list_for_each_safe (p, next, packets, link) {
        list_del(&p->link);
        if (p->files)
            list_add_tail(&p->link, &with_files);
        else
            packet_free(p);
    }
    if (!list_empty(&with_files))
        discard(&with_files);
}

/* ---- garbage; => flight_lock held ---- */

static void each_in_queue(struct unix_socket *u, void (*fn)(struct unix_socket *)) {
    struct packet *p;
    spin_lock(&u->lock);
    list_for_each (p, &u->packets, link)
        for (u32 i = 0; p->files && i < p->files->count; i++) {
            struct unix_socket *other = unix_of_file(p->files->file[i]);
            if (other)
                fn(other);
        }
    spin_unlock(&u->lock);
}

// fn for each UNIX socket in a packet of u, or of a connection that waits for it.
static void each_inside(struct unix_socket *u, void (*fn)(struct unix_socket *)) {
    struct unix_socket *waiting;
    each_in_queue(u, fn);
    spin_lock(&u->pending_lock);
    list_for_each (waiting, &u->pending, pending_link)
        each_in_queue(waiting, fn);
    spin_unlock(&u->pending_lock);
}

static void count_inside(struct unix_socket *u) { u->inside++; }

static struct list *alive_list;
static void revive(struct unix_socket *u) {
    if (u->state == CANDIDATE) {
        u->state = ALIVE;
        list_move_tail(&u->flying, alive_list);
    }
}

static void take_queue(struct unix_socket *u, struct list *to) {
    spin_lock(&u->lock);
    list_splice_tail(&u->packets, to);
    spin_unlock(&u->lock);
}

static void take_packets(struct unix_socket *u, struct list *to) {
    struct unix_socket *waiting;
    take_queue(u, to);
    spin_lock(&u->pending_lock);
    list_for_each (waiting, &u->pending, pending_link)
        take_queue(waiting, to);
    spin_unlock(&u->pending_lock);
}

// Garbage's packets go to *packets.
static void find_garbage(struct list *packets) {
    struct unix_socket *u, *next;
    struct list candidates = LIST_INIT(candidates), alive = LIST_INIT(alive);
    alive_list = &alive;
    list_for_each_safe (u, next, &flying, flying) {
        u->inside = 0;
        u->state = ref_read(&u->file->ref) == u->in_flight ? CANDIDATE : ALIVE;
        if (u->state == CANDIDATE)
            list_move_tail(&u->flying, &candidates);
    }
    list_for_each (u, &candidates, flying)
        each_inside(u, count_inside);
    list_for_each_safe (u, next, &candidates, flying)
        if (u->in_flight > u->inside)
            revive(u);
    list_for_each (u, &alive, flying)  // grows behind u
        each_inside(u, revive);
    list_for_each (u, &candidates, flying)
        take_packets(u, packets);
    list_splice_tail(&alive, &flying);
    list_splice_tail(&candidates, &flying);
}

static void collect(struct work *w) {
    struct list packets = LIST_INIT(packets);
    (void)w;
    spin_lock(&flight_lock);
    find_garbage(&packets);
    spin_unlock(&flight_lock);
    packets_free(&packets);
}

void unix_collect(void) {
    static struct work work = {.link = LIST_INIT(work.link), .fn = collect};
    if (READ_ONCE(flying.next) != &flying)
        softwork(&work);
}
