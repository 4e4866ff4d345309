//! The tables of this service, as diesel sees them. `migrations/` is where they are made.

diesel::table! {
    sync_sessions (user_id, session_id) {
        user_id -> Text,
        session_id -> Text,
        shown_id -> Text,
        state -> Text,
        turn -> Integer,
        turn_until -> BigInt,
        expires_at -> BigInt,
        public_key -> Nullable<Binary>,
        process -> Nullable<Text>,
        connection -> Nullable<Text>,
    }
}

diesel::table! {
    synchronized_devices (user_id, session_id) {
        user_id -> Text,
        session_id -> Text,
        shared_key -> Binary,
        created_at -> BigInt,
    }
}

diesel::table! {
    provisioning (address_hash) {
        address_hash -> Binary,
        expires_at -> BigInt,
        scanned_at -> Nullable<BigInt>,
        envelope -> Nullable<Binary>,
        taken_at -> Nullable<BigInt>,
    }
}
