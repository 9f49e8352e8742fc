//! What commands print, and in which form.

use std::io::Write;

/// Where output goes and in which of the two forms.
pub struct Printer {
    minimal: bool,
    /// What the minimal form prints at the end, newest first.
    held: Vec<String>,
    out: Box<dyn Write>,
    err: Box<dyn Write>,
}

/// One record to print: names with their tags, and values.
pub type Row = Vec<(String, String)>;

impl Printer {
    /// Prints to the standard streams.
    pub fn standard(minimal: bool) -> Printer {
        Printer::to(minimal, Box::new(std::io::stdout()), Box::new(std::io::stderr()))
    }

    /// Prints elsewhere.
    pub fn to(minimal: bool, out: Box<dyn Write>, err: Box<dyn Write>) -> Printer {
        Printer {
            minimal,
            held: Vec::new(),
            out,
            err,
        }
    }

    /// Records, each followed by two empty lines; the minimal form keeps the first value of each.
    pub fn table(&mut self, rows: &[Row]) {
        if self.minimal {
            if rows.first().is_some_and(|row| !row.is_empty()) {
                let firsts = rows.iter().filter_map(|row| row.first());
                let values: Vec<String> = firsts.map(|(_, value)| escape_commas(value)).collect();
                self.held.push(values.join(","));
            }
            return;
        }
        let mut text = String::new();
        for row in rows {
            aligned(row, &mut text);
            text.push_str("\n\n");
        }
        self.write_out(&text);
    }

    /// Values, one a line.
    pub fn list<S: AsRef<str>>(&mut self, values: &[S]) {
        if self.minimal {
            let values: Vec<String> = values.iter().map(|v| escape_commas(v.as_ref())).collect();
            self.held.push(values.join(","));
            return;
        }
        for value in values {
            self.write_out(&format!("{}\n", value.as_ref()));
        }
    }

    /// One value.
    pub fn value(&mut self, value: &str) {
        self.list(&[value]);
    }

    /// A remark that the minimal form leaves out.
    pub fn remark(&mut self, text: &str) {
        if !self.minimal {
            self.write_out(&format!("{text}\n"));
        }
    }

    /// A line that both forms print at once.
    pub fn line(&mut self, text: &str) {
        self.write_out(&format!("{text}\n"));
    }

    /// A line on standard error.
    pub fn complain(&mut self, text: &str) {
        let _ = writeln!(self.err, "{text}");
        let _ = self.err.flush();
    }

    /// Prints what the minimal form has kept. Only at the end of a command that went well.
    pub fn finish(&mut self) {
        if self.minimal {
            self.held.reverse();
            let text = format!("{}\n", self.held.join(","));
            self.held.clear();
            self.write_out(&text);
        }
        let _ = self.out.flush();
    }

    /// A reader that has gone is no reason to complain: that is how `xe vm-list | head` ends.
    fn write_out(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes());
        let _ = self.out.flush();
    }
}

/// Lines `name: value`: the first name to the left, the others to the right of a column that is four wider than the
/// longest.
fn aligned(row: &Row, text: &mut String) {
    let width = row
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or(0)
        .saturating_add(4);
    for (position, (name, value)) in row.iter().enumerate() {
        if position == 0 {
            text.push_str(&format!("{name:<width$}: {value}\n"));
        } else {
            text.push_str(&format!("{name:>width$}: {value}\n"));
        }
    }
    if row.is_empty() {
        text.push('\n');
    }
}

/// Commas part the values of the minimal form, so those inside are marked.
fn escape_commas(value: &str) -> String {
    value.replace('\\', "\\\\").replace(',', "\\,")
}

#[cfg(test)]
pub mod test {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// A stream that a test can read afterwards.
    #[derive(Clone, Default)]
    pub struct Kept(pub Rc<RefCell<Vec<u8>>>);

    impl Kept {
        /// What was written.
        pub fn text(&self) -> String {
            String::from_utf8(self.0.borrow().clone()).unwrap()
        }
    }

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn printed(minimal: bool, print: impl FnOnce(&mut Printer)) -> String {
        let out = Kept::default();
        let mut printer = Printer::to(minimal, Box::new(out.clone()), Box::new(Kept::default()));
        print(&mut printer);
        printer.finish();
        out.text()
    }

    fn row(pairs: &[(&str, &str)]) -> Row {
        pairs
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn records_are_aligned_and_parted_by_two_empty_lines() {
        let rows = [
            row(&[("uuid ( RO)", "1"), ("name-label ( RW)", "a, b")]),
            row(&[("uuid ( RO)", "2")]),
        ];
        let text = printed(false, |p| p.table(&rows));
        assert_eq!(
            text,
            "uuid ( RO)          : 1\n    name-label ( RW): a, b\n\n\nuuid ( RO)    : 2\n\n\n"
        );
    }

    #[test]
    fn the_minimal_form_joins_first_values_with_commas() {
        let rows = [
            row(&[("name-label ( RW)", "a, b"), ("x", "y")]),
            row(&[("name-label ( RW)", r"c\d")]),
        ];
        assert_eq!(printed(true, |p| p.table(&rows)), "a\\, b,c\\\\d\n");
        assert_eq!(printed(true, |p| p.table(&[])), "\n");
        assert_eq!(printed(true, |p| p.remark("left out")), "\n");
    }

    #[test]
    fn nothing_found_prints_nothing() {
        assert_eq!(printed(false, |p| p.table(&[])), "");
    }
}
