import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.concurrent.locks.*;
import java.util.stream.*;

/** Threads, executors, parallel streams, timers and garbage collection. */
public class Main {
    static int racy;

    public static void main(String[] args) throws Exception {
        threads();
        executors();
        streams();
        conditions();
        timers();
        garbage();
        nulls();
        System.out.println("hash " + new Object().hashCode() + " random " + new Random().nextInt()
            + " uuid " + UUID.randomUUID() + " cpus " + Runtime.getRuntime().availableProcessors());
        for (Map.Entry<String, Integer> e : Map.of("a", 1, "b", 2, "c", 3, "d", 4).entrySet())
            System.out.print(e.getKey());
        System.out.println();
    }

    static void threads() throws Exception {
        Thread[] all = new Thread[50];
        AtomicLong exact = new AtomicLong();
        StringBuffer order = new StringBuffer();
        for (int i = 0; i < all.length; i++) {
            int me = i;
            all[i] = new Thread(() -> {
                for (int j = 0; j < 1000; j++) { racy++; exact.incrementAndGet(); }
                order.append(me).append(' ');
            });
        }
        for (Thread t : all) t.start();
        for (Thread t : all) t.join();
        System.out.println("threads " + exact + " racy " + racy + " order " + order);
    }

    static void executors() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(8);
        List<Future<Integer>> results = new ArrayList<>();
        Queue<String> who = new ConcurrentLinkedQueue<>();
        for (int i = 0; i < 100; i++) {
            int n = i;
            results.add(pool.submit(() -> { who.add(Thread.currentThread().getName() + ":" + n); return n * n; }));
        }
        int sum = 0;
        for (Future<Integer> f : results) sum += f.get();
        pool.shutdown();
        pool.awaitTermination(1, TimeUnit.MINUTES);
        System.out.println("executor " + sum + " by " + who.hashCode() + " " + String.join(",", who).hashCode());
        CompletableFuture<Integer> c = CompletableFuture.supplyAsync(() -> 20)
            .thenCombineAsync(CompletableFuture.supplyAsync(() -> 22), Integer::sum);
        System.out.println("future " + c.get());
    }

    static void streams() {
        Set<String> used = ConcurrentHashMap.newKeySet();
        double sum = IntStream.range(0, 200_000).parallel()
            .peek(i -> { if (i % 1000 == 0) used.add(Thread.currentThread().getName()); })
            .mapToDouble(i -> 1.0 / (i + 1)).sum();
        System.out.println("stream " + sum + " on " + new TreeSet<>(used));
        System.out.println("groups " + IntStream.range(0, 1000).boxed().parallel()
            .collect(Collectors.groupingByConcurrent(i -> i % 7, Collectors.counting())));
    }

    static void conditions() throws Exception {
        ReentrantLock lock = new ReentrantLock();
        Condition turn = lock.newCondition();
        int[] whose = {0};
        StringBuilder log = new StringBuilder();
        Thread[] all = new Thread[3];
        for (int i = 0; i < 3; i++) {
            int me = i;
            all[i] = new Thread(() -> {
                for (int j = 0; j < 20; j++) {
                    lock.lock();
                    try {
                        while (whose[0] != me) turn.awaitUninterruptibly();
                        log.append(me);
                        whose[0] = (me + 1) % 3;
                        turn.signalAll();
                    } finally { lock.unlock(); }
                }
            });
            all[i].start();
        }
        for (Thread t : all) t.join();
        System.out.println("turns " + log);
    }

    static void timers() throws Exception {
        ScheduledExecutorService s = Executors.newScheduledThreadPool(2);
        StringBuffer log = new StringBuffer();
        long start = System.nanoTime();
        for (int ms : new int[] {30, 10, 20}) s.schedule(() -> log.append(ms).append(' '), ms, TimeUnit.MILLISECONDS);
        s.shutdown();
        s.awaitTermination(1, TimeUnit.MINUTES);
        System.out.println("timers " + log + (System.nanoTime() - start) + " ns at " + System.currentTimeMillis());
    }

    static void garbage() {
        List<byte[]> keep = new ArrayList<>();
        long total = 0;
        for (int i = 0; i < 20_000; i++) {
            byte[] b = new byte[16 << 10];
            b[i % b.length] = 1;
            total += b.length;
            if (i % 50 == 0) keep.add(b);
            if (keep.size() > 100) keep.clear();
        }
        System.gc();
        System.out.println("garbage " + total + " kept " + keep.size() + " free " + Runtime.getRuntime().freeMemory());
    }

    static void nulls() {
        int caught = 0;
        Object o = null;
        for (int i = 0; i < 20_000; i++) {
            try { o.hashCode(); } catch (NullPointerException e) { caught++; }
        }
        System.out.println("nulls " + caught);
    }
}
