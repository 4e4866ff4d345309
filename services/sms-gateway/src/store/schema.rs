//! The tables, as `migrations/` makes them.

diesel::table! {
    sms_jobs (client_id, id) {
        client_id -> Text,
        id -> Text,
        correl_id -> Text,
        source_topic -> Text,
        source_partition -> Integer,
        source_offset -> BigInt,
        state -> Text,
        holds -> Bool,
        emitted -> Integer,
        possible_duplicate -> Bool,
        traceparent -> Nullable<Text>,
        class -> Text,
        deadline -> BigInt,
        payload -> Nullable<Text>,
        due_at -> Nullable<BigInt>,
        tries -> Integer,
        segments -> Integer,
        reference -> Integer,
        smsc -> Nullable<Text>,
        recall_id -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
        recipient -> Nullable<Text>,
        resends -> Integer,
        pinned -> Bool,
        deadline_text -> Nullable<Text>,
        route -> Text,
        tried_smscs -> Nullable<Text>,
        left_at -> Nullable<BigInt>,
        charged -> Integer,
        delivered_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    sms_orders (smsc) {
        smsc -> Text,
        state -> Text,
        changed_at -> BigInt,
    }
}

diesel::table! {
    sms_parts (client_id, job_id, part) {
        client_id -> Text,
        job_id -> Text,
        part -> Integer,
        smsc -> Text,
        state -> Text,
        message_id -> Nullable<Text>,
        message_key -> Nullable<Text>,
        refusal -> Nullable<BigInt>,
        receipt -> Nullable<Text>,
        receipt_error -> Nullable<Text>,
        updated_at -> BigInt,
    }
}

diesel::table! {
    sms_receipts (smsc, id) {
        smsc -> Text,
        id -> Text,
        message_id -> Text,
        message_key -> Text,
        state -> Text,
        error -> Nullable<Text>,
        received_at -> BigInt,
        tried -> Bool,
        recipient -> Nullable<Text>,
        looked_at -> BigInt,
    }
}

diesel::table! {
    sms_statuses (client_id, seq) {
        client_id -> Text,
        seq -> BigInt,
        correl_id -> Text,
        status -> Text,
        recall_id -> Nullable<Text>,
        error_text -> Nullable<Text>,
        simulated -> Bool,
        produced_at -> BigInt,
        possible_duplicate -> Bool,
        traceparent -> Nullable<Text>,
    }
}

diesel::table! {
    sms_sequences (client_id) {
        client_id -> Text,
        last_seq -> BigInt,
    }
}

diesel::table! {
    sms_due_statuses (client_id, job_id, step) {
        client_id -> Text,
        job_id -> Text,
        step -> Integer,
        due_at -> BigInt,
        status -> Text,
        error_text -> Nullable<Text>,
    }
}

diesel::table! {
    sms_references (recipient) {
        recipient -> Text,
        uses -> BigInt,
        used_at -> BigInt,
    }
}

diesel::table! {
    sms_seals (client_id, seal) {
        client_id -> Text,
        seal -> Text,
        source_topic -> Text,
        source_partition -> Integer,
        source_offset -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    sms_inbound_messages (message_key) {
        message_key -> Text,
        smsc -> Text,
        recipient -> Text,
        total -> Integer,
        since -> BigInt,
    }
}

diesel::table! {
    sms_inbound_parts (message_key, part) {
        message_key -> Text,
        part -> Integer,
        digest -> Text,
        sealed -> Binary,
    }
}

diesel::table! {
    sms_inbound_seen (digest) {
        digest -> Text,
        seen_at -> BigInt,
    }
}

diesel::table! {
    sms_inbound (client_id, seq) {
        client_id -> Text,
        seq -> BigInt,
        id -> Text,
        recipient -> Text,
        sender -> Nullable<Text>,
        received_at -> BigInt,
        parts -> Integer,
        partial -> Bool,
        keyword -> Nullable<Text>,
        payload -> Text,
    }
}

diesel::table! {
    sms_inbound_sequences (client_id) {
        client_id -> Text,
        last_seq -> BigInt,
    }
}

diesel::table! {
    sms_opt_outs (client_id, recipient) {
        client_id -> Text,
        recipient -> Text,
        since -> BigInt,
    }
}

diesel::table! {
    sms_webhooks (webhook) {
        webhook -> Text,
        client_id -> Text,
        seq -> BigInt,
        attempts -> Integer,
        due_at -> BigInt,
    }
}

diesel::table! {
    sms_quota_use (client_id, period) {
        client_id -> Text,
        period -> Text,
        ends_at -> BigInt,
        used -> BigInt,
        warned -> Bool,
    }
}

diesel::table! {
    sms_report (client_id, day, smsc, state, sent, bucket) {
        client_id -> Text,
        day -> BigInt,
        smsc -> Text,
        state -> Text,
        sent -> Integer,
        bucket -> Integer,
        requests -> BigInt,
        segments -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(sms_jobs, sms_parts, sms_receipts);
