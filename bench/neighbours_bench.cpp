// What a hung shard, and a client that does not read its 100,000 records, do to everybody else's
// gets: p99 of an open loop at half load, without and with the trouble, in pairs.
//   bench_neighbours [pairs] [seconds per run]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "backends/moray/moray_shard.hpp"
#include "bench/load.hpp"
#include "fast/encoder.hpp"
#include "ring/key_transform.hpp"
#include "ring/leveldb_store.hpp"
#include "ring/topology.hpp"
#include "tests/support/router_process.hpp"
#include "tests/support/test_data.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using bench::median;
using bench::OneRequest;
using bench::payload;
using boost::asio::ip::tcp;

constexpr const char* kPnodes[] = {"tcp://1.moray.bench:2020", "tcp://2.moray.bench:2020"};
constexpr int kRecords = 100'000;
constexpr std::size_t kOutstandingAtFullLoad = 4;

/// Accepts connections and never answers.
class HungServer {
 public:
  explicit HungServer(boost::asio::io_context& loop) : acceptor_(loop, {tcp::v4(), 0}) { accept(); }
  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

 private:
  void accept() {
    acceptor_.async_accept([this](const boost::system::error_code& error, tcp::socket socket) {
      if (error) return;
      sockets_.push_back(std::move(socket));
      accept();
    });
  }
  tcp::acceptor acceptor_;
  std::vector<tcp::socket> sockets_;
};

/// The router under test, its data, and a client's connection.
class System {
 public:
  System() : hung_(loop) {
    ring_ = ring::create_ring(ring::Algorithm::sha256, 1024, {kPnodes[0], kPnodes[1]});
    ring::create_leveldb(directory_.path() / "ring", *ring_);
    const auto config = directory_.path() / "config.json";
    std::ofstream(config)
        << R"({"listen":{"port":0},"monitor":{"port":0},"status":{"port":0},"workers":1,)"
        << R"("timeouts":{"objectMs":1000},"admin":{"socket":")"
        << (directory_.path() / "admin.sock").string() << R"("},"ring":{"location":")"
        << (directory_.path() / "ring").string() << R"("},"shards":[{"pnode":")" << kPnodes[0]
        << R"(","backend":"embedded","sync":false,"path":")"
        << (directory_.path() / "shard").string() << R"("},{"pnode":")" << kPnodes[1]
        << R"(","address":"127.0.0.1:)" << hung_.port() << R"("}]})";
    router_ = std::make_unique<test_support::RouterProcess>(
        std::vector<std::string>{"serve", "--config", config});
    backends::moray::MorayShardOptions options;
    options.pool.connection.version = fast::Version::v2;
    options.in_flight_max = options.waiting_max = 1'000'000;
    const tcp::endpoint address{boost::asio::ip::make_address("127.0.0.1"), router_->port()};
    client = std::make_unique<backends::moray::MorayShard>(
        loop, backends::moray::fixed_addresses({address}), options);
    fill();
  }

  /// A key of that shard, in bucket `b`.
  std::string key_of(int pnode, int number) {
    for (int salt = 0;; ++salt) {
      const std::string key = "k" + std::to_string(number) + "-" + std::to_string(salt);
      if (ring::number(ring_->locate(ring::transform_key("b", key))->pnode) == pnode) return key;
    }
  }

  void wait_for(const std::function<bool()>& done) {
    while (!done()) loop.run_one();
  }
  bool call(backends::Rpc rpc, const std::string& text) {
    bool over = false, good = false;
    OneRequest::send(*client, rpc, text, [&](bool ok) {
      over = true;
      good = ok;
    });
    wait_for([&] { return over; });
    return good;
  }
  [[nodiscard]] std::uint16_t port() const { return router_->port(); }
  [[nodiscard]] const std::string& directory_key() const { return directory_key_; }

  boost::asio::io_context loop;
  std::unique_ptr<backends::moray::MorayShard> client;
  std::vector<std::string> gets;       // of objects on shard 1
  std::vector<std::string> hung_gets;  // of keys on shard 2

 private:
  void fill() {
    for (const char* bucket : {"b", "testmanta"})  // shard 2 hangs; shard 1 has it even so
      call(backends::Rpc::create_bucket,
           payload("createBucket",
                   std::string("[\"") + bucket + R"(",{"index":{"n":{"type":"number"}}},{}])"));
    for (int i = 0; i < 1000; ++i) {
      const std::string key = key_of(0, i);
      if (!call(backends::Rpc::put_object,
                payload("putObject", "[\"b\",\"" + key + R"(",{"n":1,"text":")" +
                                         std::string(500, 'x') + "\"},{}]")))
        throw std::runtime_error("a put failed");
      gets.push_back(payload("getObject", "[\"b\",\"" + key + "\",{\"noCache\":true}]"));
      hung_gets.push_back(
          payload("getObject", "[\"b\",\"" + key_of(1, i) + "\",{\"noCache\":true}]"));
    }
    for (int salt = 0; directory_key_.empty(); ++salt) {
      const std::string key = "/u/stor/d" + std::to_string(salt);
      if (ring::number(ring_->locate(key)->pnode) == 0) directory_key_ = key;
    }
    for (int i = 0; i < kRecords; i += 1000) {
      std::string requests;
      for (int j = i; j < i + 1000; ++j)
        requests += (requests.empty() ? "" : ",") +
                    (R"({"bucket":"testmanta","key":")" + directory_key_) + "/" +
                    std::to_string(j) + R"(","value":{"n":1,"text":")" + std::string(300, 'x') +
                    "\"}}";
      if (!call(backends::Rpc::batch, payload("batch", "[[" + requests + "],{}]")))
        throw std::runtime_error("a batch failed");
    }
  }

  test_support::TemporaryDirectory directory_;
  std::shared_ptr<const ring::Ring> ring_;
  HungServer hung_;
  std::unique_ptr<test_support::RouterProcess> router_;
  std::string directory_key_;
};

/// Requests a second with many outstanding.
double full_load(System& system, std::chrono::milliseconds time) {
  std::size_t done = 0, outstanding = 0;
  const auto end = Clock::now() + time;
  std::function<void()> next = [&] {
    if (Clock::now() >= end) return;
    ++outstanding;
    OneRequest::send(*system.client, backends::Rpc::get_object,
                     system.gets[done % system.gets.size()], [&](bool) {
                       ++done;
                       --outstanding;
                       next();
                     });
  };
  for (std::size_t i = 0; i < kOutstandingAtFullLoad; ++i) next();
  system.wait_for([&] { return Clock::now() >= end && outstanding == 0; });
  return static_cast<double>(done) / std::chrono::duration<double>(time).count();
}

struct Latencies {
  double p50 = 0, p99 = 0;  // ms
  std::size_t failed = 0;
};

/// Gets at fixed times, whatever became of those before; latency counts from when each was due.
Latencies open_loop(System& system, double rate, std::chrono::milliseconds time) {
  const auto begin = Clock::now() + std::chrono::milliseconds(10);
  const auto count = static_cast<std::size_t>(rate * std::chrono::duration<double>(time).count());
  std::vector<double> latencies;
  latencies.reserve(count);
  Latencies result;
  std::size_t sent = 0, outstanding = 0;
  while (sent < count || outstanding > 0) {
    const auto now = Clock::now();
    for (; sent < count; ++sent) {
      const auto due = begin + std::chrono::nanoseconds(static_cast<std::int64_t>(
                                   1e9 * static_cast<double>(sent) / rate));
      if (due > now) break;
      ++outstanding;
      OneRequest::send(*system.client, backends::Rpc::get_object,
                       system.gets[sent % system.gets.size()], [&, due](bool good) {
                         --outstanding;
                         if (!good) ++result.failed;
                         latencies.push_back(
                             std::chrono::duration<double, std::milli>(Clock::now() - due).count());
                       });
    }
    system.loop.restart();
    if (system.loop.poll() == 0)
      std::this_thread::sleep_for(std::chrono::microseconds(50));  // the router needs the cores
  }
  std::sort(latencies.begin(), latencies.end());
  result.p50 = latencies[latencies.size() / 2];
  result.p99 = latencies[latencies.size() * 99 / 100];
  return result;
}

/// Gets of the hung shard's keys, 200 a second.
class HungTraffic {
 public:
  explicit HungTraffic(System& system) : system_(system), timer_(system.loop) { tick(); }

 private:
  void tick() {
    OneRequest::send(*system_.client, backends::Rpc::get_object,
                     system_.hung_gets[next_++ % system_.hung_gets.size()], [](bool) {});
    timer_.expires_after(std::chrono::milliseconds(5));
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) tick();
    });
  }
  System& system_;
  boost::asio::steady_timer timer_;
  std::size_t next_ = 0;
};

/// A client that asks for all records and reads none.
class SlowReader {
 public:
  explicit SlowReader(System& system) : socket_(system.loop) {
    socket_.connect({boost::asio::ip::make_address("127.0.0.1"), system.port()});
    std::string frame;
    fast::append_frame(
        frame, fast::Version::v2, fast::Status::data, 1,
        payload("findObjects",
                "[\"testmanta\",\"(n>=0)\",{\"noLimit\":true,\"no_count\":true,\"hashkey\":\"" +
                    system.directory_key() + "\"}]"));
    boost::asio::write(socket_, boost::asio::buffer(frame));
  }

 private:
  tcp::socket socket_;
};

template <typename Trouble>
bool compare(System& system, const char* name, double rate, int pairs,
             std::chrono::milliseconds time) {
  std::vector<double> without, with;
  for (int i = 0; i < pairs; ++i) {
    const Latencies calm = open_loop(system, rate, time);
    auto trouble = std::make_unique<Trouble>(system);
    const Latencies troubled = open_loop(system, rate, time);
    trouble.reset();
    system.loop.restart();
    system.loop.run_for(std::chrono::milliseconds(1200));  // what hangs is given up
    std::printf(
        "%-12s %2d  without: p50 %.3f p99 %.3f ms   with: p50 %.3f p99 %.3f ms   failed %zu\n",
        name, i + 1, calm.p50, calm.p99, troubled.p50, troubled.p99, calm.failed + troubled.failed);
    without.push_back(calm.p99);
    with.push_back(troubled.p99);
  }
  const double bound = 1.5 * median(without) + 1;
  const bool good = median(with) <= bound;
  std::printf(
      "%-12s median p99 without %.3f ms, with %.3f ms; bound (1.5 times and 1 ms) %.3f ms: %s\n",
      name, median(without), median(with), bound, good ? "kept" : "BROKEN");
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const int pairs = argc > 1 ? std::atoi(argv[1]) : 5;
  const std::chrono::milliseconds time(argc > 2 ? static_cast<int>(1000 * std::atof(argv[2]))
                                                : 4000);
  System system;
  system.loop.run_for(std::chrono::seconds(2));  // what filling left to compact
  full_load(system, std::chrono::milliseconds(500));
  const double most = full_load(system, std::chrono::milliseconds(2000));
  std::printf("full load: %.0f gets/s with %zu outstanding; runs at half of it\n", most,
              kOutstandingAtFullLoad);
  const bool hung = compare<HungTraffic>(system, "hung shard", most / 2, pairs, time);
  const bool slow = compare<SlowReader>(system, "slow reader", most / 2, pairs, time);
  return hung && slow ? 0 : 1;
}
