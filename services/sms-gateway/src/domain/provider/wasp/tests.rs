//! Requests and answers of the interface WASP.

use common::crypto::sms_payload::SmsPayload;
use proptest::prelude::*;

use super::*;

const NOW: UnixMillis = UnixMillis(0);
const TEXT: &str = "Your appointment is at 14:30.";

fn wasp() -> Wasp {
    Wasp {
        name: "vodacom".into(),
        urls: vec!["http://127.0.0.1/wasp".parse().unwrap()],
        username: "clinic".into(),
        password: "s3cret-<&>".into(),
    }
}

fn message(text: &str) -> Message {
    Message {
        to: "+255123456789".parse().unwrap(),
        payload: SmsPayload::new("+255123456789", Some("CL&NIC"), text).unwrap(),
        reference: "job".into(),
        deadline: UnixMillis(0),
    }
}

fn read(status: u16, body: &str) -> Verdict {
    let answer = Answer { status, headers: HeaderMap::new(), body: Some(body.as_bytes().to_vec()) };
    wasp().read(&answer, &message(TEXT), NOW)
}

fn answer(inside: &str) -> String {
    format!("<SMSSubmitRsp><MessageID>17</MessageID><Status>{inside}</Status></SMSSubmitRsp>")
}

fn refusal(verdict: Verdict) -> String {
    match verdict {
        Verdict::Refused { text } => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_is_the_document_of_the_specification() {
    let request = wasp().request(0, &message("a < b & \"c\"\n\ré")).unwrap();

    assert_eq!(request.method, Method::POST);
    assert_eq!(
        String::from_utf8(request.body).unwrap(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><SMSSubmitReq><InterfaceID>JX</InterfaceID>\
         <Sender><Username>clinic</Username><Password>s3cret-&lt;&amp;&gt;</Password>\
         <SenderAddressType>1</SenderAddressType><Address>CL&amp;NIC</Address></Sender>\
         <Recipient><Number>255123456789</Number></Recipient>\
         <MsgDetails><ShortMessage>a &lt; b &amp; \"c\"\n\né</ShortMessage><MsgType>0</MsgType></MsgDetails>\
         <Tariff><TariffPrice>0</TariffPrice></Tariff>\
         <DeliveryReport><ReportEnabled>false</ReportEnabled></DeliveryReport></SMSSubmitReq>"
    );
}

#[test]
fn what_xml_cannot_carry_is_not_sent() {
    for text in ["\u{1}", "a\u{b}", "\u{1f}", "\u{fffe}"] {
        assert_eq!(wasp().request(0, &message(&format!("a{text}"))).err(), Some(Unwritable::Character));
    }
}

#[test]
fn code_0_is_accepted_with_the_id() {
    let accepted = |id: Option<&str>| Verdict::Accepted { message_id: id.map(str::to_owned) };

    for document in [
        answer("<StatusCode>0</StatusCode><StatusText>OK</StatusText>"),
        answer("<StatusCode> 0\n</StatusCode>"),
        answer("<StatusCode><![CDATA[0]]></StatusCode>"),
        answer("<StatusCode>&#48;</StatusCode>"),
        answer("<!-- <StatusCode>9</StatusCode> --><StatusCode>0</StatusCode>"),
        format!("<?xml version='1.0' encoding='ISO-8859-1'?>\n{}", answer("<StatusCode>0</StatusCode>")),
        "<w:SMSSubmitRsp xmlns:w='urn:w'><w:MessageID>17</w:MessageID><w:Status><w:StatusCode>0</w:StatusCode>\
         </w:Status></w:SMSSubmitRsp>"
            .to_owned(),
    ] {
        assert_eq!(read(200, &document), accepted(Some("17")), "{document}");
    }
    let without = "<SMSSubmitRsp><Status><StatusCode>0</StatusCode></Status></SMSSubmitRsp>";
    assert_eq!(read(202, without), accepted(None));
}

#[test]
fn another_code_is_refused_with_code_text_and_detail() {
    let text = refusal(read(
        200,
        &answer(
            "<StatusCode>105</StatusCode><StatusText>No credit &amp; more</StatusText><Detail>top up</Detail>",
        ),
    ));
    assert_eq!(text, "vodacom refused the message: code 105, No credit & more, top up");
}

#[test]
fn a_refusal_quotes_neither_message_nor_number_nor_password() {
    let text = refusal(read(
        200,
        &answer(&format!(
            "<StatusCode>7</StatusCode><StatusText>bad number 255123456789</StatusText><Detail>{TEXT}</Detail>"
        )),
    ));
    assert_eq!(text, "vodacom refused the message: code 7, bad number …");
    let text = refusal(read(
        200,
        &answer("<StatusCode>7</StatusCode><StatusText>clinic / s3cret-&lt;&amp;&gt;</StatusText>"),
    ));
    assert_eq!(text, "vodacom refused the message: code 7");
}

#[test]
fn an_answer_that_is_not_the_one_specified_is_unknown() {
    let good = answer("<StatusCode>0</StatusCode>");
    for document in [
        "",
        "OK",
        "<html><body>Welcome</body></html>",
        "<SMSSubmitRsp/>",
        "<SMSSubmitRsp><MessageID>17</MessageID></SMSSubmitRsp>",
        &answer(""),
        &answer("<StatusCode/>"),
        &answer("<StatusCode></StatusCode>"),
        &answer("<StatusCode>OK</StatusCode>"),
        &answer("<StatusCode>0</StatusCode><StatusCode>5</StatusCode>"),
        &answer("<StatusCode>&zero;</StatusCode>"),
        "<SMSSubmitRsp><StatusCode>0</StatusCode></SMSSubmitRsp>",
        "<x><SMSSubmitRsp><Status><StatusCode>0</StatusCode></Status></SMSSubmitRsp></x>",
        &format!("{good}{good}"),
        &good[..good.len() - 1],
        &good[..good.len() - 20],
        &"<a>".repeat(10_000),
    ] {
        assert!(matches!(read(200, document), Verdict::Unknown { .. }), "{document}");
    }
    let broken_off = Answer { status: 200, headers: HeaderMap::new(), body: None };
    assert!(matches!(wasp().read(&broken_off, &message(TEXT), NOW), Verdict::Unknown { .. }));
}

#[test]
fn the_http_status_decides_before_the_body_is_read() {
    let good = answer("<StatusCode>0</StatusCode>");

    for status in [100, 301, 302, 307, 500, 502, 503, 504, 599] {
        assert!(matches!(read(status, &good), Verdict::Unknown { .. }), "{status}");
    }
    for status in [400, 401, 403, 404, 408, 413, 499] {
        assert_eq!(refusal(read(status, &good)), format!("vodacom refused the message: HTTP {status}"));
    }
    assert_eq!(read(429, &good), Verdict::Throttled { pause: None });
}

proptest! {
    #[test]
    fn a_text_arrives_as_it_is(text in "[^\\p{C}]{1,80}", more in "[\\PC\\n\\t&<>'\"]{0,40}") {
        let sent = format!("{text}{more}");
        let Ok(request) = wasp().request(0, &message(&sent)) else { return Ok(()) };
        let body = String::from_utf8(request.body).unwrap();
        let (_, rest) = body.split_once("<ShortMessage>").unwrap();
        let (written, _) = rest.split_once("</ShortMessage>").unwrap();

        prop_assert_eq!(quick_xml::escape::unescape(written).unwrap(), sent);
        prop_assert_eq!(body.matches("<ShortMessage>").count(), 1);
    }

    #[test]
    fn no_answer_makes_it_panic(status in 100_u16..600, body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let answer = Answer { status, headers: HeaderMap::new(), body: Some(body) };

        let _ = wasp().read(&answer, &message(TEXT), NOW);
    }

    #[test]
    fn only_a_whole_answer_with_code_0_is_accepted(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("<SMSSubmitRsp>"), Just("</SMSSubmitRsp>"), Just("<Status>"), Just("</Status>"),
                Just("<StatusCode>"), Just("</StatusCode>"), Just("0"), Just("1"), Just("<MessageID>"),
                Just("</MessageID>"), Just("<Detail/>"), Just("&amp;"), Just("<!--"), Just("-->"), Just("]]>"),
            ],
            0..14,
        ),
    ) {
        let body = pieces.concat();

        if matches!(read(200, &body), Verdict::Accepted { .. }) {
            prop_assert!(body.contains("<Status>") && body.contains("<StatusCode>"), "{}", body);
            prop_assert!(body.trim_end().ends_with('>'), "{}", body);
        }
    }
}
