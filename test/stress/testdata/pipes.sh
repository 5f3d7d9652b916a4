# Writers that race for one pipe and one FIFO, and readers that race for them.
mkfifo fifo
for i in 1 2 3; do (for j in 1 2 3 4; do echo "fifo $i $j"; done >fifo) & done
cat fifo
wait
(for i in 1 2 3; do (for j in 1 2 3 4 5; do echo "pipe $i $j"; done) & done) | {
	for reader in a b; do (while read -r line; do echo "$reader $line"; done) & done
	wait
}
(for i in 1 2 3 4; do head -c 50000 /dev/zero & done) | (dd bs=65536 of=big 2>/dev/null; wc -c <big)
# What one read gets depends on how far the writers are.
(for i in 1 2 3 4 5 6; do (echo "$i$i$i") & done) | (dd bs=4096 count=2 2>/dev/null; cat | wc -c)
