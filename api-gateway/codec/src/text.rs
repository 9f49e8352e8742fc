//! Which characters may cross the wire.

use crate::DecodeError;

/// Longest piece of a bad string that is quoted back, in bytes.
const QUOTE: usize = 256;

/// Says whether XML 1.0 allows the character.
///
/// Source: XML 1.0 fifth edition, production 2 (Char).
pub(crate) fn is_allowed_char(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Says whether XML 1.0 allows every character of the text, so that it can be stored and sent back.
pub fn is_allowed_text(text: &str) -> bool {
    // Every forbidden character is below a space or begins with 0xEF in UTF-8.
    if text.bytes().all(|b| b >= 0x20 && b != 0xef) {
        return true;
    }
    text.chars().all(is_allowed_char)
}

/// Refuses text that XML 1.0 could not carry back.
pub(crate) fn check_text(text: &str) -> Result<(), DecodeError> {
    if is_allowed_text(text) {
        return Ok(());
    }
    let quoted: String = text
        .chars()
        .map(|c| if is_allowed_char(c) { c } else { '\u{fffd}' })
        .scan(0_usize, |used, c| {
            *used = used.saturating_add(c.len_utf8());
            (*used <= QUOTE).then_some(c)
        })
        .collect();
    Err(DecodeError::BadText {
        reason: "a character that XML does not allow",
        text: quoted,
    })
}

/// Reads the whole message as UTF-8; the error quotes the piece of text that holds the first bad byte.
pub(crate) fn read_utf8(bytes: &[u8]) -> Result<&str, DecodeError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let at = error.valid_up_to();
            let (before, after) = bytes.split_at_checked(at).unwrap_or((bytes, &[]));
            let start = before
                .iter()
                .rposition(|b| matches!(b, b'>' | b'"'))
                .map_or(0, |i| i.saturating_add(1));
            let end = after
                .iter()
                .position(|b| matches!(b, b'<' | b'"'))
                .unwrap_or(after.len())
                .saturating_add(at);
            let piece = bytes.get(start..end).unwrap_or_default();
            let piece = piece.get(..QUOTE).unwrap_or(piece);
            let text = String::from_utf8_lossy(piece)
                .chars()
                .filter(|c| is_allowed_char(*c))
                .collect();
            Err(DecodeError::BadText {
                reason: "the string is not valid UTF-8",
                text,
            })
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn only_what_xml_carries_is_allowed() {
        assert!(is_allowed_text("a\tb\r\n\u{7f}\u{85}\u{fffd}\u{feff}\u{1f600}"));
        for bad in ["\0", "\u{1}", "\u{b}", "\u{1f}", "\u{fffe}", "\u{ffff}"] {
            assert!(!is_allowed_text(bad), "{bad:?}");
            assert!(check_text(bad).is_err());
        }
    }

    #[test]
    fn the_bad_string_is_quoted_without_its_neighbours() {
        let error = read_utf8(b"<value>abc\xffdef</value>").unwrap_err();
        assert_eq!(
            error,
            DecodeError::BadText {
                reason: "the string is not valid UTF-8",
                text: "abc\u{fffd}def".to_owned()
            }
        );
    }
}
