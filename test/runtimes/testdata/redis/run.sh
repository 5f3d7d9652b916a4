# The server with its benchmark: pipelined and concurrent clients.
set -e
redis-server --port 7000 --bind 127.0.0.1 --save '' --appendonly yes --daemonize yes --logfile "$PWD/redis.log" --dir "$PWD" --pidfile "$PWD/redis.pid"
r="redis-cli -p 7000"
until $r ping >/dev/null 2>&1; do sleep 0.01; done
redis-benchmark -p 7000 -c 20 -n 1000 -t set,get,incr,lpush -q --csv
redis-benchmark -p 7000 -c 5 -n 1000 -P 16 -t set,get -q --csv
$r set k v
$r incrby n 5
$r eval 'return redis.call("dbsize")' 0
$r save
$r randomkey
$r time
$r shutdown nosave || :
while [ -e redis.pid ]; do sleep 0.01; done
sha256sum appendonlydir/* dump.rdb
cat redis.log
