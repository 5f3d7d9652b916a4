# Events, timers, channels, a server and its clients, child processes.
set order {}
foreach ms {30 10 20} { after $ms [list lappend order $ms] }
after 50 {set done 1}
vwait done
puts "after $order [clock milliseconds]"
proc serve {c addr port} { fconfigure $c -buffering line; puts $c [string reverse [gets $c]]; close $c }
set s [socket -server serve -myaddr 127.0.0.1 0]
set port [lindex [fconfigure $s -sockname] 2]
proc ask {n} {
    set c [socket 127.0.0.1 $::port]
    fconfigure $c -buffering line -blocking 0
    puts $c "abc$n"
    fileevent $c readable [list answer $c]
}
proc answer {c} { if {[gets $c l] >= 0} { puts "tcp $l" } elseif {[eof $c]} { close $c; incr ::left -1 } }
set left 3
foreach n {1 2 3} { ask $n }
while {$left > 0} { vwait left }
puts "exec [exec sh -c {echo $$; uname -n}]"
set f [open "|sort" r+]; puts $f "b\na"; close $f write; puts "pipe [read $f]"; close $f
puts "random [expr rand()] [pid] [clock clicks]"
foreach {k v} [array get env] { lappend names $k }
puts "env [lsort $names]"
if {![catch {package require Thread}]} {
    set ts {}
    for {set i 0} {$i < 5} {incr i} { lappend ts [thread::create -joinable "expr {$i * $i}"] }
    foreach t $ts { puts "thread [thread::join $t]" }
}
