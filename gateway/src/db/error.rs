//! What can go wrong with a database, and whether it may go away by itself.

/// A database that did not do what it was asked.
///
/// Never shows a value that was bound: those hold what callers said.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The engine refused or could not be reached.
    #[error("database: {}", describe(.0))]
    Engine(sqlx::Error),
    /// The schema was written by a later program.
    #[error("the database has schema {found}, this program knows up to {known}; start the newer program")]
    Newer {
        /// What the database has.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// A migration that was run differs from the one in this program.
    #[error("migration {version} was run with another text; the database belongs to another build")]
    Changed {
        /// Its number.
        version: i64,
    },
    /// A row holds what no program of ours writes.
    #[error("a row of {table} cannot be read: {what}")]
    Row {
        /// The table.
        table: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// The folder of the database cannot be made.
    #[error("cannot make the folder {}", path.display())]
    Folder {
        /// The folder.
        path: std::path::PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The database did not answer in time.
    #[error("the database did not answer in time")]
    Timeout,
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        Self::Engine(error)
    }
}

impl DbError {
    /// Returns whether the same may work later: the database is away, busy, out of room or chose us as the victim of a
    /// deadlock. Otherwise what was written is to blame, and writing it again would fail again.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Engine(sqlx::Error::Database(error)) => {
                let code = error.code().unwrap_or_default();
                if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
                    // Classes 22 (data), 23 (constraints), 21 (cardinality) and 54 (limits) blame what was written
                    // (https://www.postgresql.org/docs/15/errcodes-appendix.html).
                    return !["21", "22", "23", "54"].iter().any(|class| code.starts_with(class));
                }
                // SQLite's primary result codes are the low byte: 18 too big, 19 constraint, 20 mismatch, 25 range
                // (https://www.sqlite.org/rescode.html).
                let primary = code.parse::<u32>().map_or(0, |code| code & 0xff);
                ![18, 19, 20, 25].contains(&primary)
            }
            Self::Engine(sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. }) => false,
            Self::Engine(_) | Self::Timeout => true,
            Self::Newer { .. } | Self::Changed { .. } | Self::Row { .. } | Self::Folder { .. } => false,
        }
    }

    /// Returns whether a row with this key is there already.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Engine(sqlx::Error::Database(error)) if error.is_unique_violation())
    }

    /// Returns whether the row refers to one that is not there.
    pub fn is_missing_reference(&self) -> bool {
        matches!(self, Self::Engine(sqlx::Error::Database(error)) if error.is_foreign_key_violation())
    }
}

/// `PostgreSQL` puts the offending values into the detail of its message, so only the code and the constraint are told.
fn describe(error: &sqlx::Error) -> String {
    let sqlx::Error::Database(error) = error else {
        return error.to_string();
    };
    let code = error.code().unwrap_or_default();
    match error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        Some(postgres) => {
            let about = postgres.constraint().or_else(|| postgres.table()).unwrap_or_default();
            let blames_data = code.starts_with("22") || code.starts_with("23");
            let message = if blames_data { "" } else { postgres.message() };
            format!("PostgreSQL {code} {message} {about}").trim_end().to_owned()
        }
        None => format!("SQLite {code} {}", error.message()),
    }
}
