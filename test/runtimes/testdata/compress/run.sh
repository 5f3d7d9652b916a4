# Compressors that use threads; the archives are compared, and come back.
set -e
i=0
while [ $i -lt 40000 ]; do echo "line $i of $((i * i % 9973)) and $((i * 7919 % 10007))"; i=$((i + 1)); done >data
while [ "$(wc -c <data)" -lt 6000000 ]; do cat data data >more; mv more data; done
xz -1 -T4 --block-size=500KiB -k data
xz -dc -T4 data.xz | cmp - data
zstd -q -T4 -B512KiB -k data
zstd -q -dc data.zst | cmp - data
pigz -p 4 -b 128 -k data
pigz -dc -p 4 data.gz | cmp - data
sha256sum data data.xz data.zst data.gz
