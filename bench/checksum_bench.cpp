#include <string>

#include <benchmark/benchmark.h>

#include "fast/checksum.hpp"
#include "fast/crc16.hpp"

namespace {

/// JSON-like text of `bytes` bytes, made of `piece` and cut at a character boundary.
std::string text_of(std::string_view piece, std::size_t bytes) {
  std::string text;
  while (text.size() + piece.size() <= bytes) text += piece;
  text.append(bytes - text.size(), 'x');
  return text;
}

constexpr std::string_view kAscii = R"("contentType":"image/jpeg","contentLength":4831837,)";
constexpr std::string_view kLatin =
    "\"name\":\"Fa\xc3\xa7"
    "ade du caf\xc3\xa9.jpg\",\"type\":\"object\",";
constexpr std::string_view kCyrillic =
    "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 \xd0\xbc\xd0\xb8\xd1\x80 ";

template <typename Sum>
void measure(benchmark::State& state, const std::string& text, Sum sum) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(text.data());
    benchmark::DoNotOptimize(sum(text));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

std::size_t size_of(const benchmark::State& state) {
  return static_cast<std::size_t>(state.range(0));
}

void version_1(benchmark::State& state) {
  measure(state, text_of(kAscii, size_of(state)),
          [](const auto& text) { return fast::checksum_v1(text); });
}
void version_1_latin(benchmark::State& state) {
  measure(state, text_of(kLatin, size_of(state)),
          [](const auto& text) { return fast::checksum_v1(text); });
}
void version_1_cyrillic(benchmark::State& state) {
  measure(state, text_of(kCyrillic, size_of(state)),
          [](const auto& text) { return fast::checksum_v1(text); });
}
void version_2(benchmark::State& state) {
  measure(state, text_of(kAscii, size_of(state)),
          [](const auto& text) { return fast::checksum_v2(text); });
}

// What a processor without PCLMULQDQ pays.
void xmodem_tables(benchmark::State& state) {
  measure(state, text_of(kAscii, size_of(state)),
          [](const auto& text) { return fast::crc16::xmodem_tables(text, 0); });
}
void arc_tables(benchmark::State& state) {
  measure(state, text_of(kAscii, size_of(state)),
          [](const auto& text) { return fast::crc16::arc_tables(text, 0); });
}

}  // namespace

BENCHMARK(version_1)->Arg(200)->Arg(1 << 10)->Arg(64 << 10);
BENCHMARK(version_1_latin)->Arg(200)->Arg(1 << 10)->Arg(64 << 10);
BENCHMARK(version_1_cyrillic)->Arg(200)->Arg(1 << 10)->Arg(64 << 10);
BENCHMARK(version_2)->Arg(200)->Arg(1 << 10)->Arg(64 << 10);
BENCHMARK(xmodem_tables)->Arg(200)->Arg(1 << 10)->Arg(64 << 10);
BENCHMARK(arc_tables)->Arg(200)->Arg(1 << 10)->Arg(64 << 10);

BENCHMARK_MAIN();
