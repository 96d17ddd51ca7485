#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "ring/key_transform.hpp"
#include "ring/leveldb_store.hpp"
#include "ring/topology.hpp"

// Prints what a ring of N vnodes costs: `bench_ring [N ...]`, by default 1,000,000 and 10,000,000.
// Loads are timed warm (the file cache holds the ring), each with every check; the best of three.

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kLoads = 3;
constexpr std::size_t kKeys = 1000;
constexpr int kRounds = 500;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A new directory, removed with all in it.
class Scratch {
 public:
  Scratch() {
    std::string pattern = (fs::temp_directory_path() / "bench-ring-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { fs::remove_all(path_); }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

double megabytes_in(const fs::path& directory) {
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(directory)) bytes += entry.file_size();
  return static_cast<double>(bytes) / 1e6;
}

std::vector<std::string> sample_keys() {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < kKeys; ++i)
    keys.push_back("/b8a17b8c-3a2b-4f7d-9c0e-1f2d3c4b5a69/stor/photos/" + std::to_string(i) +
                   "/a.jpg");
  return keys;
}

/// Nanoseconds a call of `locate(key)`.
template <typename Locate>
double nanoseconds(const std::vector<std::string>& keys, Locate locate) {
  std::size_t sum = 0;
  const auto start = Clock::now();
  for (int round = 0; round < kRounds; ++round)
    for (const std::string& key : keys) sum += locate(key);
  const double took = seconds_since(start);
  if (sum == 0) std::puts("");  // keeps the calls from being optimised away
  return took / (kRounds * static_cast<double>(keys.size())) * 1e9;
}

void measure_locate(const ring::Ring& ring) {
  const std::vector<std::string> keys = sample_keys();
  std::vector<ring::Digest> digests;
  for (const std::string& key : keys) digests.push_back(hash(ring.algorithm(), key));
  std::printf("  transform, hash and locate %.0f ns", nanoseconds(keys, [&](const auto& key) {
                return std::size_t{number(ring.locate(ring::transform_key("manta", key))->vnode)};
              }));
  std::printf(", hash %.0f ns", nanoseconds(keys, [&](const auto& key) {
                return std::size_t{hash(ring.algorithm(), key).bytes[0]};
              }));
  std::size_t next = 0;
  std::printf(", locate a hash %.1f ns\n", nanoseconds(keys, [&](const auto&) {
                return std::size_t{number(ring.locate_hash(digests[next++ % kKeys])->vnode)};
              }));
}

void measure(std::uint32_t vnodes) {
  const Scratch scratch;
  const fs::path path = scratch.path() / "ring";
  auto start = Clock::now();
  const auto made =
      ring::create_ring(ring::Algorithm::sha256, vnodes,
                        {"tcp://1.moray.example.com:2020", "tcp://2.moray.example.com:2020",
                         "tcp://3.moray.example.com:2020"});
  std::printf("%u vnodes\n  made in %.3f s", vnodes, seconds_since(start));
  start = Clock::now();
  ring::create_leveldb(path, *made);
  std::printf(", written in %.2f s (%.0f MB)\n", seconds_since(start), megabytes_in(path));

  double best = 1e9;
  std::size_t bytes = 0;
  for (int i = 0; i < kLoads; ++i) {
    start = Clock::now();
    const auto loaded = ring::load_leveldb(path);
    best = std::min(best, seconds_since(start));
    bytes = loaded->bytes();
    if (loaded->digest() != made->digest()) std::abort();
  }
  std::printf("  loaded and verified in %.3f s, keeps %.2f MB\n", best,
              static_cast<double>(bytes) / 1e6);
  measure_locate(*made);
}

}  // namespace

int main(int count, char** arguments) {
  std::vector<std::uint32_t> sizes;
  for (int i = 1; i < count; ++i)
    sizes.push_back(static_cast<std::uint32_t>(std::strtoul(arguments[i], nullptr, 10)));
  if (sizes.empty()) sizes = {1'000'000, 10'000'000};
  for (const std::uint32_t size : sizes) measure(size);
}
