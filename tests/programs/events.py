"""Sockets of the UNIX domain and what waits for many of them, as Python uses them. It must print the same on every Linux."""
import array
import asyncio
import multiprocessing
import multiprocessing.connection
import os
import select
import selectors
import signal
import socket
import struct
import tempfile
import threading


def show(*what):
    print(*what, flush=True)


def pairs():
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        a, b = socket.socketpair(socket.AF_UNIX, kind)
        a.send(b"one"), a.send(b"two")
        show(kind.name, b.recv(2), b.recv(10))
        a.close()
        try:
            b.settimeout(0.05)
            show(b.recv(10))
        except (TimeoutError, ConnectionError) as e:
            show(type(e).__name__)
        b.close()


def server(folder):
    def serve(listener):
        for _ in range(20):
            s, _ = listener.accept()
            with s, s.makefile("rwb") as f:
                f.write(f.readline()[::-1])

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{folder}/name")
    listener.listen(3)
    t = threading.Thread(target=serve, args=(listener,))
    t.start()
    total = b""
    for i in range(20):
        with socket.socket(socket.AF_UNIX) as c:
            c.connect(f"{folder}/name")
            c.sendall(b"%d hello\n" % i)
            c.shutdown(socket.SHUT_WR)
            total += c.recv(100)
    t.join()
    show("served", len(total), total[-8:])


def descriptors():
    a, b = socket.socketpair()
    r, w = os.pipe()
    socket.send_fds(a, [b"x"], [w, r])
    os.close(w), os.close(r)
    data, fds, flags, _ = socket.recv_fds(b, 10, 5)
    os.write(fds[0], b"through")
    show(data, len(fds), flags, os.read(fds[1], 10))
    b.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    a.send(b"me")
    data, ancillary, _, _ = b.recvmsg(10, 100)
    pid, uid, gid = struct.unpack("3i", ancillary[0][2])
    show(data, ancillary[0][1] == socket.SCM_CREDENTIALS, pid == os.getpid(), uid == os.getuid(), gid == os.getgid())
    pid, uid, gid = struct.unpack("3i", a.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    show("peer", pid == os.getpid(), uid == os.geteuid())


def selecting():
    with selectors.EpollSelector() as s:
        ends = [socket.socketpair() for _ in range(50)]
        for i, (a, b) in enumerate(ends):
            s.register(b, selectors.EVENT_READ, i)
        show("ready", len(s.select(0)))
        for i in (3, 40, 17):
            ends[i][0].send(b"x")
        show("ready", sorted(key.data for key, _ in s.select(5)))
        s.unregister(ends[3][1])
        ends[17][1].close()
        show("ready", sorted(key.data for key, _ in s.select(5)))
    e = os.eventfd(3, os.EFD_SEMAPHORE | os.EFD_NONBLOCK)
    show("eventfd", [os.eventfd_read(e) for _ in range(3)], select.select([e], [e], [], 0)[0])


def with_asyncio(folder):
    async def answer(reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()

    async def ask(i):
        reader, writer = await asyncio.open_unix_connection(f"{folder}/aio")
        for n in range(5):
            writer.write(b"line %d of %d\n" % (n, i))
        writer.write_eof()
        text = await reader.read()
        writer.close()
        return text.count(b"LINE")

    async def run():
        async with await asyncio.start_unix_server(answer, f"{folder}/aio"):
            show("asyncio", sum(await asyncio.gather(*(ask(i) for i in range(20)))))

    asyncio.run(run())


def work(connection, n):
    for _ in range(n):
        connection.send(connection.recv() ** 2)


def processes(folder):
    here, there = multiprocessing.Pipe()
    p = multiprocessing.get_context("fork").Process(target=work, args=(there, 20))
    p.start()
    answers = []
    for i in range(20):
        here.send(i)
        answers.append(here.recv())
    p.join()
    show("pipe", sum(answers), p.exitcode)
    with multiprocessing.connection.Listener(f"{folder}/listener", "AF_UNIX", authkey=b"secret") as listener:
        pid = os.fork()
        if pid == 0:
            with multiprocessing.connection.Client(f"{folder}/listener", authkey=b"secret") as c:
                c.send({"big": "x" * 300000})
            os._exit(0)
        with listener.accept() as c:
            show("listener", len(c.recv()["big"]))
        os.waitpid(pid, 0)


def child_watched():
    signal.set_wakeup_fd(-1)
    a, b = socket.socketpair()
    b.setblocking(False)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.set_wakeup_fd(b.fileno())
    os.kill(os.getpid(), signal.SIGUSR1)
    show("woken by", a.recv(1)[0])
    signal.set_wakeup_fd(-1)


with tempfile.TemporaryDirectory() as place:
    pairs()
    server(place)
    descriptors()
    selecting()
    with_asyncio(place)
    processes(place)
    child_watched()
show("end", len(array.array("i", [0])))
