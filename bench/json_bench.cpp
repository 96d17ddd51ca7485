#include <cstdlib>
#include <string>

#include <benchmark/benchmark.h>

#include "json/document.hpp"

namespace {

/// A getObject request of about 200 bytes.
std::string get_request() {
  return R"({"m":{"uts":1700000000123456,"name":"getObject"},"d":["manta",)"
         R"("/b8a17b8c-3a2b-4f7d-9c0e-1f2d3c4b5a69/stor/photos/2024/img_0042.jpg",)"
         R"({"req_id":"5f0c6a4e-8f1a-4c0e-9a55-0e6b1f2d7c11","noCache":true}]})";
}

/// A putObject request of about 1 KB: an object's metadata as manta writes it.
std::string put_request() {
  return R"({"m":{"uts":1700000000123456,"name":"putObject"},"d":["manta",)"
         R"("/b8a17b8c-3a2b-4f7d-9c0e-1f2d3c4b5a69/stor/photos/2024/img_0042.jpg",)"
         R"({"dirname":"/b8a17b8c-3a2b-4f7d-9c0e-1f2d3c4b5a69/stor/photos/2024",)"
         R"("key":"/b8a17b8c-3a2b-4f7d-9c0e-1f2d3c4b5a69/stor/photos/2024/img_0042.jpg",)"
         R"("headers":{"m-camera":"analogue","m-place":"somewhere by the sea"},)"
         R"("mtime":1700000000123,"name":"img_0042.jpg",)"
         R"("creator":"b8a17b8c-3a2b-4f7d-9c0e-1f2d3c4b5a69",)"
         R"("owner":"b8a17b8c-3a2b-4f7d-9c0e-1f2d3c4b5a69",)"
         R"("roles":["2c1f6d0a-5e1f-4e37-8a56-95a90c7c3a70"],"type":"object",)"
         R"("contentLength":4831837,"contentMD5":"1B2M2Y8AsgTpgAmY7PhCfg==",)"
         R"("contentType":"image/jpeg","etag":"7d9f0f50-7b39-4b3c-8a04-5c1f3a1f8c22",)"
         R"("objectId":"7d9f0f50-7b39-4b3c-8a04-5c1f3a1f8c22","sharks":[)"
         R"({"datacenter":"us-east-1","manta_storage_id":"1042.stor.us-east.example.com"},)"
         R"({"datacenter":"us-east-2","manta_storage_id":"2210.stor.us-east.example.com"}]},)"
         R"({"etag":null,"req_id":"5f0c6a4e-8f1a-4c0e-9a55-0e6b1f2d7c11"}]})";
}

void parse_only(benchmark::State& state, const std::string& text) {
  json::Document document;
  for (auto _ : state) {
    const auto problem = document.parse(text);
    if (problem) std::abort();
    benchmark::DoNotOptimize(problem);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
  state.counters["bytes"] = static_cast<double>(text.size());
}

/// What routing reads: the method's name, the bucket and the key.
void parse_and_read(benchmark::State& state, const std::string& text) {
  json::Document document;
  std::string scratch;
  for (auto _ : state) {
    if (document.parse(text)) std::abort();
    const json::Value root = document.root();
    benchmark::DoNotOptimize(root.find("m")->find("name")->string(scratch));
    for (const json::Value argument : root.find("d")->elements())
      if (argument.is(json::Type::string)) benchmark::DoNotOptimize(argument.string(scratch));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

std::string escaped_put_request() {
  std::string text = put_request();
  return text.replace(text.find("analogue"), 8, R"(\"\u00e4\u00f6\n\\)");
}

}  // namespace

BENCHMARK_CAPTURE(parse_only, get_request, get_request());
BENCHMARK_CAPTURE(parse_only, put_request, put_request());
BENCHMARK_CAPTURE(parse_only, put_request_with_escapes, escaped_put_request());
BENCHMARK_CAPTURE(parse_and_read, get_request, get_request());
BENCHMARK_CAPTURE(parse_and_read, put_request, put_request());

BENCHMARK_MAIN();
