use std::sync::LazyLock;

use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, TraceId};
use opentelemetry_aws::trace::XrayPropagator;

use super::foreign;

const HEADER: &str = "x-amzn-trace-id";

/// [X-Ray](https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader),
/// the format of AWS: the header `x-amzn-trace-id`.
///
/// Reading and writing are those of `opentelemetry-aws`; what is done about them:
///
/// - the ids are read to the letter, blanks around fields, their names and their values are forgiven, and a
///   header that is repeated is not there;
/// - a header without `Parent`, such as AWS's load balancers send, begins a new trace. Upstream takes it
///   for a parent that is not sampled, so that nothing behind a load balancer would be recorded;
/// - a caller that asks for a decision (`Sampled=?`, or no `Sampled`) does not set W3C's random flag. A
///   sampler that follows the parent takes it for not sampled; those of `otelhttp::sampling` decide for
///   themselves;
/// - other fields, such as `Lineage`, go on in this header as they came, and neither into a `tracestate` nor
///   out of one. One whose name is `Root`, `Parent` or `Sampled` in other letters does not.
///
/// ```
/// use std::collections::HashMap;
/// use opentelemetry::propagation::TextMapPropagator;
/// use otelhttp::propagation::{TraceContext, XRay};
///
/// let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
/// let carrier = HashMap::from([("x-amzn-trace-id".to_owned(), header.to_owned())]);
/// let cx = XRay::new().extract(&carrier);
///
/// let mut outgoing = HashMap::new();
/// TraceContext::new().inject_context(&cx, &mut outgoing);
/// assert_eq!(outgoing["traceparent"], "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01");
/// ```
#[derive(Clone, Debug, Default)]
pub struct XRay(XrayPropagator);

impl XRay {
    /// The propagator has nothing to be configured.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

static FIELDS: LazyLock<[String; 1]> = LazyLock::new(|| [HEADER.to_owned()]);

impl TextMapPropagator for XRay {
    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        let fields = Fields::of(cx).map_or("", |fields| &fields.text);
        foreign::inject(&self.0, cx, &mut Adding { carrier: injector, fields });
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        let header = extractor.get_all(HEADER).and_then(|lines| Header::read(&lines));
        let caller = header.and_then(|Header { span, fields }| {
            let cx = foreign::extract(&self.0, cx, &Normal(span))?;
            let trace_id = cx.span().span_context().trace_id();
            Some(cx.with_value(Fields { trace_id, text: fields }))
        });
        caller.unwrap_or_else(|| cx.clone())
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(FIELDS.as_slice())
    }
}

/// The fields that are none of a span's, as they came.
#[derive(Debug)]
struct Fields {
    trace_id: TraceId,
    text: String,
}

impl Fields {
    /// They go on with all of their trace.
    fn of(cx: &Context) -> Option<&Self> {
        let trace_id = cx.span().span_context().trace_id();
        cx.get::<Self>().filter(|fields| fields.trace_id == trace_id)
    }
}

/// A header whose ids are well formed.
#[derive(Default)]
struct Header {
    /// `Root`, `Parent` and `Sampled`, as upstream reads them.
    span: String,
    /// The others, each with a semicolon before it. Upstream would keep them in a trace state, which has neither
    /// their letters nor two of a name.
    fields: String,
}

impl Header {
    fn read(lines: &[&str]) -> Option<Self> {
        let [line] = lines else {
            return None;
        };
        let mut header = Self::default();
        let (mut root, mut parent) = (false, false);
        for field in line.split(';').map(str::trim) {
            let Some((key, value)) = field.split_once('=') else {
                continue;
            };
            let (key, value) = (key.trim(), value.trim());
            match key {
                "Root" if root || !is_root(value) => return None,
                "Root" => root = true,
                "Parent" if parent || !is_hex(value, 16) => return None,
                "Parent" => parent = true,
                "Sampled" => {}
                _ => {
                    if goes_on(key, field) {
                        header.fields.extend([";", field]);
                    }
                    continue;
                }
            }
            header.span.extend([key, "=", value, ";"]);
        }
        Some(header)
    }
}

/// Whether it is another field than those that are written, and can stand in a header.
fn goes_on(key: &str, field: &str) -> bool {
    let ours = ["Root", "Parent", "Sampled"].iter().any(|ours| ours.eq_ignore_ascii_case(key));
    let is_name = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
    !ours && is_name && field.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// `1-{time}-{id}`, the time in seconds in 8 digits, the id in 24.
fn is_root(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
    matches!(parts[..], ["1", time, id] if is_hex(time, 8) && is_hex(id, 24))
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

struct Normal(String);

impl Extractor for Normal {
    fn get(&self, key: &str) -> Option<&str> {
        (key == HEADER).then_some(&self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![HEADER]
    }
}

/// Writes these fields behind those of the span.
struct Adding<'c> {
    carrier: &'c mut dyn Injector,
    fields: &'c str,
}

impl Injector for Adding<'_> {
    fn set(&mut self, key: &str, value: String) {
        self.carrier.set(key, value + self.fields);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::TraceContext;
    use super::*;

    const IDS: &str = "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331";
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";

    fn carrier(name: &str, value: &str) -> HashMap<String, String> {
        HashMap::from([(name.to_owned(), value.to_owned())])
    }

    fn read(header: &str) -> Context {
        XRay::new().extract_with_context(&Context::new(), &carrier(HEADER, header))
    }

    fn written(propagator: &dyn TextMapPropagator, cx: &Context) -> HashMap<String, String> {
        let mut headers = HashMap::new();
        propagator.inject_context(cx, &mut headers);
        headers
    }

    #[test]
    fn what_is_read_goes_on_as_it_came_and_as_w3c() {
        for (rest, passed_on, flags) in [
            (";Sampled=1", ";Sampled=1", "01"),
            (";Sampled=0", ";Sampled=0", "00"),
            (";Sampled=?", ";Sampled=?", "00"),
            ("", ";Sampled=?", "00"),
            (";Sampled=1;Lineage=a87bd80c:1", ";Sampled=1;Lineage=a87bd80c:1", "01"),
            ("; Sampled=1 ; Self=1-2-3;;nonsense;bad key=1;=1", ";Sampled=1;Self=1-2-3", "01"),
            (";CalledFrom=x;Foo=1;Foo=a,b;t@x = 2", ";Sampled=?;CalledFrom=x;Foo=1;Foo=a,b;t@x = 2", "00"),
            (";Sampled=1;sampled=0;root=7;PARENT=8", ";Sampled=1", "01"),
            ("; Sampled = 1", ";Sampled=1", "01"),
            (";Sampled=1;Foo=\u{e9}\n", ";Sampled=1", "01"),
        ] {
            let cx = read(&format!("{IDS}{rest}"));
            assert_eq!(written(&XRay::new(), &cx), carrier(HEADER, &format!("{IDS}{passed_on}")), "{rest}");
            let parent = format!("{PARENT}-{flags}");
            assert_eq!(written(&TraceContext::new(), &cx), carrier("traceparent", &parent), "{rest}");
        }
    }

    #[test]
    fn w3cs_flag_and_state_stay_out_of_it() {
        let mut headers = carrier("traceparent", &format!("{PARENT}-03"));
        headers.insert("tracestate".to_owned(), "foo=1".to_owned());
        let cx = TraceContext::new().extract_with_context(&Context::new(), &headers);
        assert_eq!(written(&XRay::new(), &cx), carrier(HEADER, &format!("{IDS};Sampled=1")));
    }

    #[test]
    fn a_header_that_names_no_span_is_nobodys() {
        for refused in [
            "",
            "Root=1-0af76519-16cd43dd8448eb211c80319c",
            "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=;Sampled=1",
            "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=0000000000000000;Sampled=1",
            "Root=1-00000000-000000000000000000000000;Parent=b7ad6b7169203331;Sampled=1",
            "Root=1-5-6;Parent=b7ad6b7169203331;Sampled=1",
            "Root=2-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331",
            "Root=1-+af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331",
            "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=+7ad6b7169203331",
            "Parent=b7ad6b7169203331;Sampled=1",
            &format!("{IDS};Parent=05e3ac9a4f6e3b90;Sampled=1"),
            &format!("{IDS};{};Sampled=1", &IDS[..40]),
        ] {
            assert!(!read(refused).has_active_span(), "{refused}");
        }
    }

    #[test]
    fn nothing_is_sent_without_a_trace() {
        assert_eq!(written(&XRay::new(), &Context::new()), HashMap::new());
    }
}
