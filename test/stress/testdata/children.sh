# Children that race for one file, for one output and for each other's ends.
i=0
while [ $i -lt 5 ]; do
	(
		j=0
		while [ $j -lt 4 ]; do
			echo "$i $j" >>out
			echo "$i.$j after" $(cat out)
			j=$((j + 1))
		done
		if [ $((i % 2)) = 1 ]; then kill -USR1 $$; fi
	) &
	i=$((i + 1))
done
trap 'echo signal' USR1
wait
wait
cat out
(while :; do echo x >>race; done) &
spins=$!
until [ -s race ]; do :; done
kill $spins
wait
wc -l <race
