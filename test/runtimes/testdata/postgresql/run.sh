# A cluster is made, started, loaded by concurrent clients and stopped.
set -e
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
chown 1000:1000 .
cat >inner.sh <<'EOF'
set -e
export PATH=$1:$PATH PGHOST=$PWD PGDATA=$PWD/data PGDATABASE=postgres HOME=$PWD
initdb -A trust -U pg --no-locale -E UTF8 >initdb.log
export PGUSER=pg
pg_ctl -w -l server.log -o "-k $PWD -c listen_addresses=127.0.0.1" start
pgbench -q -i -s 1
pgbench -c 4 -j 2 -t 25
psql -h 127.0.0.1 -Atc "select count(*), sum(tbalance), now(), random(), gen_random_uuid(), pg_backend_pid() from pgbench_tellers"
psql -Atc "select count(*), sum(delta), md5(string_agg(tid || ':' || aid || ':' || delta, ',' order by mtime, tid, aid)) from pgbench_history"
psql -Atc "analyze" -c "checkpoint" -c "select relname, n_live_tup from pg_stat_user_tables order by 1"
pg_ctl -w -m fast stop
cat server.log
EOF
setpriv --reuid 1000 --regid 1000 --clear-groups sh inner.sh "$bin"
