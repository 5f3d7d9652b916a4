import os, signal, threading, time
def threads(n):
    for _ in range(n):
        threading.Thread(target=threading.Event().wait).start()
p = os.fork()
if p == 0:
    threads(3)
    time.sleep(100)
time.sleep(.5)
for _ in range(2):
    os.kill(p, signal.SIGSTOP)
    print("stopped", os.WIFSTOPPED(os.waitpid(p, os.WUNTRACED)[1]))
    os.kill(p, signal.SIGCONT)
    print("continued", os.WIFCONTINUED(os.waitpid(p, os.WCONTINUED)[1]))
os.kill(p, signal.SIGSTOP)
os.waitpid(p, os.WUNTRACED)
os.kill(p, signal.SIGKILL)
print("killed", os.waitpid(p, 0)[1])
p = os.fork()
if p == 0:
    threads(2)
    threading.Thread(target=lambda: os.execv("/bin/sh", ["sh", "-c", "exit 5"])).start()
    time.sleep(100)
print("exec of a thread", os.waitpid(p, 0)[1])
p = os.fork()
if p == 0:
    threads(3)
    threading.Thread(target=lambda: os._exit(3)).start()
    time.sleep(100)
print("exit of a thread", os.waitpid(p, 0)[1])
