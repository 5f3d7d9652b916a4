# Job control: stop, background, foreground, wait, kill by job.
sleep 100 &
sleep 200 &
jobs
kill -STOP %1
sleep 0.1
jobs -p
bg %1
jobs
kill %2
wait %2
echo "status $?"
kill %1
wait %1
echo "status $?"
(sleep 0.1; exit 7) &
fg %+
echo "fg $?"
sh -c 'kill -TSTP $$; echo continued; exit 4' 
echo "stopped $?"
jobs
fg
echo "fg $?"
for i in 1 2 3; do (sleep 0.0$i; exit $i) & done
wait
echo "all $? $(jobs | wc -l)"
seq 1000 | sort -r | head -n 3 | tail -n 1
