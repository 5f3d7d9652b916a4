// Timers, promises, workers, children, streams, crypto.
const { Worker, isMainThread, parentPort, workerData, threadId } = require('worker_threads');
const { spawn, fork, execFileSync } = require('child_process');
const crypto = require('crypto'), fs = require('fs'), http = require('http'), os = require('os'), zlib = require('zlib');

if (!isMainThread) {
  let x = 0;
  for (let i = 0; i < 1e6; i++) x = (x * 31 + i + workerData) | 0;
  parentPort.postMessage({ threadId, workerData, x });
} else if (process.argv[2] === 'child') {
  process.on('message', m => { process.send(m * 2); process.disconnect(); });
} else {
  main().catch(e => { console.error(e); process.exit(1); });
}

async function main() {
  console.log(process.version.split('.')[0], os.cpus().length, process.pid);
  const order = [];
  for (const ms of [30, 10, 20]) setTimeout(() => order.push(ms), ms);
  setImmediate(() => order.push('immediate'));
  process.nextTick(() => order.push('tick'));
  Promise.resolve().then(() => order.push('promise'));
  const start = performance.now();
  await new Promise(r => setTimeout(r, 50));
  console.log('timers', order.join(' '), performance.now() - start, Date.now());

  const done = [];
  await Promise.all([1, 2, 3, 4].map(n => new Promise((resolve, reject) => {
    const w = new Worker(__filename, { workerData: n });
    w.on('message', m => done.push(JSON.stringify(m)));
    w.on('error', reject);
    w.on('exit', resolve);
  })));
  console.log('workers', done.join(' '));

  const child = fork(__filename, ['child']);
  const answer = await new Promise(r => { child.on('message', r); child.send(21); });
  console.log('fork', answer);
  const out = [];
  await Promise.all([1, 2, 3].map(n => new Promise(r => {
    const c = spawn('sh', ['-c', `echo ${n} $$; exit ${n}`]);
    c.stdout.on('data', d => out.push(String(d).trim()));
    c.on('close', code => { out.push('exit ' + code); r(); });
  })));
  console.log('spawn', out.join(', '), String(execFileSync('uname', ['-n'])).trim());

  await Promise.all([1, 2, 3, 4, 5].map(n => fs.promises.writeFile('f' + n, 'x'.repeat(n * 1000))));
  console.log('files', (await fs.promises.readdir('.')).join(' '));
  const z = await Promise.all([1, 2, 3].map(n => new Promise((r, e) => zlib.gzip('a'.repeat(n * 10000), (err, b) => err ? e(err) : r(b.length)))));
  console.log('zlib', z.join(' '));

  const server = http.createServer((q, s) => s.end('you asked ' + q.url)).listen(0, '127.0.0.1');
  await new Promise(r => server.on('listening', r));
  const bodies = await Promise.all([1, 2, 3].map(n => new Promise(r => http.get({ port: server.address().port, path: '/' + n }, s => {
    let b = ''; s.on('data', d => b += d); s.on('end', () => r(b));
  }))));
  server.close();
  console.log('http', server.address()?.port, bodies.join(', '));
  console.log('random', Math.random(), crypto.randomUUID(), crypto.scryptSync('p', 's', 16).toString('hex'));
  const keep = [];
  for (let i = 0; i < 2e5; i++) { keep.push({ i, s: 'k' + i }); if (keep.length > 1e4) keep.length = 0; }
  console.log('garbage', keep.length);
}
