# A workspace of several crates; codegen units and jobs run in parallel.
set -e
mkdir -p ws && cd ws
members=""
for c in a b c d e; do
	members="$members\"$c\", "
	mkdir -p $c/src
	printf '[package]\nname = "%s"\nversion = "0.1.0"\nedition = "2021"\n' $c >$c/Cargo.toml
	cat >$c/src/lib.rs <<EOF
use std::collections::HashMap;
pub fn $c(n: u64) -> u64 {
    let mut m: HashMap<u64, String> = HashMap::new();
    for i in 0..n { m.insert(i * i % 97, format!("$c{i}")); }
    m.iter().map(|(k, v)| k * v.len() as u64).sum()
}
#[cfg(test)]
mod tests {
    #[test]
    fn works() { assert!(super::$c(10) > 0); }
}
EOF
done
mkdir -p main/src
cat >main/Cargo.toml <<'EOF'
[package]
name = "main"
version = "0.1.0"
edition = "2021"

[dependencies]
a = { path = "../a" }
b = { path = "../b" }
c = { path = "../c" }
d = { path = "../d" }
e = { path = "../e" }
EOF
cat >main/src/main.rs <<'EOF'
use std::collections::HashMap;
use std::sync::{mpsc, Arc, Mutex};
use std::thread;

fn main() {
    println!("{}", a::a(10) + b::b(20) + c::c(30) + d::d(40) + e::e(50));
    let (tx, rx) = mpsc::channel();
    let total = Arc::new(Mutex::new(0u64));
    let threads: Vec<_> = (0..8u64)
        .map(|i| {
            let (tx, total) = (tx.clone(), total.clone());
            thread::spawn(move || {
                for j in 0..10 {
                    *total.lock().unwrap() += j;
                    tx.send(i * 10 + j).unwrap();
                }
            })
        })
        .collect();
    drop(tx);
    let order: Vec<u64> = rx.iter().collect();
    for t in threads {
        t.join().unwrap();
    }
    println!("{} {:?}", total.lock().unwrap(), order);
    let m: HashMap<_, _> = (0..10).map(|i| (i, i)).collect();
    println!("{:?} {:?}", m.keys().collect::<Vec<_>>(), &m as *const _);
}
EOF
printf '[workspace]\nmembers = [%s"main"]\n[profile.release]\ncodegen-units = 16\n' "$members" >Cargo.toml
cargo build --offline --release -j 4 2>&1
./target/release/main
cargo test --offline --lib -p a -j 4 2>&1
sha256sum target/release/main
