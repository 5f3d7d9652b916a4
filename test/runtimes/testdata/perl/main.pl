# Forks, pipes, signals, threads, sockets, hash order.
use strict; use warnings;
use threads; use threads::shared;
use IO::Socket::INET; use IO::Select; use Time::HiRes qw(time sleep); use POSIX ":sys_wait_h"; use File::Temp qw(tempfile);
$| = 1;
my $n : shared = 0; my @order : shared;
my @t = map { my $i = $_; threads->create(sub { for (1 .. 50) { lock $n; $n++ } { lock @order; push @order, $i } $i * $i }) } 0 .. 9;
print "threads ", join(" ", map { $_->join } @t), " $n @order\n";
my @pids;
for my $i (0 .. 4) { my $p = fork; if (!$p) { exit $i } push @pids, $p }
while ((my $p = wait) > 0) { print "reaped $p ", $? >> 8, "\n" }
local $SIG{ALRM} = sub { print "alarm\n" };
alarm 1; select undef, undef, undef, 5;
print "time ", time, "\n";
my $s = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1") or die;
if (!fork) { for (1 .. 3) { my $c = $s->accept; print $c scalar reverse(scalar <$c>), "\n"; close $c } exit }
for (1 .. 3) { my $c = IO::Socket::INET->new("127.0.0.1:" . $s->sockport) or die; print $c "abc$_\n"; print "tcp ", join("", <$c>) =~ s/\n//gr, "\n" }
wait;
my %h = map { $_ => 1 } "a" .. "z"; print "hash ", join("", keys %h), " ", rand, " ", \%h, "\n";
my ($fh, $name) = tempfile(); print "temp $name\n"; close $fh; unlink $name;
print "backticks ", `echo \$\$; uname -n`;
