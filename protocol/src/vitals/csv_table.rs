//! Reading a table of vital signs: every wrong cell is named by line and column, every gap is kept.

use std::str;

use csv::ByteRecord;

use super::{CELLS_MAX, CSV_BYTES_MAX, Decimal, Layout, Recording, SAMPLES_MAX, Signal, VitalsError};

/// What a column of the table is.
#[derive(Clone, Copy)]
enum Use {
    Counter,
    Signal(usize),
    Skip,
}

impl Recording {
    /// Reads a CSV by `layout`; its first row was measured at `start_ms` (milliseconds since 1970) if it counts 0.
    ///
    /// A mapped column that the header does not name gives no signal; a column that the mapping does not name is an error.
    /// An empty cell, a missing row of a counted table and `NaN` are gaps. Errors name line and column.
    pub fn from_csv(bytes: &[u8], layout: &Layout, start_ms: u64) -> Result<Self, VitalsError> {
        if bytes.len() > CSV_BYTES_MAX {
            return Err(VitalsError::TooLarge { got: bytes.len(), limit: CSV_BYTES_MAX });
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(bytes);
        let mut row = ByteRecord::new();
        let uses = if layout.header {
            next(&mut reader, &mut row)?;
            header_uses(layout, &row)?
        } else {
            (0..layout.channels.len()).map(Use::Signal).collect()
        };
        let mut table = Table::new(layout, &uses);
        while next(&mut reader, &mut row)? {
            table.push(&uses, &row)?;
        }
        table.finish(layout, start_ms)
    }
}

fn cell_error(row: &ByteRecord, column: usize, what: impl Into<String>) -> VitalsError {
    let line = row.position().map_or(1, csv::Position::line);
    VitalsError::Cell { line, column: column + 1, what: what.into() }
}

fn next(reader: &mut csv::Reader<&[u8]>, row: &mut ByteRecord) -> Result<bool, VitalsError> {
    reader.read_byte_record(row).map_err(|e| VitalsError::Cell {
        line: e.position().map_or(1, csv::Position::line),
        column: 1,
        what: format!("not CSV: {e}"),
    })
}

fn text(row: &ByteRecord, column: usize) -> Result<&str, VitalsError> {
    str::from_utf8(row.get(column).unwrap_or_default())
        .map_err(|_| cell_error(row, column, "not UTF-8; convert the file (for example with iconv -t UTF-8)"))
}

fn header_uses(layout: &Layout, row: &ByteRecord) -> Result<Vec<Use>, VitalsError> {
    if row.is_empty() {
        return Err(VitalsError::Empty);
    }
    let mut uses = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for column in 0..row.len() {
        let name = text(row, column)?;
        let shown: String = name.chars().take(40).collect();
        if !seen.insert(name.to_owned()) {
            return Err(cell_error(row, column, format!("the column {shown:?} stands twice; rename one")));
        }
        uses.push(if layout.counter.as_deref() == Some(name) {
            Use::Counter
        } else if let Some(i) = layout.channels.iter().position(|c| c.name == name) {
            Use::Signal(i)
        } else if layout.skipped.contains(name) {
            Use::Skip
        } else {
            let what = format!("the column {shown:?} is not in the mapping; map it, or leave it out with {shown}=-");
            return Err(cell_error(row, column, what));
        });
    }
    if let Some(counter) = layout.counter.as_ref().filter(|c| !seen.contains(*c)) {
        return Err(cell_error(row, 0, format!("the header lacks the column {counter:?}, which counts the rows")));
    }
    if !uses.iter().any(|u| matches!(u, Use::Signal(_))) {
        return Err(cell_error(row, 0, "no column of the mapping is in the header; check the mapping"));
    }
    Ok(uses)
}

struct Table {
    rows: usize,
    /// One a mapped channel, whether the table has it or not.
    columns: Vec<Vec<Option<Decimal>>>,
    present: Vec<bool>,
}

impl Table {
    fn new(layout: &Layout, uses: &[Use]) -> Self {
        let columns = vec![Vec::new(); layout.channels.len()];
        let present = |i: usize| uses.iter().any(|u| matches!(u, Use::Signal(s) if *s == i));
        Self { rows: 0, present: (0..columns.len()).map(present).collect(), columns }
    }

    fn push(&mut self, uses: &[Use], row: &ByteRecord) -> Result<(), VitalsError> {
        if row.len() != uses.len() {
            let what = format!("{} cells in this row, {} columns in the table", row.len(), uses.len());
            return Err(cell_error(row, row.len().min(uses.len()), what));
        }
        self.skip_to(uses, row)?;
        for (column, used) in uses.iter().enumerate() {
            let Use::Signal(i) = used else {
                continue;
            };
            let cell = text(row, column)?;
            let sample = match cell {
                "" | "NaN" | "nan" => None,
                cell => Some(cell.parse().map_err(|e| {
                    let shown: String = cell.chars().take(20).collect();
                    cell_error(row, column, format!("{shown:?} is {e}; leave a gap empty"))
                })?),
            };
            if let Some(samples) = self.columns.get_mut(*i) {
                samples.push(sample);
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// Fills the gap up to the row's count, if the table counts its rows.
    fn skip_to(&mut self, uses: &[Use], row: &ByteRecord) -> Result<(), VitalsError> {
        let mut at = self.rows;
        let mut place = 0;
        if let Some(column) = uses.iter().position(|u| matches!(u, Use::Counter)) {
            place = column;
            let cell = text(row, column)?;
            at = cell.parse().map_err(|_| {
                let shown: String = cell.chars().take(20).collect();
                cell_error(row, column, format!("{shown:?} is not a row count (0, 1, 2, …)"))
            })?;
        }
        if at < self.rows {
            let what = format!("{at} comes after {}; rows must count upwards, each once", self.rows.saturating_sub(1));
            return Err(cell_error(row, place, what));
        }
        if at >= SAMPLES_MAX || at.saturating_add(1).saturating_mul(self.columns.len()) > CELLS_MAX {
            let what =
                format!("a recording has at most {SAMPLES_MAX} rows and {CELLS_MAX} cells; cut it into shorter ones");
            return Err(cell_error(row, place, what));
        }
        for samples in &mut self.columns {
            samples.resize(at, None);
        }
        self.rows = at;
        Ok(())
    }

    fn finish(self, layout: &Layout, start_ms: u64) -> Result<Recording, VitalsError> {
        if self.rows == 0 {
            return Err(VitalsError::Empty);
        }
        let signals = layout.channels.iter().cloned().zip(self.columns);
        // A mapped column that the table does not have got no samples, not even gaps.
        let signals = signals.zip(&self.present).filter(|(_, present)| **present);
        let signals = signals.map(|((channel, samples), _)| Signal { channel, samples }).collect();
        Recording::new(start_ms, layout.period_ns, signals)
    }
}
