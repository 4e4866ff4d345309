//! `sms encrypt` and `decrypt`, beside OpenSSL by the recipe of the format.

use crate::program::Place;

/// A vault `v.p12` with an RSA key for `acme`, its halves in `key.pem` and `acme.pub`.
fn place() -> Place {
    place_with("RSA -pkeyopt rsa_keygen_bits:2048 -quiet")
}

/// The same with an X25519 key.
fn x25519_place() -> Place {
    place_with("X25519")
}

fn place_with(algorithm: &str) -> Place {
    let place = Place::new();
    place.run("openssl", &format!("genpkey -out key.pem -algorithm {algorithm}"));
    place.sealpost("sms vault create v.p12").ok();
    place.sealpost("sms vault import v.p12 key.pem --client acme").ok();
    place.write("acme.pub", &place.sealpost("sms vault pubkey v.p12 acme").ok());
    place
}

const OAEP: &str = "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256";

#[test]
fn openssl_reads_what_we_encrypt() {
    let place = place();
    let text = "Grüße, your appointment is on Monday";

    let to = ["--to", "+255123456789", "--sender", "CLINIC", "acme.pub", text];
    let envelope = place.sealpost_with("sms encrypt", &to, "").ok();

    assert!(envelope.starts_with("ENCBA") && !envelope.contains('\n'), "{envelope}");
    place.write("envelope", &envelope);
    let plain = place.script(&format!(
        "base64 -d envelope > blob
         dd if=blob bs=1 skip=4 count=256 status=none | openssl pkeyutl -decrypt -inkey key.pem {OAEP} > aes
         iv=$(openssl dgst -md5 -r aes | cut -d' ' -f1)
         tail -c +261 blob | openssl enc -d -aes-256-cfb -nosalt -K $(xxd -p -c 64 aes) -iv $iv > padded
         head -c -$(tail -c 1 padded | od -An -tu1 | tr -d ' ') padded"
    ));
    assert_eq!(plain, format!("To: +255123456789\nSender: CLINIC\n\n{text}"));
}

#[test]
fn we_read_what_openssl_encrypts() {
    let place = place();
    let plain = "To: +255123456789\nSender: TEST\n\nHello";
    place.write("plain", plain);

    let envelope = place.script(&format!(
        "base64 -d acme.pub > key.der
         p=$((16 - $(stat -c %s plain) % 16))
         (cat plain; for i in $(seq $p); do printf \"\\\\x$(printf %02x $p)\"; done) > padded
         openssl rand 32 > aes
         iv=$(openssl dgst -md5 -r aes | cut -d' ' -f1)
         printf '\\x10\\xd0\\x81\\x00' > blob
         openssl pkeyutl -encrypt -pubin -keyform DER -inkey key.der {OAEP} < aes >> blob
         openssl enc -aes-256-cfb -nosalt -K $(xxd -p -c 64 aes) -iv $iv < padded >> blob
         base64 -w0 blob"
    ));

    for input in [envelope.clone(), format!("{envelope}\n")] {
        assert_eq!(place.sealpost_with("sms decrypt v.p12 acme", &[], &input).ok(), plain);
    }
}

#[test]
fn a_public_key_is_read_in_every_usual_form() {
    let place = place();
    place.script("base64 -d acme.pub > acme.der; openssl pkey -in key.pem -pubout > acme.pem; (cat acme.pub; echo) > line");

    for form in ["acme.pub", "line", "acme.der", "acme.pem"] {
        let envelope = place.sealpost_with(&format!("sms encrypt {form}"), &[], "To: +1\n\nx").ok();
        assert_eq!(
            place.sealpost_with("sms decrypt v.p12 acme", &[], &envelope).ok(),
            "To: +1\n\nx",
            "{form}"
        );
    }
}

#[test]
fn the_text_may_come_from_stdin() {
    let place = place();

    let envelope = place.sealpost_with("sms encrypt --to +1 acme.pub", &[], "one\ntwo\n").ok();

    assert_eq!(place.sealpost_with("sms decrypt v.p12 acme", &[], &envelope).ok(), "To: +1\n\none\ntwo");
}

#[test]
fn envelopes_are_opened_with_earlier_keys_too() {
    let place = place();
    let envelope = place.sealpost_with("sms encrypt acme.pub", &[], "To: +1\n\nx").ok();

    place.sealpost("sms vault add v.p12 acme").ok();

    assert_eq!(place.sealpost_with("sms decrypt v.p12 acme", &[], &envelope).ok(), "To: +1\n\nx");
}

#[test]
fn a_message_for_an_x25519_key_belongs_to_its_request() {
    let place = x25519_place();
    let request = "--client acme --correl-id C1 --deadline 2100-01-01T00:00:00Z";

    let envelope = place.sealpost_with(&format!("sms encrypt acme.pub {request}"), &[], "To: +1\n\nx").ok();

    assert!(envelope.starts_with("EN2A"), "{envelope}");
    let decrypt =
        |binding: &str| place.sealpost_with(&format!("sms decrypt v.p12 acme {binding}"), &[], &envelope);
    assert_eq!(decrypt("--correl-id C1 --deadline 2100-01-01T00:00:00Z").ok(), "To: +1\n\nx");
    for other in
        ["--correl-id C2 --deadline 2100-01-01T00:00:00Z", "--correl-id C1 --deadline 2100-01-01T00:00:00.0Z"]
    {
        let refusal = decrypt(other).refusal();
        assert_eq!(refusal, "encrypted for another key, client-id, correl-id or deadline, or damaged");
    }
    let alone = decrypt("").refusal();
    assert!(alone.starts_with("a message of version 2 belongs to a request"), "{alone}");
    let unbound = place.sealpost_with("sms encrypt acme.pub", &[], "To: +1\n\nx").refusal();
    assert!(unbound.starts_with("a message for an X25519 key belongs to one request"), "{unbound}");
}

#[test]
fn a_whole_request_is_decrypted_in_either_version() {
    for (place, beginning) in [(place(), "ENC"), (x25519_place(), "EN2A")] {
        let send = "sms send -n --client acme --key acme.pub --to +255700000001 --sender CLINIC";
        let request = place.sealpost_with(send, &["Your code is 1234"], "").ok();

        let message = place.sealpost_with("sms decrypt v.p12 acme", &[], &request).ok();

        assert!(request.contains(&format!("\"payload\":\"{beginning}")), "{request}");
        assert_eq!(message, "To: +255700000001\nSender: CLINIC\n\nYour code is 1234");
    }
}

#[test]
fn what_cannot_be_encrypted_or_opened_is_told_without_content() {
    let place = place();
    place.sealpost("sms vault add v.p12 other").ok();
    let envelope = place.sealpost_with("sms encrypt acme.pub", &[], "To: +1\n\nx").ok();

    for (arguments, input, reason) in [
        ("decrypt v.p12 other", envelope.as_str(), "encrypted for another key, or damaged"),
        ("decrypt v.p12 nobody", &envelope, "the vault has no key for nobody"),
        ("decrypt v.p12 acme", "what is this?", "not base64"),
        ("decrypt v.p12 acme", "aGVsbG8=", "not an encrypted message"),
        ("encrypt --to 123 acme.pub text", "", "recipient is not a full international number"),
        ("encrypt --to +123 acme.pub", "", "message text is empty"),
        ("encrypt v.p12", "", "v.p12: not an RSA or X25519 key"),
        ("encrypt missing", "", "missing: No such file or directory (os error 2)"),
    ] {
        let refusal = place.sealpost_with(&format!("sms {arguments}"), &[], input).refusal();
        assert_eq!(refusal, reason, "{arguments}");
    }
}
