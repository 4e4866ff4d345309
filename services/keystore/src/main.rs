//! The program `sealpost-keystore`.

fn main() -> std::process::ExitCode {
    service::main::<keystore::App>()
}
