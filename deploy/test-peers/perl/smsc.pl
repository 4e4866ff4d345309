#!/usr/bin/perl
# An SMSC on Net::SMPP (Debian: libnet-smpp-perl), an implementation independent of ours:
#
#   perl smsc.pl PORT SYSTEM_ID PASSWORD
#
# Serves one connection after the other, in one process, so that killing it kills all of it. Accepts every submit_sm,
# and sends a "delivered" receipt if one was asked for. Prints a line for each event: its kind, a blank, what belongs
# to it.
use strict;
use warnings;
use Net::SMPP;

my ($port, $system_id, $password) = @ARGV;
my $submitted = 0;
$| = 1;
$SIG{PIPE} = 'IGNORE';

sub bind_answer {
    my ($session, $pdu) = @_;
    my $known = $pdu->{system_id} eq $system_id && $pdu->{password} eq $password;
    print "bind_transceiver ", ($known ? "accepted" : "refused"), "\n";
    $session->bind_transceiver_resp(
        system_id => 'perl-smsc', seq => $pdu->{seq}, status => $known ? 0 : 0x0E);
}

sub submit_answer {
    my ($session, $pdu) = @_;
    # Another process, other ids: an SMSC does not begin again after a crash.
    my $id = sprintf "perl-%d-%d", $$, ++$submitted;
    print "submit_sm $pdu->{short_message}\n";
    $session->submit_sm_resp(message_id => $id, seq => $pdu->{seq});
    return unless $pdu->{registered_delivery} & 3;
    $session->deliver_sm(
        async                => 1,
        source_addr          => $pdu->{destination_addr},
        destination_addr     => $pdu->{source_addr},
        esm_class            => 0x04,
        short_message        => "id:$id sub:001 dlvrd:001 submit date:2611210936 done date:2611210937 stat:DELIVRD err:000 text:",
        receipted_message_id => "$id\0",
        message_state        => pack('C', 2),
    );
}

my %answers = (
    0x00000009 => \&bind_answer,
    0x00000004 => \&submit_answer,
    0x00000015 => sub { $_[0]->enquire_link_resp(seq => $_[1]{seq}) },
    0x00000006 => sub { print "unbind\n"; $_[0]->unbind_resp(seq => $_[1]{seq}) },
    0x80000005 => sub { print "deliver_sm_resp $_[1]{status}\n" },
);

my $listener = Net::SMPP->new_listen('127.0.0.1', port => $port, smpp_version => 0x34, interface_version => 0x34)
    or die "cannot listen on $port: $!";
while (1) {
    my $session = $listener->accept or next;
    while (my $pdu = $session->read_pdu) {
        my $answer = $answers{ $pdu->{cmd} } or next;
        $answer->($session, $pdu);
    }
}
