"""Lab cow, seen_from_outside: whose frames are in the page tables of parent and child, and who may write them."""
PAGES, PAGE, W = 64, 4096, 4


def judge(guest, seed):
    chosen = seed % PAGES

    def look(stage):
        seen = guest.stop()
        assert seen.stage == stage, f"look {seen.stage} came when {stage} was due"
        return [guest.entry(seen.at + i * PAGE) for i in range(PAGES)]

    def words(entries):
        return [int.from_bytes(guest.physical(guest.frame(entry)), "little") for entry in entries]

    before = look(1)
    assert all(before), "the parent's pages are not there before the fork"
    contents, frames = words(before), [guest.frame(entry) for entry in before]
    assert len(set(frames)) == PAGES, "two pages have one frame before the fork"

    child = look(2)
    assert all(child), "pages that the child has read are not there"
    other = [i for i in range(PAGES) if guest.frame(child[i]) != frames[i]]
    assert not other, f"{len(other)} of {PAGES} pages that were only read have another frame in the child"
    assert not any(entry & W for entry in child), "the child may write a frame that its parent has as well"

    child = look(3)
    own = guest.frame(child[chosen])
    assert child[chosen] & W and own not in frames, "the page that the child wrote is not a copy of its own"
    assert words([child[chosen]]) == [(1 << 64) - 1], "the child's copy does not hold what it wrote"
    assert [guest.frame(entry) for i, entry in enumerate(child) if i != chosen] == \
        [frame for i, frame in enumerate(frames) if i != chosen], "one page was written, others got copies as well"

    parent = look(4)
    assert [guest.frame(entry) for entry in parent] == frames, "the parent's pages have moved, though only the child wrote"
    assert not any(entry & W for i, entry in enumerate(parent) if i != chosen), "the parent may write a frame that its child has as well"
    assert words(parent) == contents, "the parent's frames do not hold what they held before the fork"

    last = look(5)
    assert guest.frame(last[chosen ^ 1]) == frames[chosen ^ 1], "the child is gone, and its parent copies a page that it has alone"
