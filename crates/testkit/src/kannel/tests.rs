//! Our simulator, seen by Kannel.

use smpp::codec::{Address, DeliverSm, SubmitSm, esm_class};
use smpp::esme::Password;
use smpp::smsc::{Account, Behaviour, Receipts, Smsc, SmscSettings};

use super::{Kannel, KannelSettings};
use crate::calls::Calls;
use crate::wait::wait_until;

const SYSTEM_ID: &str = "kannel";
const PASSWORD: &str = "secret";
/// SMPP 3.4 §5.2.19: ISO 10646, which is UCS-2.
const UCS2: u8 = 8;
/// Kannel's word for "delivered" and "accepted by the SMSC", and the mask that asks for every kind.
const DELIVERED: &str = "type=1";
const ACCEPTED: &str = "type=8";
const ALL_KINDS: &str = "31";
/// Octets of a header with an 8-bit reference (3GPP TS 23.040 §9.2.3.24.1).
const HEADER: usize = 6;

struct Bench {
    smsc: Smsc,
    kannel: Kannel,
    calls: Calls,
}

impl Bench {
    async fn start() -> Self {
        let calls = Calls::start().await.unwrap();
        let account = Account { system_id: SYSTEM_ID.into(), password: Password::new(PASSWORD) };
        let behaviour = Behaviour { receipts: Some(Receipts::default()), ..Behaviour::default() };
        let settings = SmscSettings { accounts: vec![account], behaviour, ..SmscSettings::default() };
        let smsc = Smsc::start(settings).await.unwrap();
        let settings = KannelSettings {
            smsc_port: smsc.address().port(),
            system_id: SYSTEM_ID.to_owned(),
            password: PASSWORD.to_owned(),
            handset_url: format!("{}/handset?from=%p&text=%a", calls.url()),
        };
        let bench = Self { kannel: Kannel::start(&settings).await.unwrap(), smsc, calls };
        bench.bound().await;
        bench
    }

    async fn bound(&self) {
        wait_until("the bind", || async { self.smsc.counts().borrow().bound == 1 }).await;
    }

    /// Sends a text that takes so many parts; gives what the simulator has got of it.
    async fn send(&self, tag: &str, text: &str, coding: &str, parts: usize) -> Vec<SubmitSm> {
        let before = self.smsc.accepted().len();
        let back = format!("{}/receipt?{tag}&type=%d", self.calls.url());
        let parameters = [
            ("to", "255700000001"),
            ("from", "1000"),
            ("charset", "UTF-8"),
            ("coding", coding),
            ("text", text),
            ("dlr-mask", ALL_KINDS),
            ("dlr-url", &back),
        ];
        self.kannel.send(&parameters).await.assert_status(202);
        for kind in [ACCEPTED, DELIVERED] {
            let wanted = format!("/receipt?{tag}&{kind}");
            wait_until(&wanted, || async { self.calls.seen().contains(&wanted) }).await;
        }
        // Kannel asks for the receipt of the first part alone: it may be there before the others are.
        wait_until("all parts", || async { self.smsc.accepted().len() >= before + parts }).await;
        self.smsc.accepted().split_off(before).into_iter().map(|accepted| accepted.message).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_text_in_the_default_alphabet_is_accepted_and_its_receipt_is_matched() {
    let bench = Bench::start().await;

    let parts = bench.send("short", "5£ @ {home} €", "0", 1).await;

    let [part] = parts.as_slice() else { panic!("{parts:?}") };
    assert_eq!((part.data_coding, part.esm_class & esm_class::UDHI), (0, 0));
    // 3GPP TS 23.038 §6.2.1: `£` is 0x01, `@` 0x00; braces and the euro sign are in the extension table.
    assert_eq!(part.short_message, b"5\x01 \x00 \x1b\x28home\x1b\x29 \x1b\x65");
    assert_eq!(part.destination.value, "255700000001");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_text_comes_in_parts_that_make_it_whole() {
    let bench = Bench::start().await;
    let text: String = (0..100).map(|number| format!("{number:03} ")).collect();

    let mut parts = bench.send("long", text.trim_end(), "0", 3).await;

    parts.sort_by_key(|part| part.short_message[5]);
    let numbers: Vec<&[u8]> = parts.iter().map(|part| &part.short_message[4..HEADER]).collect();
    assert_eq!(numbers, [[3, 1], [3, 2], [3, 3]]);
    assert!(parts.iter().all(|part| part.esm_class & esm_class::UDHI != 0));
    assert!(parts.iter().all(|part| part.short_message[..4] == parts[0].short_message[..4]));
    let whole: Vec<u8> = parts.iter().flat_map(|part| part.short_message[HEADER..].to_vec()).collect();
    assert_eq!(String::from_utf8(whole).unwrap(), text.trim_end());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_in_ucs2_comes_as_it_was_written() {
    let bench = Bench::start().await;
    let text = "Привет, 世界";

    let parts = bench.send("ucs2", text, "2", 1).await;

    let [part] = parts.as_slice() else { panic!("{parts:?}") };
    assert_eq!(part.data_coding, UCS2);
    let wanted: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(part.short_message, wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enquiries_keep_the_bind_and_a_message_from_a_handset_gets_through() {
    let bench = Bench::start().await;
    let address = |value: &str| Address { ton: 1, npi: 1, value: value.into() };

    bench.smsc.deliver(
        SYSTEM_ID,
        DeliverSm {
            source: address("255700000002"),
            destination: address("1000"),
            short_message: b"STOP".to_vec(),
            ..DeliverSm::default()
        },
    );

    let heard = || async {
        let calls = bench.calls.seen();
        calls.iter().any(|call| call.starts_with("/handset?") && call.ends_with("text=STOP"))
    };
    wait_until("the message", heard).await;
    wait_until("enquiries", || async { bench.smsc.counts().borrow().enquiries >= 3 }).await;
    assert_eq!(bench.smsc.counts().borrow().binds, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kannel_binds_again_after_the_simulator_has_died() {
    let bench = Bench::start().await;

    bench.smsc.kill();
    wait_until("its death", || async { bench.smsc.counts().borrow().bound == 0 }).await;
    bench.smsc.revive().await.unwrap();
    bench.bound().await;

    assert_eq!(bench.send("again", "hello", "0", 1).await.len(), 1);
}
