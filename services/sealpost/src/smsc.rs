//! `sealpost smsc`: the SMSC simulator as a program.
//!
//! It prints a line for each thing that happens; never the text of a message, and numbers masked.

mod options;
mod values;

use common::models::E164;
use smpp::codec::{Address, CommandStatus};
use smpp::smsc::{Smsc, SmscEvent};

use crate::console::{self, Outcome};
pub(crate) use options::Simulator;

impl Simulator {
    /// Runs until it is asked to stop.
    ///
    /// # Errors
    /// An address that cannot be listened on, a password that SMPP has no room for, files that TLS cannot use.
    pub(crate) fn run(self) -> Outcome {
        let settings = self.settings(|event| {
            // A reader of the lines that has gone is no reason to stop.
            let _ = console::print_line(&describe(event));
        })?;
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
            let stop = web::shutdown_signal()?;
            let (listen, secure) = (settings.listen, settings.tls.is_some());
            let smsc = Smsc::start(settings).await.map_err(|error| format!("{listen}: {error}"))?;
            let tls = if secure { " tls=yes" } else { "" };
            console::print_line(&format!("ready smpp={}{tls}", smsc.address()))?;
            stop.await;
            Ok(())
        })
    }
}

/// One line about an event.
fn describe(event: &SmscEvent) -> String {
    match event {
        SmscEvent::HandshakeFailed => "handshake-failed".to_owned(),
        SmscEvent::Bound { system_id } => format!("bound esme={system_id}"),
        SmscEvent::BindRefused { system_id, status } => {
            format!("bind-refused esme={system_id} status={}", name(*status))
        }
        SmscEvent::Unbound { system_id } => format!("unbound esme={system_id}"),
        SmscEvent::Accepted(accepted) => format!(
            "accepted esme={} id={} to={} coding={} octets={}",
            accepted.system_id,
            accepted.message_id,
            masked(&accepted.message.destination),
            accepted.message.data_coding,
            accepted.message.text().len(),
        ),
        SmscEvent::Refused { system_id, status } => {
            format!("refused esme={system_id} status={}", name(*status))
        }
        SmscEvent::Unanswered { system_id } => format!("unanswered esme={system_id}"),
        SmscEvent::Delivered { system_id, message, status } => {
            let what = if message.is_receipt() { "receipt" } else { "message" };
            let id = message.tlvs.receipted_message_id().unwrap_or("-");
            format!("{what} esme={system_id} id={id} answered={}", name(*status))
        }
        SmscEvent::Died => "died".to_owned(),
        SmscEvent::Revived => "revived".to_owned(),
    }
}

fn name(status: CommandStatus) -> String {
    status.name().map_or_else(|| format!("0x{:08X}", status.0), str::to_owned)
}

fn masked(address: &Address) -> String {
    let number = format!("+{}", address.value).parse::<E164>();
    number.map_or_else(|_| "*****".to_owned(), |number| number.masked())
}

#[cfg(test)]
mod tests {
    use smpp::codec::{MessageState, SubmitSm};
    use smpp::smsc::Accepted;

    use super::*;

    #[test]
    fn a_line_shows_neither_text_nor_number() {
        let destination = Address { ton: 1, npi: 1, value: "255712345678".into() };
        let message = SubmitSm { destination, short_message: b"secret".to_vec(), ..SubmitSm::default() };
        let state = MessageState::Delivered;
        let accepted = Accepted { system_id: "acme".into(), message_id: "7".into(), message, state };

        let line = describe(&SmscEvent::Accepted(accepted));

        assert_eq!(line, "accepted esme=acme id=7 to=+255*****78 coding=0 octets=6");
    }
}
