-- Compiled traces that compute, allocate and call C: system calls made from code
-- that did not exist when the program began.
local ffi = require("ffi")
ffi.cdef [[
int getpid(void);
int access(const char *path, int mode);
int open(const char *path, int flags, ...);
long read(int fd, void *buf, size_t n);
int close(int fd);
typedef struct { long sec, nsec; } timespec;
int clock_gettime(int clock, timespec *ts);
void qsort(void *base, size_t n, size_t size, int (*compare)(const int *, const int *));
]]
print(jit.version, ffi.os, ffi.arch)

local sum = 0
for i = 1, 20000000 do sum = (sum * 31 + i) % 1000003 end
print("sum", sum)

local pids, there = 0, 0
for _ = 1, 20000 do
  pids = pids + ffi.C.getpid()
  there = there + ffi.C.access("/etc/passwd", 0) + ffi.C.access("/nonexistent", 0)
end
print("calls", pids / 20000 == ffi.C.getpid(), there)

local buf, bytes = ffi.new("char[?]", 4096), 0
for _ = 1, 2000 do
  local fd = ffi.C.open("main.lua", 0)
  local n = ffi.C.read(fd, buf, 4096)
  for i = 0, tonumber(n) - 1 do bytes = (bytes * 7 + buf[i]) % 65521 end
  ffi.C.close(fd)
end
print("bytes", bytes)

local ts, last, back = ffi.new("timespec"), 0, 0
for _ = 1, 20000 do
  ffi.C.clock_gettime(1, ts)
  local now = tonumber(ts.sec) * 1e9 + tonumber(ts.nsec)
  if now <= last then back = back + 1 end
  last = now
end
print("clock goes back", back)

local order, n = ffi.new("int[?]", 5000), 5000
for i = 0, n - 1 do order[i] = (i * 7919) % 5003 end
local compare = ffi.cast("int (*)(const int *, const int *)", function(a, b) return a[0] - b[0] end)
ffi.C.qsort(order, n, ffi.sizeof("int"), compare)
compare:free()
local sorted = true
for i = 1, n - 1 do sorted = sorted and order[i - 1] <= order[i] end
print("sorted by a callback", sorted)

local function produce(k) return coroutine.wrap(function() for i = 1, k do coroutine.yield(tostring(i):rep(3)) end end) end
local t, total = {}, 0
for s in produce(200000) do t[s] = #s end
for k, v in pairs(t) do total = (total * 3 + v + #k) % 1000003 end
print("table order", total)
print("address hashes", tostring({}):match("table: 0x") ~= nil, tostring({}))
local p = io.popen("for i in 1 2 3; do echo child $i; done")
print("child", (p:read("*a"):gsub("\n", " ")))
p:close()
