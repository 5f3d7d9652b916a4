# Threads that serve and fetch files over HTTP, and XML-RPC.
import http.server, threading, urllib.request, socketserver, os, xmlrpc.server, xmlrpc.client
os.makedirs('/tmp/w',exist_ok=True); open('/tmp/w/a.txt','w').write('x'*3000000)
os.chdir('/tmp/w')
class H(http.server.SimpleHTTPRequestHandler):
    def log_message(s,*a): print(s.client_address,a[0]%a[1:])
s=http.server.ThreadingHTTPServer(('localhost',8000),H)
threading.Thread(target=s.serve_forever,daemon=True).start()
for i in range(3):
    r=urllib.request.urlopen('http://localhost:8000/a.txt'); d=r.read(); print(len(d), r.headers['date'])
def get(i):
    print(i,len(urllib.request.urlopen('http://127.0.0.1:8000/a.txt').read()))
ts=[threading.Thread(target=get,args=(i,)) for i in range(8)]
[t.start() for t in ts]; [t.join() for t in ts]
s.shutdown(); s.server_close()
x=xmlrpc.server.SimpleXMLRPCServer(('127.0.0.1',8001),logRequests=False); x.register_function(pow)
threading.Thread(target=x.serve_forever,daemon=True).start()
print(xmlrpc.client.ServerProxy('http://127.0.0.1:8001').pow(2,10))
