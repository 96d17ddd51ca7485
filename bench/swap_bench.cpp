// Rings swapped under full load. Two rings of a million vnodes, in which every vnode has another
// owner, are published alternately ten times a second; or one is loaded from disk and published
// once a second. Shards check each request against the ring that their worker has acknowledged.
//   bench_swap [pairs] [seconds per run] [vnodes]
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include "backends/moray/moray_shard.hpp"
#include "bench/load.hpp"
#include "ring/leveldb_store.hpp"
#include "ring/ring_edit.hpp"
#include "ring/topology.hpp"
#include "router/control/background.hpp"
#include "router/control/publisher.hpp"
#include "router/log/log.hpp"
#include "router/serve/cells.hpp"
#include "tests/support/test_data.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using boost::asio::ip::tcp;

constexpr std::size_t kOutstanding = 64;
constexpr int kShards = 4;

/// The ring that this thread's worker has acknowledged last.
thread_local const ring::Ring* in_force = nullptr;
std::atomic<std::size_t> misrouted{0};

/// Answers every request, at the end of the turn, and checks that its vnode is its own.
class CheckingShard final : public backends::Shard {
 public:
  CheckingShard(boost::asio::io_context& loop, std::string pnode)
      : loop_(loop), pnode_(std::move(pnode)) {}

  backends::Submitted submit(const backends::Request& request, backends::ReplySink& sink) override {
    const auto vnode = static_cast<ring::Vnode>(request.affinity);
    if (in_force != nullptr && in_force->pnode_name(in_force->owner(vnode)) != pnode_) ++misrouted;
    if (waiting_.empty()) boost::asio::post(loop_, [this] { answer(); });
    waiting_.push_back(&sink);
    return {backends::Ticket{++tickets_}, {}};
  }
  bool cancel(backends::Ticket) override { return false; }
  void pause(backends::Ticket) override {}
  void resume(backends::Ticket) override {}
  void retire() override {}
  [[nodiscard]] bool idle() const override { return waiting_.empty(); }
  [[nodiscard]] bool healthy() const override { return true; }
  [[nodiscard]] backends::ShardStatus status() const override { return {}; }

 private:
  void answer() {
    const backends::Reply data{R"({"m":{"uts":1,"name":"putObject"},"d":[{"etag":"ABCDEF01"}]})",
                               std::nullopt, fast::Version::v2};
    const backends::Reply end{R"({"m":{"uts":1,"name":"putObject"},"d":[]})", std::nullopt,
                              fast::Version::v2};
    std::vector<backends::ReplySink*> due;
    due.swap(waiting_);
    for (backends::ReplySink* sink : due) {
      sink->on_data(data);
      sink->on_end(end);
    }
  }

  boost::asio::io_context& loop_;
  std::string pnode_;
  std::vector<backends::ReplySink*> waiting_;
  std::uint64_t tickets_ = 0;
};

std::shared_ptr<const router::Snapshot> snapshot_of(std::shared_ptr<const ring::Ring> ring,
                                                    std::uint64_t sequence) {
  auto snapshot = std::make_shared<router::Snapshot>(router::Snapshot::make(std::move(ring), {}));
  snapshot->sequence = sequence;
  return snapshot;
}

/// The ring with every vnode given to the next pnode.
std::shared_ptr<const ring::Ring> shifted(const ring::Ring& ring) {
  ring::RingParts parts = ring::parts_of(ring);
  for (auto& owner : parts.owners) owner = static_cast<std::uint16_t>((owner + 1) % kShards);
  return ring::Ring::make(std::move(parts));
}

double resident_megabytes() {
  std::ifstream statm("/proc/self/statm");
  double total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

/// A worker of the router, its publisher, and a client over real sockets.
class System {
 public:
  explicit System(std::uint32_t vnodes) : log_("bench", router::LogLevel::error, STDERR_FILENO) {
    std::vector<std::string> pnodes;
    for (int i = 0; i < kShards; ++i)
      pnodes.push_back("tcp://" + std::to_string(i) + ".moray.bench:2020");
    rings[0] = ring::create_ring(ring::Algorithm::sha256, vnodes, pnodes);
    rings[1] = shifted(*rings[0]);
    for (int i = 0; i < 2; ++i)
      ring::create_leveldb(directory_.path() / std::to_string(i), *rings[i]);
    router::Publication& first = first_;
    first.snapshot = snapshot_of(rings[0], 1);
    for (const std::string& pnode : rings[0]->pnodes()) {
      config::Shard shard;
      shard.pnode = pnode;
      shard.address = pnode;
      first.shards.push_back(shard);
    }
    workers_.push_back(std::make_unique<router::Worker>(
        0, router::WorkerOptions{},
        [](const router::ShardSpec& spec, boost::asio::io_context& on, budget::Account&) {
          return std::make_unique<CheckingShard>(on, spec.pnode);
        },
        std::make_shared<router::Bounds>(), &cells_, log_));
    workers_.front()->run(first);
    publish(rings[0]);
    backends::moray::MorayShardOptions options;
    options.pool.connection.version = fast::Version::v2;
    options.in_flight_max = options.waiting_max = 1'000'000;
    options.pool.point_connections = 4;
    client = std::make_unique<backends::moray::MorayShard>(
        loop, backends::moray::fixed_addresses({acceptor_.local_endpoint()}), options);
    accept();
    for (int i = 0; i < 4096; ++i)
      puts.push_back(bench::payload("putObject", "[\"b\",\"key" + std::to_string(i * 7919) +
                                                     R"(",{"n":1,"text":")" +
                                                     std::string(200, 'x') + "\"},{}]"));
    bool connected = false;
    bench::OneRequest::send(*client, backends::Rpc::put_object, puts[0],
                            [&](bool) { connected = true; });
    while (!connected) loop.run_one();
  }
  ~System() { workers_.front()->stop(); }

  /// As router::Publisher does; and tells the worker's shards, with its acknowledgement.
  router::Published publish(std::shared_ptr<const ring::Ring> ring) {
    auto next = std::make_shared<router::Publication>(first_);
    next->snapshot = snapshot_of(std::move(ring), ++sequence_);
    kept_.push_back(next);  // so that the worker frees no ring
    while (kept_.size() > 4) kept_.pop_front();
    std::promise<std::chrono::nanoseconds> acknowledged;
    const auto began = Clock::now();
    workers_.front()->publish(
        next, [&, serving = next->snapshot->ring.get()](std::chrono::nanoseconds pause) {
          in_force = serving;
          acknowledged.set_value(pause);
        });
    router::Published published;
    published.pause = acknowledged.get_future().get();
    published.took = Clock::now() - began;
    return published;
  }
  [[nodiscard]] std::string location(int ring) const {
    return directory_.path() / std::to_string(ring);
  }

  boost::asio::io_context loop;
  std::shared_ptr<const ring::Ring> rings[2];
  std::unique_ptr<backends::moray::MorayShard> client;
  std::vector<std::string> puts;

 private:
  void accept() {
    acceptor_.async_accept([this](const boost::system::error_code& error, tcp::socket socket) {
      if (error) return;
      workers_.front()->adopt(tcp::v4(), socket.release());
      accept();
    });
  }

  tcp::acceptor acceptor_{loop, {boost::asio::ip::make_address("127.0.0.1"), 0}};
  test_support::TemporaryDirectory directory_;
  router::Log log_;
  router::WorkerCells cells_;
  std::vector<std::unique_ptr<router::Worker>> workers_;
  router::Publication first_;
  std::uint64_t sequence_ = 1;
  std::deque<std::shared_ptr<const router::Publication>> kept_;
};

struct Result {
  double rate = 0, p50 = 0, p999 = 0;  // puts a second, ms
  std::size_t failed = 0;
};

/// Puts, as many as are answered, with a fixed number outstanding.
Result full_load(System& system, std::chrono::milliseconds time) {
  std::vector<double> latencies;
  latencies.reserve(4'000'000);
  Result result;
  std::size_t sent = 0, outstanding = 0;
  const auto end = Clock::now() + time;
  std::function<void()> next = [&] {
    const auto began = Clock::now();
    if (began >= end) return;
    ++outstanding;
    bench::OneRequest::send(
        *system.client, backends::Rpc::put_object, system.puts[sent++ % system.puts.size()],
        [&, began](bool good) {
          --outstanding;
          if (!good) ++result.failed;
          latencies.push_back(
              std::chrono::duration<double, std::milli>(Clock::now() - began).count());
          next();
        });
  };
  for (std::size_t i = 0; i < kOutstanding; ++i) next();
  while (outstanding > 0) {
    system.loop.restart();
    system.loop.run_one();
  }
  result.rate = static_cast<double>(latencies.size()) / std::chrono::duration<double>(time).count();
  result.p50 = bench::quantile(latencies, 0.5);
  result.p999 = bench::quantile(latencies, 0.999);
  return result;
}

/// Publishes from a thread of its own until it goes.
class Swapper {
 public:
  Swapper(System& system, bool from_disk)
      : thread_([this, &system, from_disk] {
          router::run_in_background();  // as a router loads its rings
          for (int i = 1; !stop_; ++i) {
            const auto due = Clock::now() + std::chrono::milliseconds(from_disk ? 1000 : 100);
            const auto ring =
                from_disk ? ring::load_leveldb(system.location(i % 2)) : system.rings[i % 2];
            const router::Published published = system.publish(ring);
            longest_pause = std::max(longest_pause, published.pause);
            longest = std::max(longest, published.took);
            ++count;
            std::this_thread::sleep_until(due);
          }
        }) {}
  ~Swapper() {
    stop_ = true;
    thread_.join();
  }

  std::size_t count = 0;  // read once it has ended
  std::chrono::nanoseconds longest_pause{}, longest{};

  void end() {
    stop_ = true;
    thread_.join();
    thread_ = std::thread([] {});
  }

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

bool compare(System& system, const char* name, bool from_disk, int pairs,
             std::chrono::milliseconds time) {
  std::vector<double> without, with, rates_without, rates_with;
  std::size_t failed = 0, publications = 0;
  std::chrono::nanoseconds pause{}, took{};
  double before = 0;  // after the first pair: by then everything has been touched once
  for (int i = 0; i < pairs; ++i) {
    const Result calm = full_load(system, time);
    Swapper swapper(system, from_disk);
    const Result swapped = full_load(system, time);
    swapper.end();
    publications += swapper.count;
    pause = std::max(pause, swapper.longest_pause);
    took = std::max(took, swapper.longest);
    failed += calm.failed + swapped.failed;
    std::printf(
        "%-12s %2d  without: %.0f/s p50 %.3f p99.9 %.3f ms   with: %.0f/s p50 %.3f p99.9 %.3f ms\n",
        name, i + 1, calm.rate, calm.p50, calm.p999, swapped.rate, swapped.p50, swapped.p999);
    without.push_back(calm.p999);
    with.push_back(swapped.p999);
    rates_without.push_back(calm.rate);
    rates_with.push_back(swapped.rate);
    if (i == 0) before = resident_megabytes();
  }
  const double ratio = bench::median(with) / bench::median(without);
  const double pause_us = static_cast<double>(pause.count()) / 1e3;
  std::printf(
      "%-12s publications %zu, failed %zu, misrouted %zu, longest pause %.1f us, longest "
      "publication %.1f us\n",
      name, publications, failed, misrouted.load(), pause_us,
      static_cast<double>(took.count()) / 1e3);
  std::printf(
      "%-12s median rate %.0f/s without, %.0f/s with; median p99.9 %.3f ms without, %.3f with: "
      "ratio %.2f\n",
      name, bench::median(rates_without), bench::median(rates_with), bench::median(without),
      bench::median(with), ratio);
  std::printf("%-12s RSS %.0f MB after the first pair, %.0f after the last\n", name, before,
              resident_megabytes());
  return failed == 0 && misrouted == 0 && pause_us < 100 && ratio <= 1.5;
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const int pairs = argc > 1 ? std::atoi(argv[1]) : 5;
  const std::chrono::milliseconds time(argc > 2 ? static_cast<int>(1000 * std::atof(argv[2]))
                                                : 10'000);
  System system(argc > 3 ? static_cast<std::uint32_t>(std::atoi(argv[3])) : 1'000'000);
  full_load(system, std::chrono::milliseconds(1000));
  const bool swaps = compare(system, "swap", false, pairs, time);
  const bool reloads = compare(system, "reload", true, pairs, time);
  std::printf("swap: %s, reload: %s\n", swaps ? "kept" : "BROKEN", reloads ? "kept" : "BROKEN");
  return swaps && reloads ? 0 : 1;
}
