"""Sends a trace and a metric over HTTP and over gRPC, and compares what the viewer has with what was sent."""

import json
import sys
import urllib.request

from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc_metrics
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_traces
from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_metrics
from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

page, http, grpc = sys.argv[1:]


def ask(path):
    with urllib.request.urlopen(f"{page}/api/v1{path}") as answer:
        return json.load(answer)


def equal(actual, expected):
    assert actual == expected, f"{actual!r} instead of {expected!r}"


ways = {
    "http": (
        http_traces.OTLPSpanExporter(f"{http}/v1/traces", compression=Compression.Gzip),
        http_metrics.OTLPMetricExporter(f"{http}/v1/metrics"),
    ),
    "grpc": (
        grpc_traces.OTLPSpanExporter(grpc, insecure=True),
        grpc_metrics.OTLPMetricExporter(grpc, insecure=True),
    ),
}

for way, (spans, metrics) in ways.items():
    resource = Resource({"service.name": f"python-{way}", "host.name": "blue"})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    tracer = provider.get_tracer("shop", "1.2.3", schema_url="https://x.example/1")
    with tracer.start_as_current_span("earlier") as earlier:
        pass
    attributes = {"text": "ä <b>", "int": -3, "float": 0.5, "bool": True, "list": ["a", "b"], "ints": [1, 2]}
    links = [Link(earlier.get_span_context(), {"why": "before"})]
    with tracer.start_as_current_span("GET /home", kind=SpanKind.SERVER, attributes=attributes, links=links) as root:
        with tracer.start_as_current_span("SELECT", kind=SpanKind.CLIENT) as child:
            child.add_event("retry", {"n": 2})
            child.record_exception(ValueError("boom"))
            child.set_status(Status(StatusCode.ERROR, "it broke"))

    def text(id, digits):
        return format(id, f"0{digits}x")

    context = root.get_span_context()
    shown = ask(f"/traces/{text(context.trace_id, 32)}")
    by_name = {span["name"]: span for span in shown["spans"]}
    equal(set(by_name), {"GET /home", "SELECT"})
    home, select = by_name["GET /home"], by_name["SELECT"]
    equal(home["id"], text(context.span_id, 16))
    equal(int(shown["epoch"]) + home["start"], root.start_time)
    equal(home["end"] - home["start"], root.end_time - root.start_time)
    equal({key: value for key, value in home["attributes"]}, attributes)
    equal((home["kind"], home["parent"], home["status"]), ("server", None, "unset"))
    equal(home["links"][0]["trace"], text(earlier.get_span_context().trace_id, 32))
    equal(home["links"][0]["attributes"], [["why", "before"]])
    equal((select["kind"], select["parent"]), ("client", home["id"]))
    equal((select["status"], select["message"]), ("error", "it broke"))
    retry, exception = select["events"]
    equal((retry["name"], retry["attributes"]), ("retry", [["n", 2]]))
    equal(dict(map(tuple, exception["attributes"]))["exception.message"], "boom")
    scope = shown["scopes"][home["scope"]]
    equal((scope["name"], scope["version"], scope["schemaUrl"]), ("shop", "1.2.3", "https://x.example/1"))
    resource = shown["resources"][home["resource"]]
    equal((resource["service"], dict(map(tuple, resource["attributes"]))["host.name"]), (f"python-{way}", "blue"))

    reader = PeriodicExportingMetricReader(metrics)
    meters = MeterProvider(metric_readers=[reader], resource=Resource({"service.name": f"python-{way}"}))
    meters.get_meter("shop").create_counter(f"orders.{way}").add(7, {"item": "apples"})
    meters.force_flush()
    series = ask(f"/metrics/series?name=orders.{way}")["series"]
    equal([(one["attributes"], one["values"]) for one in series], [([["item", "apples"]], [7.0])])
    meters.shutdown()
    print(f"{way}: two spans and a metric arrived whole")
