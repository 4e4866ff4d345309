//! The Sealpost sms-gateway service.
