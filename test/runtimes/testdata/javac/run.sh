# A project of 100 classes that use each other: compiled, packed, run.
set -e
mkdir -p src/p classes
i=0
while [ $i -lt 100 ]; do
	next=$(((i + 1) % 100))
	cat >src/p/C$i.java <<EOF
package p;

import java.util.*;
import java.util.function.*;

public class C$i implements Comparable<C$i> {
    private final Map<String, List<Integer>> index = new HashMap<>();
    private final int weight;

    public C$i(int weight) { this.weight = weight; }

    public int step(int depth) {
        IntFunction<Integer> next = d -> d <= 0 ? weight : new C$next(weight + d).step(d - 1);
        index.computeIfAbsent("k" + depth, k -> new ArrayList<>()).add(depth);
        return switch (depth % 3) {
            case 0 -> next.apply(depth) + index.size();
            case 1 -> next.apply(depth) ^ depth;
            default -> next.apply(depth) * 31;
        };
    }

    record Pair<A, B>(A a, B b) {}

    @Override public int compareTo(C$i o) { return Integer.compare(weight, o.weight); }
}
EOF
	i=$((i + 1))
done
cat >src/p/Main.java <<'EOF'
package p;

public class Main {
    public static void main(String[] args) {
        System.out.println(new C0(1).step(250));
    }
}
EOF
javac -d classes src/p/*.java
jar --create --file p.jar --main-class p.Main -C classes .
java -jar p.jar
jar --list --file p.jar | wc -l
