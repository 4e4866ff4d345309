//! `POST /sms/platform/{platform}`: SMS come in, from a gateway client as JSON or from Twilio as a form.

use actix_web::http::header::HeaderMap;
use actix_web::web::{Bytes, Data, Path};
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse, post};
use url::form_urlencoded;

use super::super::basic;
use super::fields::Fields;
use super::refusal::Refusal;
use crate::app::State;
use crate::domain::intake::{self, Sms};
use crate::domain::{RelayError, twilio};

/// The platform whose webhooks are signed.
const TWILIO: &str = "twilio";

/// What Twilio gets: no answer to the sender. Plain text would go out as an SMS.
const NO_REPLY: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>";

/// What a gateway client is told.
pub(super) const PUBLISHED: &str = "message published successfully";

/// Takes an SMS in. 200 means that it is on disk and will reach the publisher; the same SMS again within a day
/// (`relay.dedupe_window`) is answered 200 and changes nothing.
#[utoipa::path(tag = "sms", params(("platform" = String, Path, description = "`twilio` for Twilio's signed form; any other \
    name for the JSON of a gateway client")),
    request_body(content = String, content_type = "application/json", description = "`text` (encrypted), `MSISDN` or \
        `address` (the sender); `date` and `date_sent` are not used"),
    responses(
        (status = 200, body = String, description = "`message published successfully`; empty TwiML for Twilio", content_type = "text/plain"),
        (status = 400, description = "`missing key - text`, `missing key - MSISDN`, `invalid data type, json expected`, or no encrypted message"),
        (status = 401), (status = 403, description = "not a message of this sender, or a wrong signature"),
        (status = 413), (status = 429), (status = 503),
    ), security(("gatewayClient" = [])))]
#[post("/sms/platform/{platform}")]
pub(crate) async fn take(
    state: Data<State>,
    request: HttpRequest,
    platform: Path<String>,
    body: Result<Bytes, Error>,
) -> HttpResponse {
    if platform.as_str() == TWILIO {
        return match from_twilio(&state, &request, body).await {
            Ok(()) => HttpResponse::Ok().content_type("text/xml").body(NO_REPLY),
            Err(refusal) => refusal.into_text(),
        };
    }
    match from_client(&state, &request, body).await {
        Ok(()) => HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(PUBLISHED),
        Err(refusal) => refusal.into_text(),
    }
}

/// Takes in the JSON of a gateway client.
pub(super) async fn from_client(
    state: &State,
    request: &HttpRequest,
    body: Result<Bytes, Error>,
) -> Result<(), Refusal> {
    let client = basic::caller(state, request).await?;
    let fields = Fields::read(body, "invalid data type, json expected")?;
    let text = fields.text("text").ok_or_else(|| Refusal::invalid("missing key - text"))?;
    let sender = fields.text("MSISDN").or_else(|| fields.text("address"));
    let sender = sender.ok_or_else(|| Refusal::invalid("missing key - MSISDN"))?;
    let sender =
        sender.trim().parse().map_err(|error| Refusal::invalid(format!("invalid MSISDN: {error}")))?;
    let sms = Sms { sender, text: text.to_owned(), client: Some(client.client_id) };
    intake::take(state, sms).await?;
    Ok(())
}

async fn from_twilio(
    state: &State,
    request: &HttpRequest,
    body: Result<Bytes, Error>,
) -> Result<(), Refusal> {
    let body = body.map_err(|_| Refusal::invalid("the body could not be read"))?;
    let form: Vec<(String, String)> = match request.content_type() {
        "application/x-www-form-urlencoded" => form_urlencoded::parse(&body).into_owned().collect(),
        _ => return Err(Refusal::invalid("a form is expected")),
    };
    let signature = header(request.headers(), twilio::HEADER);
    let url = called_url(state, request);
    if !twilio::is_signed(&state.settings.twilio_auth_token, &url, &form, signature) {
        return Err(RelayError::BadSignature.into());
    }
    let field = |name: &str| form.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
    let text = field("Body").ok_or_else(|| Refusal::invalid("missing key - Body"))?;
    let sender = field("From").ok_or_else(|| Refusal::invalid("missing key - From"))?;
    let sender = sender.parse().map_err(|error| Refusal::invalid(format!("invalid From: {error}")))?;
    intake::take(state, Sms { sender, text: text.to_owned(), client: None }).await?;
    Ok(())
}

/// The URL that Twilio called: the public one, however the request came here.
fn called_url(state: &State, request: &HttpRequest) -> String {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    match &state.platform.settings.http.public_url {
        Some(base) => format!("{}{target}", base.as_str().trim_end_matches('/')),
        None => {
            // Whoever makes these headers up still has to sign the URL that comes of them.
            let seen = request.connection_info();
            format!("{}://{}{target}", seen.scheme(), seen.host())
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
