//! The program `sealpost-auth`.

fn main() -> std::process::ExitCode {
    service::main::<auth::App>()
}
