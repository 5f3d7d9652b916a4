# rsync between directories, and with its daemon over the loopback.
set -e
mkdir -p a/d b
i=0
while [ $i -lt 30 ]; do
	head -c $((i * 700)) /dev/urandom >a/d/$i
	touch -d "2024-01-01 00:00:$i" a/d/$i
	i=$((i + 1))
done
ln -s 3 a/d/link
ln a/d/4 a/d/hard
chmod 600 a/d/5
rsync -aHi a/ b/
echo changed >>b/d/7
rm b/d/8
rsync -aHi --checksum --delete a/ b/
rsync -aHin a/ b/
cat >conf <<EOT
use chroot = no
munge symlinks = no
pid file = $PWD/pid
[m]
path = $PWD/b
read only = no
uid = 0
gid = 0
EOT
rsync --daemon --config=conf --port=8730 --address=127.0.0.1 --log-file=log
until [ -s pid ]; do sleep 0.01; done
rsync -a rsync://127.0.0.1:8730/m/ c/
echo more >>c/d/20
rsync -az --stats c/ rsync://127.0.0.1:8730/m/
kill "$(cat pid)"
cmp b/d/20 c/d/20
diff -r a b || :
find c -printf '%p %s %T@ %m %l\n' | sort | sha256sum
cat log
