# dash has job control on a terminal only.
set -m
sh -c 'kill -STOP $$; exit 7' &
sleep 0.1
jobs
fg %1
echo "fg $?"
sleep 1 & sleep 100 &
jobs
wait %1
echo "wait $?"
kill -TERM %2
wait %2
echo "term $?"
sh -c 'kill -TSTP $$; echo continued; exit 4'
echo "stopped $?"
bg
wait
jobs
