// A write block under full write load: 5 % of the vnodes are blocked with --wait and unblocked
// again, over and over, through the router's admin socket. The shards keep a ledger: when a block
// has returned, no write to its vnodes may come there before the unblock.
//   bench_block [blocks] [vnodes]
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include "backends/moray/moray_shard.hpp"
#include "bench/load.hpp"
#include "fast/decoder.hpp"
#include "fast/encoder.hpp"
#include "ring/leveldb_store.hpp"
#include "ring/topology.hpp"
#include "ring/vnode_set.hpp"
#include "tests/support/admin_client.hpp"
#include "tests/support/router_process.hpp"
#include "tests/support/test_data.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using boost::asio::ip::tcp;

constexpr std::size_t kOutstanding = 256;
constexpr int kShards = 3;

/// What the shards saw of writes to the blocked vnodes.
struct Ledger {
  const ring::VnodeSet* blocked = nullptr;
  bool closed = false;     // the block has returned
  std::size_t behind = 0;  // came behind a block: the defect that we look for
  std::size_t writes = 0;
};

/// A moray that answers puts at once.
class Server {
 public:
  Server(boost::asio::io_context& loop, Ledger& ledger)
      : ledger_(ledger), acceptor_(loop, {boost::asio::ip::make_address("127.0.0.1"), 0}) {
    accept();
  }
  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

 private:
  struct Client : std::enable_shared_from_this<Client> {
    Client(tcp::socket socket_, Ledger& ledger_) : socket(std::move(socket_)), ledger(ledger_) {}
    void read() {
      socket.async_read_some(
          boost::asio::buffer(buffer),
          [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
            if (error) return;
            self->decoder.feed({self->buffer.data(), bytes});
            self->answer();
            self->decoder.settle();
            self->read();
          });
    }
    void answer() {
      std::string out;
      for (fast::Decoded decoded = decoder.next();
           const auto* frame = std::get_if<fast::Frame>(&decoded); decoded = decoder.next()) {
        enter(frame->payload);
        fast::append_frame(out, frame->version, fast::Status::data, frame->message_id,
                           R"({"m":{"uts":1,"name":"putObject"},"d":[{"etag":"ABCDEF01"}]})");
        fast::append_frame(out, frame->version, fast::Status::end, frame->message_id,
                           R"({"m":{"uts":1,"name":"putObject"},"d":[]})");
      }
      for (std::size_t at = 0; at < out.size();) {
        boost::system::error_code error;
        at += socket.write_some(boost::asio::buffer(out.data() + at, out.size() - at), error);
        if (error) return;
      }
    }
    void enter(std::string_view payload) {
      const std::size_t at = payload.find("\"vnode\":");
      if (at == std::string_view::npos) return;
      ++ledger.writes;
      const auto vnode =
          static_cast<ring::Vnode>(std::strtoul(payload.data() + at + 8, nullptr, 10));
      if (ledger.closed && ledger.blocked->contains(vnode)) ++ledger.behind;
    }
    tcp::socket socket;
    Ledger& ledger;
    fast::Decoder decoder{64 << 20};
    std::array<char, 256 << 10> buffer{};
  };
  void accept() {
    acceptor_.async_accept([this](const boost::system::error_code& error, tcp::socket socket) {
      if (error) return;
      std::make_shared<Client>(std::move(socket), ledger_)->read();
      accept();
    });
  }
  Ledger& ledger_;
  tcp::acceptor acceptor_;
};

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const int blocks = argc > 1 ? std::atoi(argv[1]) : 300;
  const auto vnodes = argc > 2 ? static_cast<std::uint32_t>(std::atoi(argv[2])) : 1'000'000u;
  const test_support::TemporaryDirectory directory;
  boost::asio::io_context loop;
  Ledger ledger;
  std::vector<std::unique_ptr<Server>> servers;
  std::vector<std::string> pnodes;
  nlohmann::json config{{"listen", {{"port", 0}}},
                        {"monitor", {{"port", 0}}},
                        {"status", {{"port", 0}}},
                        {"workers", 1},
                        {"admin", {{"socket", directory.path() / "admin.sock"}}},
                        {"ring", {{"location", directory.path() / "ring"}}}};
  for (int i = 0; i < kShards; ++i) {
    servers.push_back(std::make_unique<Server>(loop, ledger));
    pnodes.push_back("tcp://" + std::to_string(i) + ".moray.bench:2020");
    config["shards"].push_back({{"pnode", pnodes.back()},
                                {"address", "127.0.0.1:" + std::to_string(servers.back()->port())},
                                {"fastVersion", 2}});
  }
  ring::create_leveldb(directory.path() / "ring",
                       *ring::create_ring(ring::Algorithm::sha256, vnodes, pnodes));
  std::ofstream(directory.path() / "config.json") << config;
  test_support::RouterProcess router({"serve", "--config", directory.path() / "config.json"});
  backends::moray::MorayShardOptions options;
  options.pool.connection.version = fast::Version::v2;
  options.in_flight_max = options.waiting_max = 1'000'000;
  backends::moray::MorayShard client(
      loop,
      backends::moray::fixed_addresses(
          {{boost::asio::ip::make_address("127.0.0.1"), router.port()}}),
      options);

  std::size_t sent = 0, failed = 0, done = 0;
  bool running = true;
  std::function<void()> next = [&] {
    if (!running) return;
    const std::string put =
        bench::payload("putObject", "[\"b\",\"key" + std::to_string(sent++) +
                                        R"(",{"n":1,"text":")" + std::string(200, 'x') + "\"},{}]");
    bench::OneRequest::send(client, backends::Rpc::put_object, put, [&](bool good) {
      ++done;
      if (!good) ++failed;
      boost::asio::post(loop, next);
    });
  };
  boost::asio::post(loop, [&] {
    bench::OneRequest::send(client, backends::Rpc::put_object,
                            bench::payload("putObject", R"(["b","first",{},{}])"), [&](bool) {
                              for (std::size_t i = 0; i < kOutstanding; ++i) next();
                            });
  });

  // The operator, on a thread of its own; what it says to the ledger is said on the loop.
  std::vector<double> times, publications;
  std::size_t waited_for = 0;
  std::thread operator_thread([&] {
    std::mt19937 random(1);
    const std::string socket = directory.path() / "admin.sock";
    const auto on_loop = [&](const std::function<void()>& act) {
      std::atomic<bool> acted{false};
      boost::asio::post(loop, [&] {
        act();
        acted = true;
      });
      while (!acted) std::this_thread::yield();
    };
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    for (int i = 0; i < blocks; ++i) {
      const std::uint32_t count = vnodes / 20,
                          first = static_cast<std::uint32_t>(random() % (vnodes - count));
      const auto set = ring::VnodeSet::of_ranges({{first, first + count - 1}});
      const auto began = Clock::now();
      const auto report =
          test_support::tell_admin(socket, "block", {{"vnodes", set.to_text()}, {"wait", true}});
      times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - began).count());
      publications.push_back(report.at("microseconds").get<double>() / 1000);
      waited_for += report.at("waitedFor").get<std::size_t>();
      if (report.at("drained") != true || !report.at("indeterminate").empty())
        std::printf("not drained: %s\n", report.dump().c_str());
      on_loop([&] {
        ledger.blocked = &set;
        ledger.closed = true;
      });
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      on_loop([&] { ledger.closed = false; });
      test_support::tell_admin(socket, "unblock", {{"all", true}});
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    on_loop([&] { running = false; });
  });
  const auto began = Clock::now();
  while (running || done < sent) {
    loop.restart();
    loop.run_one();
  }
  operator_thread.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  const double usual = bench::median(times), p99 = bench::quantile(times, 0.99);  // sorts
  std::printf(
      "%d blocks of 5 %% of %u vnodes at %.0f puts/s: median %.3f ms, p99 %.3f, longest %.3f "
      "(publication: median %.3f ms)\n",
      blocks, vnodes, static_cast<double>(done) / seconds, usual, p99, times.back(),
      bench::median(publications));
  std::printf("writes waited for %zu, failed %zu, written behind a block %zu of %zu\n", waited_for,
              failed, ledger.behind, ledger.writes);
  const bool good = failed == 0 && ledger.behind == 0 && usual < 5;
  std::printf("block: %s\n", good ? "kept" : "BROKEN");
  return good ? 0 : 1;
}
