#!/usr/bin/perl
# An SMSC on Net::SMPP (Debian: libnet-smpp-perl), an implementation independent of ours:
# perl smsc.pl '{"port":2775}'.
#
# Settings: port; systemId, password: what a bind must present. Serves one connection after the other, in one process,
# so that killing it kills all of it. Accepts every submit_sm, and sends a "delivered" receipt if one was asked for.
# Prints one line of JSON for each request that it gets.
use strict;
use warnings;
use JSON::PP;
use Net::SMPP;

my %settings = (systemId => 'sealpost', password => 'secret', %{ decode_json($ARGV[0]) });
my $submitted = 0;
$| = 1;
$SIG{PIPE} = 'IGNORE';

sub say_event {
    my ($event, %more) = @_;
    print encode_json({ event => $event, %more }), "\n";
}

sub bind_answer {
    my ($session, $pdu) = @_;
    my $known = $pdu->{system_id} eq $settings{systemId} && $pdu->{password} eq $settings{password};
    say_event('bind_transceiver', systemId => $pdu->{system_id}, accepted => $known ? \1 : \0);
    $session->bind_transceiver_resp(
        system_id => 'perl-smsc', seq => $pdu->{seq}, status => $known ? 0 : 0x0E);
}

sub submit_answer {
    my ($session, $pdu) = @_;
    # Another process, other ids: an SMSC does not begin again after a crash.
    my $id = sprintf "perl-%d-%d", $$, ++$submitted;
    say_event('submit_sm', id => $id, text => $pdu->{short_message}, to => $pdu->{destination_addr});
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
    0x00000006 => sub { say_event('unbind'); $_[0]->unbind_resp(seq => $_[1]{seq}) },
    0x80000005 => sub { say_event('deliver_sm_resp', status => 0 + $_[1]{status}) },
);

my $listener = Net::SMPP->new_listen('127.0.0.1', port => $settings{port}, smpp_version => 0x34, interface_version => 0x34)
    or die "cannot listen on $settings{port}: $!";
while (1) {
    my $session = $listener->accept or next;
    while (my $pdu = $session->read_pdu) {
        my $answer = $answers{ $pdu->{cmd} } or next;
        $answer->($session, $pdu);
    }
}
