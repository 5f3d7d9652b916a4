# A shell on a terminal of its own, and what it printed there.
set -e
script -q -e -c 'tty; stty size; echo hello; ls --color=auto; test -t 0 && echo a terminal' typescript </dev/null
cat typescript
/usr/bin/python3 - <<'EOF'
import os, pty
out = []
def read(fd):
    b = os.read(fd, 1024)
    out.append(b)
    return b
print("status", pty.spawn(["sh", "-c", "tty; for i in 1 2 3; do echo $i; sleep 0.01; done; exit 3"], read))
print(b"".join(out))
EOF
