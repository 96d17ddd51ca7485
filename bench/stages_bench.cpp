// A request's way through the router, stage by stage. The texts are those of bench/proxy.
#include <cstdlib>
#include <string>

#include <benchmark/benchmark.h>
#include <boost/unordered/unordered_flat_map.hpp>

#include "bench/proxy/workload.hpp"
#include "fast/checksum.hpp"
#include "fast/decoder.hpp"
#include "fast/encoder.hpp"
#include "json/document.hpp"
#include "ring/hash.hpp"
#include "ring/topology.hpp"
#include "router/plan/plan.hpp"
#include "router/plan/reply_edit.hpp"

namespace {

const bench::Workload& workload() {
  static const bench::Workload made(bench::WorkloadOptions{});
  return made;
}

/// A whole frame.
std::string request(bench::Kind kind) {
  std::string bytes;
  workload().append_request(bytes, fast::Version::v2, 7, kind, 4711);
  return bytes;
}

std::string payload_of(const std::string& frame) { return frame.substr(fast::kHeaderBytes); }

/// The DATA payload that a shard answers with.
std::string reply(bench::Kind kind) {
  const std::string asked = payload_of(request(kind));
  std::string bytes;
  workload().append_answer(bytes, fast::Frame{fast::Version::v2, fast::Status::data, 7, 0, asked});
  fast::Decoder decoder(1 << 20);
  decoder.feed(bytes);
  return std::string(std::get<fast::Frame>(decoder.next()).payload);
}

const router::Snapshot& snapshot() {
  static const router::Snapshot made = router::Snapshot::make(
      ring::create_ring(ring::Algorithm::sha256, 1'000'000,
                        {"tcp://1.moray.bench:2020", "tcp://2.moray.bench:2020"}),
      {});
  return made;
}

void decode(benchmark::State& state, bench::Kind kind) {
  std::string bytes;
  for (int i = 0; i < 16; ++i) bytes += request(kind);
  fast::Decoder decoder(1 << 20);
  for (auto _ : state) {
    decoder.feed(bytes);
    for (int i = 0; i < 16; ++i) benchmark::DoNotOptimize(decoder.next());
    decoder.settle();
  }
  state.SetItemsProcessed(state.iterations() * 16);
}

void scan(benchmark::State& state, const std::string& text) {
  json::Document document;
  for (auto _ : state)
    if (document.parse(text)) std::abort();
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

void checksum(benchmark::State& state, fast::Version version) {
  const std::string text = reply(bench::Kind::get);
  for (auto _ : state) benchmark::DoNotOptimize(fast::checksum(version, text));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

const std::string kKey = "/c0ffee00-0000-4000-8000-000000000001/stor/bench/001267";

void hash(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(ring::hash(ring::Algorithm::sha256, kKey));
}

/// Of hashes all over the ring.
void look_up(benchmark::State& state) {
  std::vector<ring::Digest> digests;
  for (int i = 0; i < 4096; ++i)
    digests.push_back(ring::hash(ring::Algorithm::sha256, kKey + std::to_string(i)));
  std::size_t next = 0;
  for (auto _ : state)
    benchmark::DoNotOptimize(snapshot().ring->locate_hash(digests[next++ & 4095]));
}

/// Arguments, hash, look-up, edits; the text is scanned already.
void plan(benchmark::State& state, bench::Kind kind, backends::Rpc rpc) {
  const std::string text = payload_of(request(kind));
  json::Document document;
  if (document.parse(text)) std::abort();
  const json::Value arguments = *document.root().find("d");
  router::PlanScratch scratch;
  for (auto _ : state)
    benchmark::DoNotOptimize(
        router::plan(router::method_of(rpc), text, arguments, snapshot(), scratch));
}

/// What changes in a reply on its way back; the text is scanned already.
void splice(benchmark::State& state, bench::Kind kind, backends::Rpc rpc) {
  const std::string text = reply(kind);
  json::Document document;
  if (document.parse(text)) std::abort();
  router::Edits edits;
  const router::ReplyOrigin origin{&snapshot(), ring::Vnode{426}, ring::PnodeIndex{0}};
  for (auto _ : state) {
    edits.clear();
    benchmark::DoNotOptimize(
        router::edit_reply(router::method_of(rpc), text, document.root(), origin, edits));
    benchmark::DoNotOptimize(edits.pieces(text));
  }
}

void encode(benchmark::State& state, bool checksum_known) {
  const std::string text = reply(bench::Kind::get);
  const std::string_view pieces[] = {std::string_view(text).substr(0, 700), "\"vnode\":4711",
                                     std::string_view(text).substr(700)};
  std::string out;
  for (auto _ : state) {
    out.clear();
    if (checksum_known)
      fast::append_frame_with_checksum(out, fast::Version::v2, fast::Status::data, 7, 4711, pieces);
    else
      fast::append_frame(out, fast::Version::v2, fast::Status::data, 7, pieces);
    benchmark::DoNotOptimize(out.data());
  }
}

/// A request's place in a connection's table, taken and given back, beside 256 others.
void in_flight(benchmark::State& state) {
  boost::unordered_flat_map<std::uint32_t, const void*> table;
  std::uint32_t next = 0;
  for (; next < 256; ++next) table.emplace(next, &table);
  for (auto _ : state) {
    table.emplace(next, &table);
    table.erase(next - 256);
    ++next;
  }
}

}  // namespace

BENCHMARK_CAPTURE(decode, get, bench::Kind::get);
BENCHMARK_CAPTURE(decode, put, bench::Kind::put);
BENCHMARK_CAPTURE(scan, get, payload_of(request(bench::Kind::get)));
BENCHMARK_CAPTURE(scan, put, payload_of(request(bench::Kind::put)));
BENCHMARK_CAPTURE(scan, get_reply, reply(bench::Kind::get));
BENCHMARK_CAPTURE(checksum, version_2_of_get_reply, fast::Version::v2);
BENCHMARK_CAPTURE(checksum, version_1_of_get_reply, fast::Version::v1);
BENCHMARK(hash);
BENCHMARK(look_up);
BENCHMARK_CAPTURE(plan, get, bench::Kind::get, backends::Rpc::get_object);
BENCHMARK_CAPTURE(plan, put, bench::Kind::put, backends::Rpc::put_object);
BENCHMARK_CAPTURE(splice, get_reply, bench::Kind::get, backends::Rpc::get_object);
BENCHMARK_CAPTURE(splice, put_reply, bench::Kind::put, backends::Rpc::put_object);
BENCHMARK_CAPTURE(encode, checksum_known, true);
BENCHMARK_CAPTURE(encode, checksum_made, false);
BENCHMARK(in_flight);

BENCHMARK_MAIN();
