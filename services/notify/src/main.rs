//! The program `sealpost-notify`.

fn main() -> std::process::ExitCode {
    service::main::<notify::App>()
}
