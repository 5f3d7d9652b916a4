# fakeroot by its daemon, as a plain user: owners and devices that are not there.
set -e
chmod 777 .
cat >inner.sh <<'EOT'
set -e
mkdir t
echo x >t/file
chown 33:44 t/file
mknod t/null c 1 3
chmod 4755 t/file
ls -ln t
id -u
tar -C t --sort=name -cf t.tar .
tar -tvf t.tar
sha256sum t.tar
(for i in 1 2 3 4; do (touch t/$i; chown $i:$i t/$i) & done; wait)
ls -ln t
EOT
setpriv --reuid 1000 --regid 1000 --clear-groups sh -c 'fakeroot -s state sh inner.sh; fakeroot -i state ls -ln t; ls -ln t; sort state'
