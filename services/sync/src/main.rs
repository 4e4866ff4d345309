//! The program `sealpost-sync`.

fn main() -> std::process::ExitCode {
    service::main::<sync::App>()
}
