#!/usr/bin/perl
# relay.pl DIRECTORY - a relay for the checks in a bare Debian, which has no more than perl-base
#
# Takes every message, and answers its final dot after the seconds that stand in the file delay. Writes its port to the
# file port, and to events a line for each dot that it read and for each reply that it gave.
use strict;
use warnings;
use IO::Socket::INET;

my ($directory) = @ARGV;
$SIG{CHLD} = 'IGNORE';

sub note {
    open my $events, '>>', "$directory/events" or die "events: $!";
    print $events "@_\n";
    close $events or die "events: $!";
}

sub delay {
    open my $file, '<', "$directory/delay" or die "delay: $!";
    return 0 + <$file>;
}

sub serve {
    my ($client) = @_;
    my $recipient = '';
    my $reply = sub { print $client "@_\r\n" };
    $client->autoflush(1);
    $reply->("220 relay.example ESMTP");
    while (my $line = <$client>) {
        if ($line =~ /^EHLO/i) {
            $reply->("250-relay.example\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES");
        } elsif ($line =~ /^RCPT TO:<([^>]*)>/i) {
            $recipient = $1;
            $reply->("250 2.1.5 ok");
        } elsif ($line =~ /^DATA/i) {
            $reply->("354 go ahead");
            do { $line = <$client> // return note("lost $recipient") } until $line eq ".\r\n";
            my $seconds = delay();
            note("dot $recipient");
            select undef, undef, undef, $seconds;
            $reply->("250 2.0.0 queued as 4711");
            note("replied $recipient");
        } elsif ($line =~ /^QUIT/i) {
            return $reply->("221 2.0.0 bye");
        } else {
            $reply->("250 2.0.0 ok");
        }
    }
}

my $server = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', LocalPort => 0) or die "no port: $!";
open my $port, '>', "$directory/port.new" or die "port: $!";
print $port $server->sockport;
close $port or die "port: $!";
rename "$directory/port.new", "$directory/port" or die "port: $!";
while (my $client = $server->accept) {
    my $process = fork // die "no process: $!";
    next if $process;
    serve($client);
    exit 0;
}
