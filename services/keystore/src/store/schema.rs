//! The tables of this service, as diesel sees them. `migrations/` is where they are made.

diesel::table! {
    accounts (account_id) {
        account_id -> Text,
        identity_key -> Nullable<Binary>,
        last_device_id -> Integer,
        removed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    devices (account_id, device_id) {
        account_id -> Text,
        device_id -> Integer,
        generation -> Text,
        state -> Text,
        changed_at -> BigInt,
        registration_id -> Integer,
        name -> Nullable<Text>,
        session_id -> Text,
        signed_key_id -> Integer,
        signed_key -> Binary,
        signed_signature -> Binary,
        last_resort_served -> BigInt,
        ec_low -> Bool,
        pq_low -> Bool,
        created_at -> BigInt,
        next_ec_position -> BigInt,
        next_pq_position -> BigInt,
        signed_at -> BigInt,
    }
}

diesel::table! {
    last_resort_keys (account_id, device_id) {
        account_id -> Text,
        device_id -> Integer,
        key_id -> Integer,
        public_key -> Binary,
        signature -> Binary,
    }
}

diesel::table! {
    one_time_keys (account_id, device_id, kind, position) {
        account_id -> Text,
        device_id -> Integer,
        kind -> Text,
        position -> BigInt,
        key_id -> Integer,
        public_key -> Binary,
        signature -> Nullable<Binary>,
        key_hash -> Binary,
    }
}

diesel::table! {
    issued_keys (account_id, key_hash) {
        account_id -> Text,
        key_hash -> Binary,
        issued_at -> BigInt,
    }
}

diesel::table! {
    signal_server_devices (account_id, generation) {
        account_id -> Text,
        generation -> Text,
        state -> Text,
        changed_at -> BigInt,
        registration_id -> Integer,
        address -> Text,
        identity_key -> Text,
        signed_key_id -> Integer,
        signed_key -> Text,
        signed_signature -> Text,
        next_position -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    signal_server_prekeys (account_id, position) {
        account_id -> Text,
        position -> BigInt,
        key_id -> Integer,
        public_key -> Text,
        key_hash -> Binary,
    }
}

diesel::table! {
    signal_server_issued_prekeys (account_id, key_hash) {
        account_id -> Text,
        key_hash -> Binary,
        issued_at -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    accounts,
    devices,
    last_resort_keys,
    one_time_keys,
    issued_keys
);
