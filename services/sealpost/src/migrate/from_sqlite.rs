//! `sealpost migrate --from-sqlite`: the tables of a standalone in PostgreSQL.
//!
//! In: the data directory of a standalone that does not run, and an empty PostgreSQL. Out: its rows there, each table read
//! back and compared. What must hold: PostgreSQL has all tables of all services or no row, whenever this ends; the data
//! directory stays as it was but for a note that its tables have moved, and goes on to hold the secrets and the embedded bus.

use std::path::Path;

use bus::{BusKind, BusSettings};
use service::DatabaseSection;

use crate::console::{self, Outcome};
use crate::data_dir::DataDir;
use crate::installation::note_moved;
use crate::interrupt::Interrupt;
use crate::tables;

pub(super) async fn run(
    standalone: &Path,
    settings: &DatabaseSection,
    bus: &BusSettings,
    interrupt: &Interrupt,
) -> Outcome {
    if !standalone.join("secrets").is_dir() {
        return Err(format!("{} is no data directory of a standalone", standalone.display()).into());
    }
    // Until this is over no server can start on it.
    let data = DataDir::open(standalone)?;
    let moved = tables::to_postgres(settings, data.path(), interrupt).await?;
    let noted = note_moved(data.path());
    let lines: String = moved.iter().map(|(service, rows)| format!("{service}: {rows} rows\n")).collect();
    let printed = console::print(lines);
    console::say(&format!(
        "all tables are in PostgreSQL, each read back and compared. Start `sealpost serve --data-dir {}` with the \
         settings that you gave here: secrets and the embedded bus stay there. The SQLite files of the services are as they \
         were, and not used any more; never serve both",
        standalone.display(),
    ));
    if bus.kind == BusKind::Kafka {
        console::say(
            "the settings have a Kafka as bus: what waits on the embedded bus is not moved to it. Where something does, \
             serve with the embedded bus first, until nothing waits",
        );
    }
    noted
        .map_err(|error| format!("the tables have moved, but nothing says so to other commands: {error}"))?;
    printed
}
