# Streams and datagrams of asyncio, and how connecting fails.
import asyncio
async def h(r,w):
    d=await r.readline()
    w.write(b'echo '+d); await w.drain(); w.close(); await w.wait_closed()
async def cl(i,port):
    r,w=await asyncio.open_connection('127.0.0.1',port)
    w.write(b'%d\n'%i); print(await r.read()); w.close()
class P(asyncio.DatagramProtocol):
    def connection_made(s,t): s.t=t
    def datagram_received(s,d,a): s.t.sendto(d.upper(),a)
class C(asyncio.DatagramProtocol):
    def __init__(s,f): s.f=f
    def connection_made(s,t): t.sendto(b'hello')
    def datagram_received(s,d,a): s.f.set_result((d,a))
async def main():
    s=await asyncio.start_server(h,'localhost',0)
    for k in s.sockets: print(k.getsockname())
    p=s.sockets[0].getsockname()[1]
    p=[k for k in s.sockets if k.family==2][0].getsockname()[1]
    await asyncio.gather(*[cl(i,p) for i in range(20)])
    loop=asyncio.get_running_loop()
    t,_=await loop.create_datagram_endpoint(P,local_addr=('127.0.0.1',9999))
    f=loop.create_future()
    t2,_=await loop.create_datagram_endpoint(lambda:C(f),remote_addr=('127.0.0.1',9999))
    print(await f)
    try: await asyncio.open_connection('127.0.0.1',1)
    except OSError as e: print(e)
    try: await asyncio.open_connection('example.com',80)
    except OSError as e: print(e)
asyncio.run(main())
