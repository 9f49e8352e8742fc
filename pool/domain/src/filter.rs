//! The query language of `get_all_records_where`: equality of fields and literals, `and`, `or`, `not`.
//!
//! `and` and `or` bind alike and to the left; `not` binds loosest, so `not a and b` is `not (a and b)`.
//! A literal runs to the next double quote, there is no escape. Values compare as the database prints them.
//! Source: xen-api `ocaml/database/db_filter_parse.mly` for the grammar.

use proto_types::{ApiError, ClassId, Value};

use crate::row::Row;

/// A parsed query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// Every row.
    True,
    /// No row.
    False,
    /// Both sides print alike.
    Equal(Term, Term),
    /// Not the inner query.
    Not(Box<Query>),
    /// Both.
    And(Box<Query>, Box<Query>),
    /// Either.
    Or(Box<Query>, Box<Query>),
}

/// One side of an equation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// The field at this position.
    Field(u16),
    /// A literal.
    Literal(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Literal(String),
    Equals,
    Open,
    Close,
}

/// Nesting allowed in a query.
const DEPTH: usize = 64;

/// Parses a query against a class.
///
/// # Errors
/// `INVALID_VALUE [query, text]` for a bad expression or an unknown field.
pub fn parse(class: ClassId, text: &str) -> Result<Query, ApiError> {
    let bad = |why: String| ApiError::new("INVALID_VALUE", [text.to_owned(), why]);
    let tokens = tokens(text).map_err(bad)?;
    let mut parser = Parser {
        class,
        tokens: &tokens,
        at: 0,
    };
    let query = parser.expression(0).map_err(bad)?;
    if parser.at < tokens.len() {
        return Err(bad("unexpected text after the expression".to_owned()));
    }
    Ok(query)
}

/// Says whether a row satisfies a query.
pub fn holds(query: &Query, row: &Row) -> bool {
    match query {
        Query::True => true,
        Query::False => false,
        Query::Equal(a, b) => printed(a, row) == printed(b, row),
        Query::Not(q) => !holds(q, row),
        Query::And(a, b) => holds(a, row) && holds(b, row),
        Query::Or(a, b) => holds(a, row) || holds(b, row),
    }
}

fn printed(term: &Term, row: &Row) -> String {
    match term {
        Term::Literal(text) => text.clone(),
        Term::Field(index) => {
            let mut out = String::new();
            print(row.at(*index), &mut out);
            out
        }
    }
}

/// Prints a value as the database of the original does.
fn print(value: &Value, out: &mut String) {
    let quoted = |value: &Value, out: &mut String| {
        let mut inner = String::new();
        print(value, &mut inner);
        out.push('\'');
        for c in inner.chars() {
            if c == '\'' || c == '\\' {
                out.push('\\');
            }
            out.push(c);
        }
        out.push('\'');
    };
    match value {
        Value::Void | Value::Record(_) => {}
        Value::Str(s) => out.push_str(s),
        Value::Int(i) => out.push_str(&i.to_string()),
        Value::Float(f) => out.push_str(&f.to_string()),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Time(t) => out.push_str(&t.to_string()),
        Value::Ref(r) => out.push_str(&r.to_string()),
        Value::Set(items) => {
            out.push('(');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(' ');
                }
                quoted(item, out);
            }
            out.push(')');
        }
        Value::Map(map) => {
            out.push('(');
            for (i, (key, item)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(' ');
                }
                out.push('(');
                quoted(key, out);
                out.push(' ');
                quoted(item, out);
                out.push(')');
            }
            out.push(')');
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        match first {
            '"' => {
                let body = rest.get(1..).unwrap_or_default();
                let end = body.find('"').ok_or("a literal is not closed")?;
                out.push(Token::Literal(body.get(..end).unwrap_or_default().to_owned()));
                rest = body.get(end..).and_then(|r| r.get(1..)).unwrap_or_default();
            }
            '=' | '(' | ')' => {
                out.push(match first {
                    '=' => Token::Equals,
                    '(' => Token::Open,
                    _ => Token::Close,
                });
                rest = rest.get(1..).unwrap_or_default();
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                let end = rest
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                    .unwrap_or(rest.len());
                let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
                out.push(Token::Word(word.to_owned()));
                rest = after;
            }
            other => return Err(format!("unexpected character {other:?}")),
        }
        rest = rest.trim_start();
    }
    Ok(out)
}

struct Parser<'a> {
    class: ClassId,
    tokens: &'a [Token],
    at: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<&Token> {
        let token = self.tokens.get(self.at);
        self.at = self.at.saturating_add(1);
        token
    }

    fn peek_word(&self) -> Option<&str> {
        match self.tokens.get(self.at) {
            Some(Token::Word(word)) => Some(word),
            _ => None,
        }
    }

    fn expression(&mut self, depth: usize) -> Result<Query, String> {
        if depth > DEPTH {
            return Err("nested too deeply".to_owned());
        }
        if self.peek_word() == Some("not") {
            self.at = self.at.saturating_add(1);
            return Ok(Query::Not(Box::new(self.expression(depth.saturating_add(1))?)));
        }
        let mut left = self.primary(depth)?;
        loop {
            let word = self.peek_word().map(str::to_owned);
            match word.as_deref() {
                Some(joint @ ("and" | "or")) => {
                    let both = joint == "and";
                    self.at = self.at.saturating_add(1);
                    let right = if self.peek_word() == Some("not") {
                        self.expression(depth.saturating_add(1))?
                    } else {
                        self.primary(depth)?
                    };
                    let (a, b) = (Box::new(left), Box::new(right));
                    left = if both { Query::And(a, b) } else { Query::Or(a, b) };
                }
                _ => return Ok(left),
            }
        }
    }

    fn primary(&mut self, depth: usize) -> Result<Query, String> {
        match self.tokens.get(self.at) {
            Some(Token::Open) => {
                self.at = self.at.saturating_add(1);
                let inner = self.expression(depth.saturating_add(1))?;
                match self.next() {
                    Some(Token::Close) => Ok(inner),
                    _ => Err("a parenthesis is not closed".to_owned()),
                }
            }
            Some(Token::Word(word)) if word == "true" => {
                self.at = self.at.saturating_add(1);
                Ok(Query::True)
            }
            Some(Token::Word(word)) if word == "false" => {
                self.at = self.at.saturating_add(1);
                Ok(Query::False)
            }
            Some(_) => {
                let left = self.term()?;
                match self.next() {
                    Some(Token::Equals) => {}
                    _ => return Err("expected =".to_owned()),
                }
                Ok(Query::Equal(left, self.term()?))
            }
            None => Err("the expression ends too early".to_owned()),
        }
    }

    fn term(&mut self) -> Result<Term, String> {
        match self.next().cloned() {
            Some(Token::Literal(text)) => Ok(Term::Literal(text)),
            Some(Token::Word(word)) if word == "field" => match self.next().cloned() {
                Some(Token::Literal(name)) => {
                    // The language spells nesting with two underscores, records with one.
                    let flat = name.replace("__", "_");
                    let index = self
                        .class
                        .def()
                        .field(&flat)
                        .ok_or_else(|| format!("unknown field {name:?}"))?;
                    Ok(Term::Field(index))
                }
                _ => Err("expected a field name".to_owned()),
            },
            _ => Err("expected a field or a literal".to_owned()),
        }
    }
}
