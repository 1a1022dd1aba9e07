use std::borrow::Cow;
use std::fmt::Write;
use std::sync::LazyLock;

use opentelemetry::Context;
use opentelemetry::baggage::{Baggage as Members, BaggageExt};
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};

pub(super) const BAGGAGE: &str = "baggage";

/// W3C Baggage, 3.3.2: what every party must be able to carry, and what we carry at most.
const MAX_MEMBERS: usize = 64;
const MAX_BYTES: usize = 8_192;

/// [W3C Baggage](https://www.w3.org/TR/baggage/): the `baggage` header.
///
/// All header lines count. Of 64 members and 8,192 bytes what comes first is kept, a malformed
/// member is left out, and neither loses the others. Values are percent-decoded (bytes that are no
/// UTF-8 become U+FFFD), metadata is kept as it came.
///
/// ```
/// use std::collections::HashMap;
/// use opentelemetry::baggage::BaggageExt;
/// use opentelemetry::propagation::TextMapPropagator;
/// use otelhttp::propagation::Baggage;
///
/// let carrier = HashMap::from([("baggage".to_owned(), "user=J%C3%BCrgen;level=gold, = , plan=b".to_owned())]);
/// let cx = Baggage::new().extract(&carrier);
/// assert_eq!(cx.baggage().get("user").map(|user| user.as_str()), Some("Jürgen"));
/// assert_eq!(cx.baggage().len(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Baggage(());

impl Baggage {
    /// The propagator has nothing to be configured.
    #[must_use]
    pub fn new() -> Self {
        Self(())
    }
}

static FIELDS: LazyLock<[String; 1]> = LazyLock::new(|| [BAGGAGE.to_owned()]);

impl TextMapPropagator for Baggage {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        let header = format(cx.baggage());
        if !header.is_empty() {
            injector.set(BAGGAGE, header);
        }
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        let Some(lines) = extractor.get_all(BAGGAGE) else {
            return cx.clone();
        };
        add(cx, &lines.join(","))
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(FIELDS.as_slice())
    }
}

/// The context with the members of a header, if it has any.
pub(super) fn add(cx: &Context, text: &str) -> Context {
    let baggage = parse(text);
    if baggage.is_empty() { cx.clone() } else { cx.with_baggage(baggage) }
}

/// The members from the left that fit into the limits.
pub(super) fn within_limits(text: &str) -> &str {
    let mut members = 0;
    let mut end = 0;
    for (comma, _) in text.match_indices(',').chain([(text.len(), "")]) {
        members += usize::from(!text[end..comma].trim_matches([',', ' ', '\t']).is_empty());
        if members > MAX_MEMBERS || comma > MAX_BYTES {
            break;
        }
        end = comma;
    }
    &text[..end]
}

/// The API's type keeps to the same limits, and to the grammar of keys.
fn parse(text: &str) -> Members {
    let mut members = Members::new();
    for member in within_limits(text).split(',') {
        let (pair, metadata) = member.split_once(';').unwrap_or((member, ""));
        if let Some((key, value)) = pair.split_once('=') {
            let value = decode(value.trim()).into_owned();
            members.insert_with_metadata(key.trim().to_owned(), value, metadata);
        }
    }
    members
}

/// In the order of the keys, so that a baggage over the limits is cut in the same place every time.
pub(super) fn format(baggage: &Members) -> String {
    let mut members: Vec<_> = baggage.iter().collect();
    members.sort_unstable_by_key(|(key, _)| *key);
    let mut header = String::new();
    for (key, (value, metadata)) in members.into_iter().take(MAX_MEMBERS) {
        let start = header.len();
        if start > 0 {
            header.push(',');
        }
        header.push_str(key.as_str());
        header.push('=');
        encode(&mut header, value.as_str(), is_value_byte);
        if !metadata.as_str().is_empty() {
            header.push(';');
            encode(&mut header, metadata.as_str(), is_metadata_byte);
        }
        if header.len() > MAX_BYTES {
            header.truncate(start);
        }
    }
    header
}

/// `baggage-octet`, but for `%`, which begins an escape, and `=`, at which the reader of OpenTelemetry's SDK
/// cuts a value.
fn is_value_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\",;\\%=".contains(&byte)
}

/// Properties are `key=value` pairs of their own, already in the form they have on the wire.
fn is_metadata_byte(byte: u8) -> bool {
    is_value_byte(byte) || b" \t;%=".contains(&byte)
}

fn encode(header: &mut String, text: &str, keep: fn(u8) -> bool) {
    for byte in text.bytes() {
        if keep(byte) {
            header.push(byte.into());
        } else {
            // Writing into a `String` cannot fail.
            let _ = write!(header, "%{byte:02X}");
        }
    }
}

/// A `%` that begins no escape stands for itself.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escape = (*first == b'%').then(|| tail.first_chunk::<2>().copied().and_then(hex)).flatten();
        bytes.push(escape.unwrap_or(*first));
        rest = if escape.is_some() { &tail[2..] } else { tail };
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn hex(digits: [u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? << 4 | low?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String, String)> {
        let mut members: Vec<_> = parse(text)
            .iter()
            .map(|(key, (value, metadata))| (key.to_string(), value.to_string(), metadata.to_string()))
            .collect();
        members.sort();
        members
    }

    fn member(key: &str, value: &str, metadata: &str) -> (String, String, String) {
        (key.to_owned(), value.to_owned(), metadata.to_owned())
    }

    #[test]
    fn members_are_read_and_malformed_ones_left_out() {
        for (text, expected) in [
            ("a=1", vec![member("a", "1", "")]),
            ("a = 1 , b=2", vec![member("a", "1", ""), member("b", "2", "")]),
            ("a=1;p;q=r", vec![member("a", "1", "p;q=r")]),
            ("a=", vec![member("a", "", "")]),
            ("a=b=c", vec![member("a", "b=c", "")]),
            ("a=%2C%20%C3%BC", vec![member("a", ", ü", "")]),
            ("a=%", vec![member("a", "%", "")]),
            ("a=%4", vec![member("a", "%4", "")]),
            ("a=%zz", vec![member("a", "%zz", "")]),
            ("a=%+1", vec![member("a", "%+1", "")]),
            ("a=%FF", vec![member("a", "\u{fffd}", "")]),
            ("a,=1,b c=1,d=1", vec![member("d", "1", "")]),
            (",,;=", vec![]),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_over_the_limits_is_cut_not_lost() {
        let many: Vec<String> = (0..100).map(|n| format!("k{n:03}=v")).collect();
        let members = read(&many.join(", "));
        assert_eq!(members.len(), 64);
        assert_eq!(members[63], member("k063", "v", ""));
        let long = format!("a=1,b={},c=3", "x".repeat(9_000));
        assert_eq!(read(&long), [member("a", "1", "")]);
        let exact = format!("a={}", "x".repeat(8_190));
        assert_eq!(within_limits(&exact), exact);
        assert_eq!(within_limits(&format!("{exact}x")), "");
    }

    #[test]
    fn values_are_encoded_and_metadata_is_kept() {
        let mut baggage = Members::new();
        baggage.insert_with_metadata("b", "ü, \"x\";%\r\n", "p=1; q,\n");
        baggage.insert("a", "1=2");
        let header = format(&baggage);
        assert_eq!(header, "a=1%3D2,b=%C3%BC%2C%20%22x%22%3B%25%0D%0A;p=1; q%2C");
        assert_eq!(parse(&header).get("b").unwrap().as_str(), "ü, \"x\";%\r\n");
    }

    #[test]
    fn a_member_that_does_not_fit_makes_room_for_the_next() {
        let mut baggage = Members::new();
        baggage.insert("a", "1");
        baggage.insert("b", "ü".repeat(2_000));
        baggage.insert("c", "3");
        assert_eq!(format(&baggage), "a=1,c=3");
    }
}
