-- Coroutines, the order of tables, addresses, random numbers, pipes.
local co = {}
for i = 1, 3 do co[i] = coroutine.wrap(function() for j = 1, 3 do coroutine.yield(i * 10 + j) end end) end
local order = {}
for j = 1, 3 do for i = 1, 3 do order[#order + 1] = co[i]() end end
print("coroutines", table.concat(order, " "))
local t, keys = {}, {}
for _, k in ipairs { "a", "b", "c", "d", "e" } do t[k] = true end
for k in pairs(t) do keys[#keys + 1] = k end
print("keys", table.concat(keys), tostring(t), print)
print("random", math.random(1 << 30), os.time(), os.clock(), os.date(), os.tmpname())
local p = io.popen("echo $$; uname -n; exit 3")
print("popen", p:read("a"):gsub("\n", " "), p:close())
collectgarbage()
print("memory", collectgarbage("count") > 1)
