<?php
// What PHP's command line has: processes, streams, sockets, random numbers.
mt_srand();
echo "random ", mt_rand(), " ", bin2hex(random_bytes(4)), " ", uniqid(), " ", lcg_value(), "\n";
echo "time ", microtime(true), " ", getmypid(), " ", spl_object_hash(new stdClass), "\n";
$procs = [];
foreach (range(1, 4) as $i) {
    $procs[$i] = proc_open(["sh", "-c", "echo $i; exit $i"], [1 => ["pipe", "w"]], $pipes[$i]);
}
foreach ($procs as $i => $p) {
    echo "child ", trim(stream_get_contents($pipes[$i][1])), " ", proc_close($p), "\n";
}
if (function_exists('pcntl_fork')) {
    for ($i = 0; $i < 3; $i++) {
        if (pcntl_fork() == 0) exit($i);
    }
    while (($pid = pcntl_wait($status)) > 0) echo "reaped $pid ", pcntl_wexitstatus($status), "\n";
}
[$a, $b] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
fwrite($a, "hello\n");
echo "pair ", fgets($b);
$s = stream_socket_server("tcp://127.0.0.1:0");
$c = stream_socket_client("tcp://" . stream_socket_get_name($s, false));
$t = stream_socket_accept($s);
fwrite($t, "over tcp\n");
echo stream_socket_get_name($s, false), " ", fgets($c);
usleep(1000);
for ($i = 0, $keep = []; $i < 200000; $i++) { $keep[$i % 1000] = str_repeat("x", $i % 100); }
gc_collect_cycles();
file_put_contents("out.txt", serialize($keep));
echo md5_file("out.txt"), "\n";
foreach (glob("*") as $f) echo $f, " ";
echo "\n";
