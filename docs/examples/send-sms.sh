#!/bin/sh
# Sends one SMS, encrypted by openssl (version 1, for RSA keys), through a gateway's HTTP interface with curl or through
# Kafka with kcat, and prints its statuses until the last one. The text is read from stdin:
#
#   echo "Votre rendez-vous est à 10 h" | CLIENT=acme PUBKEY=acme.pub SENDER=CLINIC \
#       SERVER=https://sms.example API_KEY_FILE=api.key ./send-sms.sh +255712345678
#
# For Kafka give BROKERS=localhost:9092 in place of SERVER and API_KEY_FILE.
set -eu
umask 077
fail() { echo "$*" >&2; exit 1; }

to=${1:?give the recipient: + and digits}
: "${CLIENT:?your client id}" "${PUBKEY:?file with your public key}" "${SENDER:?what the phone shows}"
[ -n "${SERVER:-}${BROKERS:-}" ] || fail "give SERVER and API_KEY_FILE, or BROKERS"
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' INT TERM
hex() { od -An -v -tx1 | tr -d ' \n'; }

# --- the message, and as many octets of value N as are missing to the next 16 (1 to 16) ---
text=$(cat)
[ -n "$text" ] || fail "the text on stdin is empty"
printf 'To: %s\nSender: %s\n\n%s' "$to" "$SENDER" "$text" > "$place/message"
missing=$((16 - $(wc -c < "$place/message") % 16))
octet=$(printf '\\%03o' "$missing")
while [ "$missing" -gt 0 ]; do printf "$octet"; missing=$((missing - 1)); done >> "$place/message"

# --- a fresh key, wrapped with the client's public key ---
base64 -d < "$PUBKEY" > "$place/public.der" 2> /dev/null &&
    openssl rsa -pubin -inform DER -in "$place/public.der" -noout 2> /dev/null ||
    fail "$PUBKEY is not a public RSA key: expected one line of base64 that begins MIIB"
openssl rand 32 > "$place/key"
openssl pkeyutl -encrypt -pubin -keyform DER -inkey "$place/public.der" -in "$place/key" -out "$place/wrapped" \
    -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256
iv=$(openssl md5 -binary < "$place/key" | hex)
openssl enc -aes-256-cfb -nosalt -K "$(hex < "$place/key")" -iv "$iv" -in "$place/message" -out "$place/body"

# --- 18 bits that say "version 1", then 14 with the length of the wrapped key ---
size=$((0x8000 | $(wc -c < "$place/wrapped")))
header=$(printf '\\020\\320\\%03o\\%03o' $((size / 256)) $((size % 256)))
{ printf "$header"; cat "$place/wrapped" "$place/body"; } | base64 | tr -d '\n' > "$place/payload"

# --- the request ---
correl=C$(openssl rand -hex 16)
printf '{"client-id":"%s","correl-id":"%s","deadline":"%s","payload":"%s"}' \
    "$CLIENT" "$correl" "${DEADLINE:-2100-01-01T00:00:00Z}" "$(cat "$place/payload")" > "$place/request"

# Prints this message's statuses out of what comes in, one JSON object a line, and ends with the last of them.
follow() {
    while read -r line; do
        line=${line#data: }
        case $line in *"\"correl-id\":\"$correl\""*) printf '%s\n' "$line" ;; *) continue ;; esac
        case $line in
            *'"sms-status":"DELIVERED"'*) return 0 ;;
            *'"sms-status":"SENT"'*) ;;
            *) return 1 ;;
        esac
    done
    fail "the statuses ended before the last one"
}
mkfifo "$place/statuses"

if [ -n "${BROKERS:-}" ]; then
    started=$(date +%s)000
    kcat -P -q -b "$BROKERS" -t "${TOPIC:-send-sms}" -k "$CLIENT:$correl" -X acks=all -X message.timeout.ms=15000 \
        "$place/request"
    # What was written since a moment ago: no status is missed.
    kcat -C -u -q -b "$BROKERS" -t "${STATUS_TOPIC:-sms-status}" -o "s@$started" > "$place/statuses" &
else
    # The API key goes through a file: arguments can be read by every user of the machine.
    printf 'Authorization: Bearer %s\n' "$(cat "${API_KEY_FILE:?file with your API key}")" > "$place/header"
    code=$(curl -sS -H "@$place/header" -H 'Content-Type: application/json' --data-binary "@$place/request" \
        -o "$place/answer" -w '%{http_code}' "$SERVER/v1/sms")
    [ "$code" = 202 ] || fail "the gateway answered $code: $(cat "$place/answer")"
    # All statuses of the client, as a stream of events.
    curl -sSN -H "@$place/header" -H 'Accept: text/event-stream' "$SERVER/v1/sms/status" > "$place/statuses" &
fi
reader=$!
trap 'kill "$reader" 2> /dev/null; rm -rf "$place"' EXIT
echo "accepted as $correl"
follow < "$place/statuses"
