//! An SQLite database in memory. Its spans are made by hand, after the conventions for databases:
//! <https://opentelemetry.io/docs/specs/semconv/db/database-spans/>.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::global::{self, BoxedSpan, BoxedTracer};
use opentelemetry::trace::{Span, SpanKind, Status, Tracer};
use opentelemetry::{Context, KeyValue};
use rusqlite::{Connection, Error};

pub(crate) struct Database {
    connection: Mutex<Connection>,
    tracer: BoxedTracer,
    queries: AtomicU64,
    fail_every: u64,
}

impl Database {
    /// Of each `fail_every` queries the last one fails; none does if it is 0.
    pub(crate) fn open(fail_every: u64) -> rusqlite::Result<Self> {
        let connection = Connection::open_in_memory()?;
        connection.execute_batch(
            "CREATE TABLE items (name TEXT NOT NULL);
             INSERT INTO items VALUES ('apples'), ('bread'), ('cheese');",
        )?;
        let (connection, tracer) = (Mutex::new(connection), global::tracer("quickstart/database"));
        Ok(Self { connection, tracer, queries: AtomicU64::new(0), fail_every })
    }

    pub(crate) fn items(&self) -> rusqlite::Result<Vec<String>> {
        let number = self.queries.fetch_add(1, Ordering::Relaxed) + 1;
        // No number is a multiple of 0. The failure is a real one: there is no such table.
        let fails = number.is_multiple_of(self.fail_every);
        self.select_from(if fails { "lost_items" } else { "items" })
    }

    fn select_from(&self, table: &str) -> rusqlite::Result<Vec<String>> {
        let query = format!("SELECT name FROM {table} ORDER BY name");
        let mut span = self.span("SELECT", table, &query);
        let rows = self.rows(&query);
        match &rows {
            Ok(rows) => span.set_attribute(KeyValue::new("db.response.returned_rows", rows.len() as i64)),
            Err(error) => failed(&mut span, error),
        }
        span.end();
        rows
    }

    fn span(&self, operation: &'static str, table: &str, query: &str) -> BoxedSpan {
        let name = format!("{operation} {table}");
        let attributes = [
            KeyValue::new("db.system.name", "sqlite"),
            KeyValue::new("db.namespace", "main"),
            KeyValue::new("db.collection.name", table.to_owned()),
            KeyValue::new("db.operation.name", operation),
            KeyValue::new("db.query.summary", name.clone()),
            // Nobody's data is in this text. Where values are part of it, they must be taken out.
            KeyValue::new("db.query.text", query.to_owned()),
        ];
        let builder = self.tracer.span_builder(name).with_kind(SpanKind::Client).with_attributes(attributes);
        self.tracer.build_with_context(builder, &Context::current())
    }

    fn rows(&self, query: &str) -> rusqlite::Result<Vec<String>> {
        let connection = self.connection.lock().expect("no query panics");
        let mut statement = connection.prepare(query)?;
        let rows = statement.query_map([], |row| row.get(0))?;
        rows.collect()
    }
}

/// "The `error.type` SHOULD match the `db.response.status_code`", which is SQLite's result code.
fn failed(span: &mut BoxedSpan, error: &Error) {
    if let Some(code) = error.sqlite_error().map(|error| error.extended_code.to_string()) {
        span.set_attribute(KeyValue::new("db.response.status_code", code.clone()));
        span.set_attribute(KeyValue::new("error.type", code));
    } else {
        span.set_attribute(KeyValue::new("error.type", "_OTHER"));
    }
    span.set_status(Status::error(error.to_string()));
}
