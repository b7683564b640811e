"""What a program that knows nothing of this kernel does with memory: processes that share it, and mappings of files.

The same words must be printed everywhere; nothing depends on time, on numbers of processes or on how many harts there are.
"""
import mmap
import multiprocessing
import multiprocessing.pool
import multiprocessing.queues
import multiprocessing.shared_memory
import multiprocessing.synchronize
import multiprocessing.popen_fork
import multiprocessing.managers
import os
import resource
import tempfile

context = multiprocessing.get_context("fork")


def square(n):
    return n * n


def add(counter, lock, times):
    for _ in range(times):
        with lock:
            counter[0] += 1


def shared(format, count):
    """Numbers that forked processes share."""
    return memoryview(mmap.mmap(-1, count * 8)).cast(format)


def fill(array, start, step):
    for i in range(start, len(array), step):
        array[i] = i * 3


def relay(source, target):
    while (item := source.get()) is not None:
        target.put(item.upper())
    target.put(None)


def pools():
    with context.Pool(4) as pool:
        print("pool", sum(pool.map(square, range(1000), chunksize=7)))
        print("imap", sum(pool.imap_unordered(square, range(100))))


def counters():
    counter, lock = shared("q", 1), context.Lock()
    workers = [context.Process(target=add, args=(counter, lock, 200)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print("counter", counter[0], [worker.exitcode for worker in workers])


def arrays():
    array = shared("q", 5000)
    workers = [context.Process(target=fill, args=(array, n, 3)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print("array", sum(array))


def queues():
    there, back = context.Queue(), context.Queue()
    worker = context.Process(target=relay, args=(there, back))
    worker.start()
    for i in range(200):
        there.put(f"word {i}")
    there.put(None)
    words = list(iter(back.get, None))
    worker.join()
    print("queue", len(words), words[0], words[-1])


def write_block(name, place):
    block = multiprocessing.shared_memory.SharedMemory(name=name)
    block.buf[place:place + 5] = b"hello"
    block.close()


def blocks():
    block = multiprocessing.shared_memory.SharedMemory(create=True, size=100_000)
    workers = [context.Process(target=write_block, args=(block.name, place)) for place in (0, 50_000, 99_995)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print("block", bytes(block.buf[:5]), bytes(block.buf[50_000:50_005]), bytes(block.buf[99_995:100_000]), sum(block.buf))
    block.close()
    block.unlink()


def mappings():
    page = mmap.PAGESIZE
    with tempfile.TemporaryFile() as file:
        file.write(b"a" * 4 * page)
        file.flush()
        with mmap.mmap(file.fileno(), 4 * page) as shown:
            shown[page] = ord("b")
            shown.flush()
            file.seek(page)
            print("file", file.read(2), shown.find(b"b"), shown.rfind(b"a"))
            shown.resize(16 * page)
            print("resized", len(shown), os.fstat(file.fileno()).st_size, shown[15 * page])
            shown.madvise(mmap.MADV_WILLNEED)
            shown.move(0, page, page)
            print("moved", shown[0:2])
        with mmap.mmap(file.fileno(), page, access=mmap.ACCESS_COPY) as copy:
            copy[0] = ord("c")
            file.seek(0)
            print("copy", copy[0:1], file.read(1))
    with mmap.mmap(-1, 64 * page, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory[10 * page] = 1
        memory.madvise(mmap.MADV_DONTNEED)
        print("dropped", memory[10 * page])
        memory.resize(1024 * page)
        memory[1023 * page] = 7
        print("grown", memory[1023 * page], len(memory) // page)


def sealed():
    fd = os.memfd_create("words", os.MFD_ALLOW_SEALING)
    os.write(fd, b"sealed words")
    import fcntl
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK)
    try:
        os.write(fd, b"more")
    except PermissionError as error:
        print("memfd", error.strerror, os.pread(fd, 6, 0), fcntl.fcntl(fd, fcntl.F_GET_SEALS))
    os.close(fd)


def big_child():
    blob = bytearray(16 << 20)
    for i in range(0, len(blob), 4096):
        blob[i] = i >> 12 & 255
    before = sum(blob[::4096])
    pid = os.fork()
    if pid == 0:
        for i in range(0, len(blob), 8192):
            blob[i] = 0
        os._exit(sum(blob[::4096]) % 200)
    status = os.waitpid(pid, 0)[1]
    print("fork", before == sum(blob[::4096]), os.waitstatus_to_exitcode(status))


def limited():
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))
        try:
            bytearray(1 << 30)
        except MemoryError:
            os._exit(3)
        os._exit(4)
    print("limit", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


for part in (pools, counters, arrays, queues, blocks, mappings, sealed, big_child, limited):
    part()
print("end 1")
