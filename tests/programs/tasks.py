"""Threads, child processes and signals as Python makes them. It must print the same on every system that is Linux."""
import collections
import concurrent.futures
import errno
import hashlib
import os
import queue
import resource
import select
import signal
import subprocess
import sys
import threading
import time


def show(*what):
    print(*what, flush=True)


# ---- threads

def threads_count():
    lock, total = threading.Lock(), [0]

    def count():
        for _ in range(500):
            with lock:
                total[0] += 1

    threads = [threading.Thread(target=count) for _ in range(40)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    show("counted", total[0], "alive", threading.active_count())


def condition_turns():
    turn, order, cond = [0], [], threading.Condition()

    def play(me):
        for _ in range(100):
            with cond:
                cond.wait_for(lambda: turn[0] % 3 == me)
                order.append(me)
                turn[0] += 1
                cond.notify_all()

    threads = [threading.Thread(target=play, args=(i,)) for i in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    show("turns", order == [0, 1, 2] * 100)


def limits_of_waiting():
    lock, event = threading.Lock(), threading.Event()
    lock.acquire()
    before = time.monotonic()
    show("lock", lock.acquire(timeout=0.05), "event", event.wait(0.05), "long enough", time.monotonic() - before >= 0.1)
    try:
        queue.Queue().get(timeout=0.02)
    except queue.Empty:
        show("empty")
    threading.Timer(0.02, event.set).start()
    show("event", event.wait(60))


def semaphore_and_barrier():
    semaphore, barrier, lock = threading.BoundedSemaphore(3), threading.Barrier(6), threading.Lock()
    inside, most, leaders = [0], [0], [0]

    def work():
        for _ in range(20):
            with semaphore:
                with lock:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                time.sleep(0)
                with lock:
                    inside[0] -= 1
            if barrier.wait() == 0:
                leaders[0] += 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    show("inside", most[0] <= 3, inside[0], "leaders", leaders[0])


def queues():
    jobs, results = queue.Queue(maxsize=5), queue.Queue()

    def consume():
        while (job := jobs.get()) is not None:
            results.put(job * job)
            jobs.task_done()

    threads = [threading.Thread(target=consume) for _ in range(4)]
    for t in threads:
        t.start()
    for i in range(300):
        jobs.put(i)
    jobs.join()
    for _ in threads:
        jobs.put(None)
    for t in threads:
        t.join()
    show("squares", sum(results.get() for _ in range(300)), results.qsize())


def pools():
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        show("pool", sum(pool.map(lambda n: n * 2, range(500))))
        bad = pool.submit(lambda: 1 // 0)
        show("exception", type(bad.exception()).__name__)
        digests = pool.map(lambda n: hashlib.sha256(bytes([n]) * 30000).hexdigest(), range(16))
        show("digests", hashlib.sha256("".join(digests).encode()).hexdigest())
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        show("children", sorted(pool.map(lambda n: subprocess.run(["sh", "-c", f"exit {n}"]).returncode, range(12))))


def thread_ids():
    own = threading.local()
    own.value = "main"
    seen = []

    def look():
        seen.append((hasattr(own, "value"), threading.get_native_id() != os.getpid(), os.getpid()))

    t = threading.Thread(target=look)
    t.start()
    t.join()
    show("ids", seen == [(False, True, os.getpid())], threading.main_thread().native_id == os.getpid())
    caught = []
    threading.excepthook = lambda args: caught.append(args.exc_type.__name__)
    t = threading.Thread(target=lambda: [][0])
    t.start()
    t.join()
    show("excepthook", caught)


def fork_with_threads():
    """The child has one thread, whatever the parent has."""
    stop = threading.Event()
    others = [threading.Thread(target=stop.wait) for _ in range(3)]
    for t in others:
        t.start()
    child = os.fork()
    if child == 0:
        os._exit(len(os.listdir("/proc/self/task")))
    status = os.waitpid(child, 0)[1]
    tasks = lambda: len(os.listdir("/proc/self/task"))
    limit = time.monotonic() + 60
    while tasks() > 4 and time.monotonic() < limit:  # who has been joined may still be on its way out
        time.sleep(0.01)
    show("threads of the child", os.waitstatus_to_exitcode(status), "of the parent", tasks())
    stop.set()
    for t in others:
        t.join()


# ---- child processes

def communicate():
    data = b"0123456789abcdef" * 20000
    done = subprocess.run(["cat"], input=data, stdout=subprocess.PIPE)
    show("cat", done.returncode, done.stdout == data)
    child = subprocess.Popen(["sh", "-c", "cat; echo wrong >&2; exit 3"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
    out, err = child.communicate(data)
    show("both", out == data, err, child.returncode)
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    lines = []
    for i in range(50):
        child.stdin.write(f"line {i}\n")
        lines.append(child.stdout.readline())
    child.stdin.close()
    show("lines", lines == [f"line {i}\n" for i in range(50)], child.wait(), child.stdout.read() == "")
    child.stdout.close()


def timeouts():
    try:
        subprocess.run(["sh", "-c", "echo begun; exec sleep 1000"], stdout=subprocess.PIPE, timeout=1)
    except subprocess.TimeoutExpired as expired:
        show("expired", expired.timeout)
    child = subprocess.Popen(["sleep", "1000"])
    try:
        child.wait(timeout=0.05)
    except subprocess.TimeoutExpired:
        show("still there", child.poll())
    child.terminate()
    show("terminated", child.wait())
    child = subprocess.Popen(["sleep", "1000"])
    child.kill()
    show("killed", child.wait())


def ways_to_start():
    show(subprocess.run(["sh", "-c", "pwd; echo $X"], cwd="/tmp", env={"X": "y", "PATH": os.environ["PATH"]},
                        stdout=subprocess.PIPE).stdout)
    for command in (["/nowhere/at/all"], ["/etc/passwd"]):
        try:
            subprocess.run(command)
        except OSError as error:
            show("failed", errno.errorcode[error.errno])
    try:
        subprocess.run(["true"], cwd="/nowhere")
    except OSError as error:
        show("failed", errno.errorcode[error.errno], error.filename)
    try:
        subprocess.run(["sh", "-c", "exit 7"], check=True)
    except subprocess.CalledProcessError as error:
        show("status", error.returncode)
    r, w = os.pipe()
    child = subprocess.Popen(["sh", "-c", f"echo through >&{w}"], pass_fds=[w])
    os.close(w)
    show("fd", os.read(r, 100), child.wait(), os.read(r, 100))
    os.close(r)
    child = subprocess.Popen(["sh", "-c", "kill -STOP $$; read line; exit 5"], start_new_session=True, stdin=subprocess.PIPE)
    pid, status = os.waitpid(child.pid, os.WUNTRACED)
    show("stopped", pid == child.pid, os.WIFSTOPPED(status), os.getsid(pid) == pid, os.getpgid(pid) == pid)
    child.send_signal(signal.SIGCONT)
    show("continued", os.WIFCONTINUED(os.waitpid(child.pid, os.WCONTINUED)[1]))
    child.stdin.close()
    show("ended", child.wait())
    child = os.posix_spawnp("sh", ["sh", "-c", "exit $N"], {**os.environ, "N": "9"})
    show("spawned", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    show("shell", subprocess.getoutput("yes | head -3 | wc -l"), subprocess.getstatusoutput("exit 4"))
    one = subprocess.Popen(["sh", "-c", "while echo y; do :; done"], stdout=subprocess.PIPE)
    two = subprocess.Popen(["head", "-c", "4"], stdin=one.stdout, stdout=subprocess.PIPE)
    one.stdout.close()
    show("broken pipe", two.communicate()[0], one.wait())


def deaths():
    for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL, signal.SIGALRM, signal.SIGUSR1, signal.SIGRTMIN + 3):
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.kill(os.getpid(), number)
            os._exit(0)
        info = os.waitid(os.P_PID, child, os.WEXITED)
        show("death", int(number), info.si_pid == child, info.si_status, info.si_code in (os.CLD_KILLED, os.CLD_DUMPED))


def many_children():
    children = [subprocess.Popen(["sh", "-c", f"exit {n}"]) for n in range(20)]
    show("statuses", [c.wait() for c in children])
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        more = [subprocess.Popen(["sleep", "1000"]) for _ in range(4)]
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
        os._exit(sum(c.wait() for c in more) == -4 * signal.SIGTERM)
    show("group", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def pidfds():
    child = subprocess.Popen(["sleep", "1000"])
    fd = os.pidfd_open(child.pid)
    show("pidfd", select.select([fd], [], [], 0)[0])
    signal.pidfd_send_signal(fd, signal.SIGTERM)
    show("ready", select.select([fd], [], [], 60)[0] == [fd], child.wait())
    os.close(fd)


# ---- signals

class Rung(Exception):
    pass


def ring(number, frame):
    raise Rung


def handlers():
    got = []
    signal.signal(signal.SIGUSR1, lambda number, frame: got.append(number))
    for _ in range(100):
        signal.raise_signal(signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    show("got", len(got), set(got))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts us may have it ignored
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        show("interrupted")
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.raise_signal(signal.SIGUSR1)
    show("ignored", len(got), len(signal.valid_signals()))
    try:
        signal.signal(signal.SIGKILL, ring)
    except OSError as error:
        show("kill", errno.errorcode[error.errno])


def alarms():
    signal.signal(signal.SIGALRM, ring)
    signal.alarm(1000)
    show("left", 1 < signal.alarm(1000) <= 1000)
    try:
        signal.alarm(1)
        time.sleep(1000)
    except Rung:
        show("alarm rang")
    ticks = []
    signal.signal(signal.SIGALRM, lambda number, frame: ticks.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    while len(ticks) < 10:
        signal.pause()
    signal.setitimer(signal.ITIMER_REAL, 0)
    show("ticks", len(ticks) >= 10, signal.getitimer(signal.ITIMER_REAL))
    for timer, number in ((signal.ITIMER_VIRTUAL, signal.SIGVTALRM), (signal.ITIMER_PROF, signal.SIGPROF)):
        ticks.clear()
        signal.signal(number, lambda number, frame: ticks.append(number))
        signal.setitimer(timer, 0.01, 0.01)
        while len(ticks) < 3:
            sum(range(1000))
        signal.setitimer(timer, 0)
        show("busy", set(ticks) == {number})


def interrupted_sleep():
    """PEP 475: a handler that returns does not end a call; one that raises does."""
    got = []
    signal.signal(signal.SIGALRM, lambda number, frame: got.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    before = time.monotonic()
    time.sleep(0.2)
    show("slept on", time.monotonic() - before >= 0.2, len(got))
    r, w = os.pipe()
    signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)  # it may ring at once
        os.read(r, 1)
    except Rung:
        show("read given up")
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        select.select([r], [], [], 1000)
    except Rung:
        show("select given up")
    os.close(r), os.close(w)


def waiting_for_signals():
    numbers = {signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN, signal.SIGRTMIN + 1}
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    for number in (signal.SIGRTMIN + 1, signal.SIGUSR2, signal.SIGRTMIN, signal.SIGUSR1, signal.SIGRTMIN, signal.SIGUSR1):
        os.kill(os.getpid(), number)
    show("pending", sorted(map(int, signal.sigpending())))
    show("order", [int(signal.sigwait(numbers)) for _ in range(5)])
    show("none left", signal.sigpending(), signal.sigtimedwait(numbers, 0.02))
    child = os.fork()
    if child == 0:
        os.kill(os.getppid(), signal.SIGUSR1)
        os._exit(0)
    info = signal.sigwaitinfo(numbers)
    show("info", info.si_signo, info.si_pid == child, info.si_uid == os.getuid(), info.si_code)
    os.waitpid(child, 0)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


def signals_and_threads():
    got, ready = [], threading.Event()
    signal.signal(signal.SIGUSR1, lambda number, frame: got.append(threading.current_thread() is threading.main_thread()))

    def wait():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
        ready.set()
        got.append(int(signal.sigwait({signal.SIGUSR2})))

    t = threading.Thread(target=wait)
    t.start()
    ready.wait()
    signal.pthread_kill(t.ident, signal.SIGUSR2)
    t.join()
    signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
    show("threads", got)

    def forbidden():
        try:
            signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        except ValueError:
            show("only in the main thread")

    t = threading.Thread(target=forbidden)
    t.start()
    t.join()
    main = threading.main_thread().ident
    t = threading.Timer(0.05, lambda: signal.pthread_kill(main, signal.SIGALRM))
    signal.signal(signal.SIGALRM, ring)
    try:
        t.start()
        time.sleep(1000)
    except Rung:
        show("woken by a thread")
    t.join()


def wakeup_fd():
    a, b = os.pipe()
    os.set_blocking(b, False)
    old = signal.set_wakeup_fd(b)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.signal(signal.SIGUSR2, lambda *_: None)
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR1):
        signal.raise_signal(number)
    show("bytes", list(os.read(a, 100)), old, signal.set_wakeup_fd(-1) == b)
    os.close(a), os.close(b)


def children_that_end():
    ended = collections.Counter()

    def reap(number, frame):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            ended[os.waitstatus_to_exitcode(status)] += 1

    signal.signal(signal.SIGCHLD, reap)
    for n in range(20):
        if os.fork() == 0:
            os._exit(n % 4)
    while sum(ended.values()) < 20:
        time.sleep(0.01)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        os._exit(1)
    try:
        os.waitpid(child, 0)
    except ChildProcessError:
        show("ended", sorted(ended.items()), "nobody to wait for")
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def main():
    for part in (threads_count, condition_turns, limits_of_waiting, semaphore_and_barrier, queues, pools, thread_ids,
                 fork_with_threads, communicate, timeouts, ways_to_start, deaths, many_children, pidfds, handlers, alarms,
                 interrupted_sleep, waiting_for_signals, signals_and_threads, wakeup_fd, children_that_end):
        show(f"== {part.__name__}")
        part()
    show("end", threading.active_count())


if __name__ == "__main__":
    sys.exit(main())
