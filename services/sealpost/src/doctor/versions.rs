//! Versions: of this program and of what it runs with, against those that the suite tests (`docs/upgrading.md`).
//!
//! Kafka and RabbitMQ tell their clients no version by the means used here.

use super::Finding;

/// The oldest PostgreSQL that is tested.
const POSTGRES: i32 = 15;
/// The oldest OpenSSL that is tested: major and minor.
const OPENSSL: (i64, i64) = (3, 0);

const ADVICE: &str = "it may well do, and nobody has tried: use the versions of docs/upgrading.md";

/// Looks at what is in this process.
pub(super) fn examine() -> Vec<Finding> {
    let program = Finding::ok("version", format!("sealpost {}", env!("CARGO_PKG_VERSION")));
    vec![program, openssl(openssl::version::number(), openssl::version::version())]
}

/// `number` is OpenSSL's own: the major version in its highest four of 32 bits, then eight bits of the minor one.
fn openssl(number: i64, name: &str) -> Finding {
    let (major, minor) = (number >> 28 & 0xF, number >> 20 & 0xFF);
    let check = "version of OpenSSL";
    if (major, minor) < OPENSSL {
        return Finding::warning(check, format!("{name}, older than what is tested"), ADVICE);
    }
    Finding::ok(check, name)
}

/// Looks at PostgreSQL's number: `150020` is 15.20.
pub(super) fn postgres(number: i32) -> Finding {
    let (check, says) = ("version of PostgreSQL", format!("{}.{}", number / 10_000, number % 10_000));
    if number / 10_000 < POSTGRES {
        return Finding::warning(check, format!("{says}, older than what is tested"), ADVICE);
    }
    Finding::ok(check, says)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn what_is_older_than_tested_is_told() {
        assert_eq!((postgres(150_020).state, postgres(140_009).state), (State::Ok, State::Warning));
        assert_eq!(postgres(150_020).says, "15.20");
        assert_eq!(openssl(0x3000_0110, "OpenSSL 3.0.17").state, State::Ok);
        assert_eq!(openssl(0x1010_117F, "OpenSSL 1.1.1w").state, State::Warning);
    }

    #[test]
    fn the_minimum_is_that_of_the_documentation() {
        let page = include_str!("../../../../docs/upgrading.md");

        assert!(page.contains(&format!("| PostgreSQL | {POSTGRES} |")));
        assert!(page.contains(&format!("| OpenSSL, libpq | {}.{}, ", OPENSSL.0, OPENSSL.1)));
    }
}
