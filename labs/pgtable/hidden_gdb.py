"""Lab pgtable, seen_from_outside: the page of facts as the hart's page table has it, and whether the walk told what is in memory."""
PAGE, V, R, W, X, U = 4096, 1, 2, 4, 8, 16


def judge(guest, seed):
    def look(stage):
        seen = guest.stop()
        assert seen.stage == stage, f"look {seen.stage} came when {stage} was due"
        return seen

    def word(address):
        return int.from_bytes(guest.physical(address), "little")

    def facts(stage):
        """The frame of the page, of which the program has read the process id at `at`."""
        seen = look(stage)
        entry = guest.entry(seen.at)
        assert entry & U and entry & R, "the program has read the page of facts, but its page table does not let it"
        assert not entry & W, "the program's page table lets it write the page of facts"
        assert not entry & X, "the program's page table lets it run the page of facts"
        assert word(guest.frame(entry) + seen.at % PAGE) == seen.value, "the frame of the page of facts does not hold the process id"
        return guest.frame(entry)

    def walk(stage):
        """The call has put at `at` what it found for the address `value`."""
        seen, found = look(stage), []
        told = [word(guest.frame(guest.entry(seen.at)) + seen.at % PAGE + 8 * i) for i in range(3)]
        table = (guest.register("satp") & ((1 << 44) - 1)) * PAGE
        for level in (2, 1, 0):
            found.append(word(table + (seen.value >> (12 + 9 * level) & 511) * 8))
            table = guest.frame(found[-1])
        assert all(entry & V for entry in found), "a page that was just read is not there"
        assert told == found, f"the walk told {[hex(e) for e in told]}, but in memory there is {[hex(e) for e in found]}"

    mine = facts(1)
    walk(2)
    walk(3)
    assert facts(4) != mine, "parent and child have one page of facts"
    assert facts(5) == mine, "the page of facts has moved"
