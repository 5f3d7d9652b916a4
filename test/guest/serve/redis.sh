# redis, its client and its benchmark, whose figures are logical time.
redis-server --port 6379 --save '' --dir /tmp --daemonize yes --logfile /tmp/r.log >/dev/null; 
while ! redis-cli ping 2>/dev/null; do sleep 0.1; done
redis-cli set a 1; redis-cli incr a; redis-cli lpush l 1 2 3; redis-cli lrange l 0 -1
redis-benchmark -q -n 2000 -c 20 -t set,get,lpush 2>&1 | tr '\r' '\n' | grep requests
redis-cli shutdown nosave
while pidof redis-server >/dev/null; do sleep 0.1; done
cat /tmp/r.log
