set -e
javac -d . Main.java
for gc in Serial Parallel G1; do
	echo "== $gc"
	java -Xmx64m -XX:+Use${gc}GC Main
done
