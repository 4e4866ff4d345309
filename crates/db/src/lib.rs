//! One database seam for PostgreSQL and SQLite: connections, transactions, migrations.
