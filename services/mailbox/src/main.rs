//! The program `sealpost-mailbox`.

fn main() -> std::process::ExitCode {
    service::main::<mailbox::App>()
}
