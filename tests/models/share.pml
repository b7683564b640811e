/* The protocol of kernel/mm/share.c: two address spaces that share one page table after fork, with one page in it.
 *
 * Process 0 has one or two threads, process 1 has one; each may write its own value and unmap, and exits. Truncation may take
 * the page out at any time. Every order of their steps is tried, with memory running out or not. What must hold:
 *   - nobody uses a table or a page that was freed, and none is freed twice (assert on counts)
 *   - nobody reads what the other wrote
 *   - at the end all tables and pages are free
 * A step is what the kernel does atomically, or under a lock that guards all that it touches. Translations are those of the
 * tables: that harts forget is tlb.c's theory.
 *
 * THREADS (1 or 2): how many process 0 has; TRUNCATION (0 or 1): whether it comes. AHEAD 1: fork copies the table at once, and the
 * page or not; truncation comes while it does so, and then nobody may have the page. BUG chooses a mistake that must be found:
 * 1 unshares without the middle table's lock, 2 who copied is never the last owner, 3 a copy leaves the original writable,
 * 4 fork copies ahead without the middle table's lock. */
#define TABLES 4
#define PAGES 6
#define NONE 0 /* what a middle table's entry is */
#define OWN 1
#define SHARED 2 /* hidden, or valid when `valid` */

bool middle_lock[2], table_lock[TABLES], writing[2], valid;
byte readers[2], threads[2], finished;
byte slot_table[2], slot_is[2];
byte owners[TABLES]; /* 0: free */
byte entry[TABLES];  /* page + 1; 0: empty */
bool writes[TABLES];
byte users[PAGES];
byte content[PAGES]; /* 0: as before fork; else 1 + who wrote */

inline new_table(t) {
    atomic {
        t = 0;
        do
        :: owners[t] != 0 -> t++
        :: else -> break
        od;
        assert(t < TABLES && entry[t] == 0);
        owners[t] = 1; writes[t] = false
    }
}
inline new_page(p) {
    atomic {
        p = 0;
        do
        :: users[p] != 0 -> p++
        :: else -> break
        od;
        assert(p < PAGES);
        users[p] = 1; content[p] = 0
    }
}
inline put_page(p) { atomic { assert(users[p] > 0); users[p]-- } }

/* The entry of table t goes, for all its owners. */
inline clear(t) {
    if
    :: entry[t] != 0 -> p = entry[t] - 1; entry[t] = 0; put_page(p)
    :: else
    fi
}
/* table_leave: with the last owner go the pages. Who drops the last reference frees before anybody can take the table. */
inline leave(t) {
    atomic { assert(owners[t] > 0); last = owners[t] == 1; if :: !last -> owners[t]-- :: else fi };
    if
    :: atomic { last -> clear(t); owners[t] = 0 }
    :: else
    fi
}

/* table_unshare; failed when out of memory. */
inline unshare(me) {
    atomic { !middle_lock[me] -> middle_lock[me] = BUG != 1; fresh = TABLES; failed = false };
    do
    :: atomic { slot_is[me] != SHARED || failed -> break }
    :: atomic { slot_is[me] == SHARED && !failed -> t = slot_table[me]; assert(owners[t] > 0) };
        if
        :: atomic { owners[t] == 1 -> slot_is[me] = OWN }
        :: owners[t] > 1 && fresh < TABLES ->
            atomic {
                !table_lock[t];
                entry[fresh] = entry[t];
                if :: BUG != 3 -> writes[t] = false :: else fi;
                if
                :: entry[t] != 0 -> assert(users[entry[t] - 1] > 0); users[entry[t] - 1]++
                :: else
                fi
            };
            atomic { slot_table[me] = fresh; slot_is[me] = OWN; fresh = TABLES };
            if :: BUG != 2 -> leave(t) :: else -> owners[t]-- fi
        :: atomic { owners[t] > 1 && fresh == TABLES -> middle_lock[me] = false };
            if
            :: new_table(fresh)
            :: failed = true
            fi;
            atomic { !middle_lock[me] -> middle_lock[me] = BUG != 1 }
        fi
    od;
    atomic {
        middle_lock[me] = false;
        if
        :: fresh < TABLES -> owners[fresh] = 0; fresh = TABLES
        :: else
        fi
    }
}

/* vm_fault for a write, until the store can be done. */
inline write_page(me) {
    atomic { !writing[me] -> readers[me]++ };
    do
    :: slot_is[me] == SHARED ->
        unshare(me);
        if :: failed -> break :: else fi
    :: slot_is[me] == NONE ->
        new_table(t);
        atomic { /* compare and swap */
            if
            :: slot_is[me] == NONE -> slot_table[me] = t; slot_is[me] = OWN
            :: else -> owners[t] = 0
            fi
        }
    :: atomic { slot_is[me] == OWN -> t = slot_table[me] };
        atomic {
            !table_lock[t] -> assert(owners[t] > 0);
            table_lock[t] = true;
            if
            :: entry[t] == 0 -> new_page(p); entry[t] = p + 1; writes[t] = true
            :: entry[t] != 0 && !writes[t] ->
                p = entry[t] - 1;
                if
                :: users[p] == 1 -> p = PAGES
                :: else -> new_page(q); content[q] = content[p]; entry[t] = q + 1; writes[t] = true; put_page(p)
                fi
            :: else
            fi
        };
        atomic { /* the look at the count, and what comes of it */
            if
            :: p == PAGES -> writes[t] = true
            :: else
            fi;
            table_lock[t] = false; p = 0
        };
        atomic { /* the store itself, if the entry is still there */
            if
            :: entry[t] != 0 && writes[t] ->
                assert(users[entry[t] - 1] == 1);
                content[entry[t] - 1] = 1 + me; break
            :: else
            fi
        }
    od;
    readers[me]--
}

/* A load that needs no fault. */
inline read_page(me) {
    atomic {
        if
        :: (slot_is[me] == OWN || (slot_is[me] == SHARED && valid)) && entry[slot_table[me]] != 0 ->
            p = entry[slot_table[me]] - 1;
            assert(users[p] > 0 && owners[slot_table[me]] > 0);
            assert(content[p] != 2 - me)
        :: else
        fi
    }
}

/* munmap of the whole block, and the end of an address space. */
inline give_up(me) {
    atomic { !middle_lock[me] -> middle_lock[me] = true; t = slot_table[me] };
    if
    :: atomic { slot_is[me] == SHARED -> slot_is[me] = NONE }; leave(t)
    :: atomic { slot_is[me] == OWN && !table_lock[t] -> clear(t); slot_is[me] = NONE; owners[t] = 0 }
    :: atomic { slot_is[me] == NONE }
    fi;
    middle_lock[me] = false
}

proctype thread(byte me; bool unmaps) {
    byte t, p, q, fresh;
    bool failed, last;

    read_page(me);
    if
    :: write_page(me)
    :: true
    fi;
    read_page(me);
    if
    :: atomic { unmaps && !writing[me] && readers[me] == 0 -> writing[me] = true };
       give_up(me);
       writing[me] = false
    :: true
    fi;
    atomic { threads[me]--; last = threads[me] == 0 };
    if
    :: last -> give_up(me)
    :: else
    fi;
    finished++
}

/* table_zap_shown, by way of each address space in turn. */
proctype truncation() {
    byte me, t, p;

    do
    :: me == 2 -> break
    :: else ->
        atomic { !middle_lock[me] -> middle_lock[me] = true; t = slot_table[me] };
        if
        :: slot_is[me] != NONE ->
            atomic { !table_lock[t] -> assert(owners[t] > 0); clear(t) }
        :: slot_is[me] == NONE
        fi;
        atomic { middle_lock[me] = false; me++ }
    od;
    finished++
}

/* table_fork_ahead: process 1 gets a table of its own. */
proctype fork_ahead() {
    byte fresh, p;

    atomic { !middle_lock[0] -> middle_lock[0] = BUG != 4 };
    new_table(fresh);
    atomic {
        !table_lock[0];
        if
        :: entry[0] != 0 -> new_page(p); content[p] = content[entry[0] - 1]; entry[fresh] = p + 1; writes[fresh] = true
        :: entry[0] != 0 -> entry[fresh] = entry[0]; users[entry[0] - 1]++; writes[0] = false
        :: entry[0] == 0
        fi
    };
    atomic { slot_table[1] = fresh; slot_is[1] = OWN };
    middle_lock[0] = false;
    finished++
}

init {
    byte i;

    if
    :: AHEAD ->
        atomic {
            owners[0] = 1; entry[0] = 1; users[0] = 1; writes[0] = true; slot_is[0] = OWN;
            run fork_ahead(); run truncation()
        };
        atomic { finished == 2 -> finished = 0 };
        for (i : 0 .. TABLES - 1) { assert(entry[i] == 0) };
        entry[0] = 1; users[0] = 1; entry[1] = 1; users[0]++; writes[0] = false; writes[1] = false;
        assert(slot_table[1] == 1);
        atomic {
            threads[0] = THREADS; threads[1] = 1;
            run thread(0, true); run thread(1, THREADS == 1);
            if :: THREADS == 2 -> run thread(0, false) :: else fi
        };
        finished == 1 + THREADS;
        goto ended
    :: else
    fi;
    atomic {
        owners[0] = 2; entry[0] = 1; users[0] = 1;
        if
        :: THREADS == 1 -> valid = true
        :: writes[0] = true
        fi;
        slot_is[0] = SHARED; slot_is[1] = SHARED;
        threads[0] = THREADS; threads[1] = 1;
        run thread(0, true); run thread(1, THREADS == 1);
        if :: THREADS == 2 -> run thread(0, false) :: else fi;
        if :: TRUNCATION -> run truncation() :: else fi
    };
    finished == 1 + THREADS + TRUNCATION;
ended:
    for (i : 0 .. TABLES - 1) { assert(owners[i] == 0) }
    for (i : 0 .. PAGES - 1) { assert(users[i] == 0) }
}
