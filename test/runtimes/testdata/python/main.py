"""Threads, asyncio, multiprocessing, subprocess, sqlite3."""
import asyncio, concurrent.futures, gc, hashlib, multiprocessing, os, queue, random, signal
import socket, sqlite3, subprocess, sys, tempfile, threading, time, uuid


def square(n):
    return n * n, os.getpid()


def talk(pipe):
    pipe.send(pipe.recv().upper())
    pipe.close()


def threads():
    n, order, q = 0, [], queue.Queue()
    lock = threading.Lock()

    def work(me):
        nonlocal n
        for _ in range(200):
            with lock:
                n += 1
        order.append(me)
        q.put(me)

    ts = [threading.Thread(target=work, args=(i,)) for i in range(20)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()
    print("threads", n, order, sorted(q.get() for _ in ts) == list(range(20)))
    b, turns = threading.Barrier(4), []

    def meet(me):
        for r in range(3):
            b.wait()
            turns.append((r, me))

    ts = [threading.Thread(target=meet, args=(i,)) for i in range(4)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()
    print("barrier", turns)
    with concurrent.futures.ThreadPoolExecutor(4) as ex:
        print("pool", list(ex.map(lambda x: x * x, range(10))))
    ev = threading.Event()
    threading.Timer(0.05, ev.set).start()
    t0 = time.monotonic()
    print("timer", ev.wait(5), time.monotonic() - t0)
    # Threads that only compute hand over by the interpreter's interval.
    done = []

    def spin(me):
        x = 0
        for i in range(200000):
            x = (x * 31 + i) % 1000003
        done.append((me, x))

    ts = [threading.Thread(target=spin, args=(i,)) for i in range(4)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()
    print("compute", done)


async def asynchronous():
    async def client(port, n):
        r, w = await asyncio.open_connection("127.0.0.1", port)
        w.write(b"%d\n" % n)
        line = await r.readline()
        w.close()
        return line

    async def serve(r, w):
        w.write((await r.readline())[::-1] + b"\n")
        await w.drain()
        w.close()

    s = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = s.sockets[0].getsockname()[1]
    print("asyncio", port, await asyncio.gather(*(client(port, 10 + n) for n in range(5))))
    s.close()
    order = []

    async def nap(d):
        await asyncio.sleep(d)
        order.append(d)

    await asyncio.gather(*(nap(d) for d in (0.03, 0.01, 0.02)))
    p = await asyncio.create_subprocess_exec("cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, _ = await p.communicate(b"through a child")
    print("asyncio", order, out, await asyncio.to_thread(os.getpid))


def processes():
    for method in ("fork", "spawn", "forkserver"):
        ctx = multiprocessing.get_context(method)
        with ctx.Pool(3) as p:
            got = p.map(square, range(8), chunksize=2)
        print(method, got)
        a, b = ctx.Pipe()
        p = ctx.Process(target=talk, args=(b,))
        p.start()
        a.send("hello")
        print(method, a.recv(), p.join(), p.exitcode)
        v = ctx.Value("i", 5)
        print(method, v.value)


def database():
    db = sqlite3.connect("x.db", check_same_thread=False)
    db.execute("create table t(a integer primary key, b text)")
    lock = threading.Lock()

    def fill(me):
        for i in range(50):
            with lock, db:
                db.execute("insert into t(b) values(?)", (f"{me}-{i}",))

    ts = [threading.Thread(target=fill, args=(i,)) for i in range(4)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()
    print("sqlite", db.execute("select count(*), min(b), max(b), hex(randomblob(4)), datetime('now') from t").fetchone())
    db.close()


if __name__ == "__main__":
    threads()
    asyncio.run(asynchronous())
    processes()
    database()
    print("subprocess", subprocess.run(["sh", "-c", "echo $$; exit 3"], capture_output=True))
    ps = [subprocess.Popen(["sh", "-c", f"echo {i} >out{i}; exit {i}"]) for i in range(5)]
    print("children", [p.wait() for p in ps])
    signal.signal(signal.SIGALRM, lambda *a: print("alarm"))
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    signal.pause()
    print("random", random.random(), uuid.uuid4(), uuid.uuid1(), hash("x"), {"a", "b", "c"}, id(object()) % 4096)
    with tempfile.NamedTemporaryFile() as f:
        print("temp", f.name)
    gc.collect()
