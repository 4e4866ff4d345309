//! Arrays in PostgreSQL's binary form, written in one piece.
//!
//! In: the values of a column. Out: what `array_recv` reads. diesel writes each element into a buffer of its own first and
//! lets the array grow as it comes; under load that was a tenth of what a batch costs its service.

use std::io::Write as _;

use diesel::pg::Pg;
use diesel::serialize::{IsNull, Output, Result, ToSql};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Nullable, SqlType, Text};

/// Dimensions, whether there are nulls, type of the elements, their number, and the index of the first: 32 bits each.
const HEADER: usize = 20;
const DIMENSIONS: u32 = 1;
const FIRST_INDEX: u32 = 1;
/// The length of an element that is null.
const NULL: u32 = u32::MAX;
const LENGTH: usize = 4;

/// A SQL type that arrays are made of.
pub trait CellType: SqlType {
    /// PostgreSQL's number of the type, from its catalogue `pg_type.dat`.
    const OID: u32;
}

impl CellType for Bool {
    const OID: u32 = 16;
}

impl CellType for Binary {
    const OID: u32 = 17;
}

impl CellType for BigInt {
    const OID: u32 = 20;
}

impl CellType for Integer {
    const OID: u32 = 23;
}

impl CellType for Text {
    const OID: u32 = 25;
}

impl<ST> CellType for Nullable<ST>
where
    ST: CellType<IsNull = diesel::sql_types::is_nullable::NotNull>,
{
    const OID: u32 = ST::OID;
}

/// A value of the SQL type `ST`.
pub trait Cell<ST> {
    /// Gives its length in octets; `None` for null.
    fn size(&self) -> Option<usize>;

    /// Writes it, without its length; nothing for null.
    fn put(&self, out: &mut Vec<u8>);
}

impl Cell<Text> for &str {
    fn size(&self) -> Option<usize> {
        Some(self.len())
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl Cell<Text> for String {
    fn size(&self) -> Option<usize> {
        Some(self.len())
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl Cell<Binary> for &[u8] {
    fn size(&self) -> Option<usize> {
        Some(self.len())
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl Cell<Integer> for i32 {
    fn size(&self) -> Option<usize> {
        Some(size_of::<Self>())
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
}

impl Cell<BigInt> for i64 {
    fn size(&self) -> Option<usize> {
        Some(size_of::<Self>())
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
}

impl Cell<Bool> for bool {
    fn size(&self) -> Option<usize> {
        Some(size_of::<Self>())
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl<ST, V: Cell<ST>> Cell<Nullable<ST>> for Option<V>
where
    ST: CellType<IsNull = diesel::sql_types::is_nullable::NotNull>,
{
    fn size(&self) -> Option<usize> {
        self.as_ref().and_then(Cell::size)
    }

    fn put(&self, out: &mut Vec<u8>) {
        if let Some(value) = self {
            value.put(out);
        }
    }
}

/// A packed array.
#[derive(Debug)]
pub(super) struct Packed(Vec<u8>);

impl Packed {
    /// Packs values of the type `ST`. More than PostgreSQL takes, which ends at a gigabyte, it refuses.
    pub(super) fn of<ST: CellType, V: Cell<ST>>(values: impl ExactSizeIterator<Item = V>) -> Self {
        let count = values.len();
        let mut octets = Vec::new();
        let mut has_null = false;
        for value in values {
            let size = value.size();
            if octets.is_empty() {
                // The others are likely to be as long as the first.
                octets.reserve(HEADER + count * (LENGTH + size.unwrap_or_default()));
                octets.resize(HEADER, 0);
            }
            has_null |= size.is_none();
            let length = size.map_or(NULL, |size| u32::try_from(size).unwrap_or(NULL - 1));
            octets.extend_from_slice(&length.to_be_bytes());
            value.put(&mut octets);
        }
        octets.resize(octets.len().max(HEADER), 0);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let header = [DIMENSIONS, u32::from(has_null), ST::OID, count, FIRST_INDEX];
        for (place, word) in octets.chunks_exact_mut(LENGTH).zip(header) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        Self(octets)
    }
}

impl<ST: CellType> ToSql<Array<ST>, Pg> for Packed {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> Result {
        out.write_all(&self.0)?;
        Ok(IsNull::No)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_laid_out_as_postgresql_reads_it() {
        let packed = Packed::of::<Nullable<Text>, _>([Some("ab"), None].into_iter());

        let words = [1_u32, 1, 25, 2, 1, 2];
        let mut expected: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        expected.extend_from_slice(b"ab");
        expected.extend_from_slice(&[255; 4]);
        assert_eq!(packed.0, expected);
    }

    #[test]
    fn an_empty_array_is_its_header() {
        let packed = Packed::of::<BigInt, i64>(std::iter::empty());

        assert_eq!(packed.0.len(), HEADER);
        assert_eq!(packed.0[8..16], [0, 0, 0, 20, 0, 0, 0, 0]);
    }
}
