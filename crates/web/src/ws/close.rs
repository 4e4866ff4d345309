//! Close codes of RFC 6455 §7.4 and our own in 4400..4499 (`proto/ws.md`).

/// The status code of a close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: this side is going away.
    pub const AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL: Self = Self(1002);
    /// 1007: a text message that is not UTF-8, or data that does not fit its type.
    pub const INVALID: Self = Self(1007);
    /// 1008: the peer broke a rule of ours.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message over the limit.
    pub const TOO_BIG: Self = Self(1009);
    /// 1011: a fault on this side.
    pub const ERROR: Self = Self(1011);
    /// 1012: this process is stopping; connect again, with jitter.
    pub const RESTART: Self = Self(1012);
    /// 1013: too much to do at the moment.
    pub const TRY_AGAIN: Self = Self(1013);
    /// 4401: the session or the device is no longer valid.
    pub const REVOKED: Self = Self(4401);
    /// 4409: the same device connected elsewhere.
    pub const REPLACED: Self = Self(4409);

    /// Makes a code of a service's own; anything that may not be sent (RFC 6455 §7.4.1) becomes 1011.
    pub const fn new(code: u16) -> Self {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Self(code),
            _ => Self::ERROR,
        }
    }

    /// Returns the code as it is on the wire.
    pub const fn as_u16(self) -> u16 {
        self.0
    }
}
