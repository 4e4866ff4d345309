//! `sealpost-sms-gateway`: the SMS gateway as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main::<sms_gateway::App>()
}
