//! Percent-encoding, as the variables have it.

/// What the text says, if it is well-formed UTF-8.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        bytes.push(digit(digits[0])? << 4 | digit(digits[1])?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn two_digits_make_a_byte_and_anything_else_is_malformed() {
        assert_eq!(decoded("a%20b%C3%a4+").as_deref(), Some("a bä+"));
        for malformed in ["%", "%2", "%2x", "%+1", "%ff"] {
            assert_eq!(decoded(malformed), None, "{malformed}");
        }
    }
}
