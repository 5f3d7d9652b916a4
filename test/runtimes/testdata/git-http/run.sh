# git over its daemon and over http, both on the loopback.
set -e
git config --global user.name a
git config --global user.email a@example.org
git config --global init.defaultBranch main
git config --global safe.directory '*'
git init -q one
cd one
i=0
while [ $i -lt 20 ]; do
	echo "file $i" >f$i
	git add f$i
	git commit -q -m "commit $i"
	i=$((i + 1))
done
git repack -a -d -q
cd ..
git clone -q --bare one one.git
git -C one.git update-server-info
git daemon --reuseaddr --base-path="$PWD" --export-all --listen=127.0.0.1 --enable=receive-pack &
daemon=$!
/usr/bin/python3 -m http.server -b 127.0.0.1 8000 2>http.log &
http=$!
until curl -s -o /dev/null http://127.0.0.1:8000/; do sleep 0.01; done
git clone -q git://127.0.0.1/one.git by-daemon
git clone -q http://127.0.0.1:8000/one.git by-http
cd by-daemon
echo more >>f1
git commit -q -a -m more
git push -q origin main
git log --format='%H %cd %s' | head -n 3
cd ../by-http
git log --format='%H' | wc -l
git fsck --full
cd ..
kill $daemon $http
wait $daemon $http || :
git -C one.git log -1 --format=%H
cat http.log
