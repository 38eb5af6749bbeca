# Starts PROGRAM with a listening socket of 127.0.0.1, and can then keep the network's packets from that socket:
#   perl cut-off.pl PROGRAM ARG...        (adds `--listen-fd N` to the arguments)
# On its input `cut` drops every packet that comes to the socket, so that connections are neither accepted nor refused, and
# `mend` lets them through again; each is answered by a line. The program keeps this pid; a child of it obeys until the input
# ends. A filter on a socket of one's own needs no right, unlike a firewall or a network namespace.
use strict;
use warnings;
BEGIN { $^F = 10 }    # descriptors up to this one stay open in the program
use Socket;

use constant { SO_ATTACH_FILTER => 26, SO_DETACH_FILTER => 27 };

socket(my $listener, PF_INET, SOCK_STREAM, 0)        or die "cut-off: socket: $!\n";
bind($listener, sockaddr_in(0, INADDR_LOOPBACK))     or die "cut-off: bind: $!\n";
listen($listener, 128)                               or die "cut-off: listen: $!\n";

my $child = fork() // die "cut-off: fork: $!\n";
if ($child) {
    open(STDIN, '<', '/dev/null') or die "cut-off: /dev/null: $!\n";
    exec { $ARGV[0] } @ARGV, '--listen-fd', fileno $listener or die "cut-off: $ARGV[0]: $!\n";
}
$| = 1;
while (defined(my $word = readline STDIN)) {
    chomp $word;
    # struct sock_fprog with one instruction: return 0, which keeps nothing of the packet.
    my $filter = pack 'S C C L', 0x06, 0, 0, 0;
    my $program = pack 'S x![J] P', 1, $filter;
    my $done = $word eq 'cut'
        ? setsockopt($listener, SOL_SOCKET, SO_ATTACH_FILTER, $program)
        : setsockopt($listener, SOL_SOCKET, SO_DETACH_FILTER, pack 'i', 0);
    print $done ? "$word\n" : "failed: $!\n";
}
