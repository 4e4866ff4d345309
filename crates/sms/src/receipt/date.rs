//! Dates of receipts: `YYMMDDhhmm` (SMPP 3.4 Appendix B), and with seconds or a four-digit year from some SMSCs.

/// A date and time without a zone: the SMSC's clock, wherever it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReceiptDate {
    /// Year, four digits.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day, 1 to 31.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 60; 0 when not given.
    pub second: u8,
}

impl ReceiptDate {
    /// Reads 10, 12 or 14 digits; `None` for anything else, and for numbers that are no date.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.bytes().all(|octet| octet.is_ascii_digit()) {
            return None;
        }
        let year_digits = match text.len() {
            10 | 12 => 2,
            14 => 4,
            _ => return None,
        };
        let (year, rest) = text.split_at_checked(year_digits)?;
        let year: u16 = year.parse().ok()?;
        let pair = |index: usize| rest.get(index * 2..index * 2 + 2)?.parse::<u8>().ok();
        let date = Self {
            year: if year_digits == 2 { 2000 + year } else { year },
            month: pair(0)?,
            day: pair(1)?,
            hour: pair(2)?,
            minute: pair(3)?,
            second: pair(4).unwrap_or(0),
        };
        date.is_possible().then_some(date)
    }

    fn is_possible(self) -> bool {
        (1..=12).contains(&self.month)
            && (1..=31).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60
    }
}
