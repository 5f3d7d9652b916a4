# One crate in 16 codegen units, which rustc compiles in threads of its own.
set -e
{
	echo 'mod m { '
	i=0
	while [ $i -lt 60 ]; do
		echo "pub mod m$i { use std::collections::BTreeMap; pub fn f(n: u64) -> u64 { let mut m = BTreeMap::new(); for i in 0..n { *m.entry(i % $((i + 3))).or_insert(0u64) += i; } m.values().map(|v| v ^ $i).sum() } }"
		i=$((i + 1))
	done
	echo '} fn main() { let mut t = 0u64;'
	i=0
	while [ $i -lt 60 ]; do
		echo "t = t.wrapping_add(m::m$i::f(100));"
		i=$((i + 1))
	done
	echo 'println!("{}", t); }'
} >main.rs
rustc -C opt-level=2 -C codegen-units=16 -g main.rs -o main
./main
sha256sum main
