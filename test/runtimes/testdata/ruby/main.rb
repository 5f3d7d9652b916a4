# Threads, queues, fibers, ractors, processes.
require 'timeout'
require 'securerandom'
require 'socket'
require 'set'

order = []
q = Queue.new
m = Mutex.new
n = 0
ts = 20.times.map do |i|
  Thread.new do
    50.times { m.synchronize { n += 1 } }
    order << i
    q << i
  end
end
ts.each(&:join)
puts "threads #{n} #{order} #{q.size}"
done = []
4.times.map { |i| Thread.new { x = 0; 100_000.times { |j| x = (x * 31 + j) % 1_000_003 }; done << [i, x] } }.each(&:join)
puts "compute #{done}"
cv = ConditionVariable.new
turn, log = 0, []
3.times.map { |me| Thread.new { 5.times { m.synchronize { cv.wait(m) until turn == me; log << me; turn = (turn + 1) % 3; cv.broadcast } } } }.each(&:join)
puts "turns #{log.join}"
begin
  Timeout.timeout(0.05) { sleep }
rescue Timeout::Error
  puts "timeout"
end
f = Fiber.new { 3.times { |i| Fiber.yield i }; :end }
puts "fiber #{4.times.map { f.resume }}"
Warning[:experimental] = false
puts "ractor #{3.times.map { |i| Ractor.new(i) { |x| x * x } }.map(&:take)}"
s = TCPServer.new('127.0.0.1', 0)
t = Thread.new { 3.times { c = s.accept; c.puts c.gets.reverse; c.close } }
puts "tcp #{s.addr[1]} #{3.times.map { |i| c = TCPSocket.new('127.0.0.1', s.addr[1]); c.write "ab#{i}\n"; c.read }}"
t.join
pids = 3.times.map { |i| fork { exit i } }
puts "fork #{pids} #{Process.waitall.map { |p, st| [p, st.exitstatus] }}"
puts "popen #{IO.popen('echo $$').read} #{`uname -n`}"
trap('USR1') { puts 'signal' }
Process.kill('USR1', Process.pid)
sleep 0.01
puts "random #{rand} #{SecureRandom.uuid} #{'x'.hash} #{Object.new.object_id} #{Time.now.to_f}"
200_000.times { |i| "garbage #{i}" }
GC.start
puts "gc #{GC.count > 0}"
