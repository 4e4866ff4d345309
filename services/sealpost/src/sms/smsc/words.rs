//! What an SMSC's refusals mean to people, and what to do.

use std::io::ErrorKind;

use smpp::codec::CommandStatus;
use smpp::tls::TlsFailure;

/// What a refused bind means, and what to do.
pub(super) fn bind(status: CommandStatus) -> (&'static str, &'static str) {
    match status {
        CommandStatus::RBINDFAIL => (
            "it lets this login not in, and says not why",
            "ask the operator whether the account is active, which kinds of bind it has, and from which addresses it \
             may come; check system id and password",
        ),
        CommandStatus::RINVPASWD => (
            "the password is wrong",
            "check it letter by letter (SMPP has 8 characters at most: an operator may have cut a longer one), or \
             have a new one set",
        ),
        CommandStatus::RINVSYSID => {
            ("it knows no such system id", "check the system id: capital and small letters differ")
        }
        CommandStatus::RALYBND => (
            "this account is bound already, as often as it may be",
            "end the other program or wait a few minutes for its bind to time out; or ask for more binds",
        ),
        CommandStatus::RINVCMDID | CommandStatus::RINVBNDSTS => (
            "it does not take this kind of bind",
            "it may know no transceiver: try --bind tx+rx, or another --interface-version",
        ),
        CommandStatus::RINVSYSTYP => {
            ("it does not take this system type", "ask the operator for it, and give --system-type")
        }
        CommandStatus::RSYSERR | CommandStatus::RUNKNOWNERR => (
            "it has trouble of its own",
            "try again in a few minutes; if it stays so, ask the operator, with the time of the try",
        ),
        status if status.is_throttle() => {
            ("too many binds in a short time", "wait some minutes before the next try")
        }
        _ => (
            "its reason is none that the specification has for binds",
            "ask the operator what this code means",
        ),
    }
}

/// What a refused message means, and what to do.
pub(super) fn message(status: CommandStatus) -> (&'static str, &'static str) {
    match status {
        CommandStatus::RINVSRCADR | CommandStatus::RINVSRCTON | CommandStatus::RINVSRCNPI => (
            "it does not take this sender",
            "ask the operator which sender ids are registered for you, and give one as --sender",
        ),
        CommandStatus::RINVDSTADR | CommandStatus::RINVDSTTON | CommandStatus::RINVDSTNPI => (
            "it does not send to this number",
            "check the number; ask the operator whether it serves that network and country",
        ),
        CommandStatus::RTHROTTLED => (
            "it takes no more messages now: the agreed rate is used up",
            "something else sends over this account, or the rate is very low: ask for it, and set `tps`",
        ),
        CommandStatus::RMSGQFUL => (
            "its queue for this account is full",
            "earlier messages wait in it: try later, and ask the operator how long the queue is",
        ),
        CommandStatus::RINVMSGLEN | CommandStatus::RINVESMCLASS => (
            "it does not take a message of this form",
            "ask the operator which long texts and alphabets it takes",
        ),
        CommandStatus::RINVBNDSTS => {
            ("this bind may not send", "ask whether the account may send, and with which kind of bind")
        }
        CommandStatus::RINVSERTYP => {
            ("it wants a service type", "ask the operator; Sealpost sends none, as the specification lets it")
        }
        CommandStatus::RINVREGDLVFLG => {
            ("it gives this account no receipts", "ask the operator to switch delivery receipts on")
        }
        CommandStatus::RSYSERR | CommandStatus::RSUBMITFAIL | CommandStatus::RUNKNOWNERR => (
            "it could not take the message, and says not why",
            "ask the operator: often it is a sender id that is not registered, or credit that is used up",
        ),
        _ => ("its reason is one of its own", "ask the operator what this code means"),
    }
}

/// What to do when there is no connection.
pub(super) fn connection(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ConnectionRefused => {
            "nothing listens on this port, or a firewall says no: check host and port, and whether the operator has \
             been told the address that you come from"
        }
        ErrorKind::TimedOut => {
            "no answer at all, which is mostly a firewall: operators let in only addresses that they were told, or \
             only a VPN"
        }
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => {
            "there is no way to this address from here: is a VPN to the operator needed, and up?"
        }
        _ => "check host and port, and whether the operator has been told the address that you come from",
    }
}

/// What to do when there is no TLS session.
pub(super) fn tls(failure: TlsFailure) -> &'static str {
    match failure {
        TlsFailure::UnknownAuthority => {
            "get the certificate of the operator's CA from the operator, by a way that you trust, and give it as \
             --ca-file"
        }
        TlsFailure::WrongName => {
            "give the host by the name in the certificate, or that name as --server-name, once the operator has \
             confirmed it"
        }
        TlsFailure::Expired => "check this machine's clock; else the operator must renew the certificate",
        TlsFailure::CertificateWanted | TlsFailure::Refused(_) => {
            "the operator wants a certificate of yours: set certificate_file and key_file under \
             [sms_gateway.smsc.tls], and use --config"
        }
        TlsFailure::NotTls | TlsFailure::Interrupted => {
            "this port may not speak TLS: ask for the port that does, or try without --tls"
        }
        TlsFailure::IsAuthority | TlsFailure::BadCertificate | TlsFailure::Protocol => {
            "the operator must mend its TLS: tell it this"
        }
    }
}

/// What a version number stands for.
pub(super) fn version(number: u8) -> String {
    match number {
        0x00..=0x33 => "3.3 or older".to_owned(),
        _ => format!("{}.{}", number >> 4, number & 0x0F),
    }
}
