//! The tables, as the migrations make them.

diesel::table! {
    gateway_clients (client_id) {
        client_id -> Text,
        secret_hash -> Binary,
        previous_hash -> Nullable<Binary>,
        previous_until -> Nullable<BigInt>,
        label -> Nullable<Text>,
        kind -> Text,
        msisdn -> Nullable<Text>,
        country -> Nullable<Text>,
        operator -> Nullable<Text>,
        operator_code -> Nullable<Text>,
        protocols -> Text,
        created_at -> BigInt,
        last_published_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    gateway_client_operators (client_id, operator) {
        client_id -> Text,
        operator -> Text,
    }
}

diesel::table! {
    seeds (imsi) {
        imsi -> Text,
        pseudonym -> Text,
        client_id -> Text,
        msisdn -> Text,
        seed_type -> Text,
        country -> Nullable<Text>,
        operator_name -> Nullable<Text>,
        operator_id -> Nullable<Text>,
        pinged_at -> BigInt,
    }
}

diesel::table! {
    incoming (message_id) {
        message_id -> Text,
        state -> Text,
        sealed -> Binary,
        received_at -> BigInt,
        attempts -> Integer,
        next_attempt_at -> BigInt,
        ended_at -> Nullable<BigInt>,
        traceparent -> Nullable<Text>,
    }
}
