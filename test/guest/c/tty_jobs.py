import os, pty
pid, fd = pty.fork()
if pid == 0:
    os.execv("/bin/bash", ["bash", "--norc", "-i"])
def rd(until):
    b = b""
    while until not in b:
        try:
            x = os.read(fd, 1000)
        except OSError as e:
            print("errno", e.errno)
            break
        b += x
    print(b.decode().replace("bash-5.2", "bash").replace("bash-5.1", "bash").split("\r\n"))
def do(s, until=b"# "):
    os.write(fd, s)
    rd(until)
rd(b"# ")
do(b"echo hi; tty\n")
do(b"sleep 100\n", b"\n")
do(b"\x1a")
do(b"jobs; fg\n", b"\r\nsleep 100\r\n")
do(b"\x03")
do(b"stty size; cat &\n")
do(b"sleep 1; jobs\n")
do(b"kill %1; wait; echo $?\n")
do(b"exit\n", b"zzz")
print(os.waitpid(pid, 0)[1])
