//! The program `sealpost-relay`.

fn main() -> std::process::ExitCode {
    service::main::<relay::App>()
}
