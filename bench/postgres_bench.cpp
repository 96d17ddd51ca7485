// Gets and puts through the router to a PostgreSQL shard, against pgbench with the same statements
// on the same cluster, in interleaved pairs.
//   bench_postgres [pairs] [seconds per run] [pipelined connections] [get, put or find alone]
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <unistd.h>

#include <boost/asio/post.hpp>
#include <nlohmann/json.hpp>

#include "backends/moray/moray_shard.hpp"
#include "bench/load.hpp"
#include "ring/leveldb_store.hpp"
#include "ring/topology.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/router_process.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using backends::Rpc;
using bench::OneRequest;
using bench::payload;

constexpr int kRows = 100'000;
constexpr int kSessions = 16, kOutstanding = 64;

/// Seconds of processor time that a process has used.
double cpu_seconds(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  text.erase(0, text.rfind(')') + 2);
  double ticks = 0;
  std::size_t at = 0;
  for (int field = 3; field <= 15; ++field) {
    const std::size_t end = text.find(' ', at);
    if (field >= 14) ticks += std::strtod(text.substr(at, end - at).c_str(), nullptr);
    at = end + 1;
  }
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

class System {
 public:
  explicit System(int connections) {
    const std::string pnode = "tcp://1.moray.bench:2020";
    ring::create_leveldb(directory_.path() / "ring",
                         *ring::create_ring(ring::Algorithm::sha256, 1024, {pnode}));
    const nlohmann::json config{
        {"listen", {{"port", 0}}},
        {"monitor", {{"port", 0}}},
        {"status", {{"port", 0}}},
        {"workers", 1},
        {"admin", {{"socket", directory_.path() / "admin.sock"}}},
        {"pool", {{"postgresPointConnections", connections}}},
        {"ring", {{"location", directory_.path() / "ring"}}},
        {"shards", {{{"pnode", pnode}, {"backend", "postgres"}, {"url", cluster.url()}}}}};
    std::ofstream(directory_.path() / "config.json") << config;
    router = std::make_unique<test_support::RouterProcess>(
        std::vector<std::string>{"serve", "--config", directory_.path() / "config.json"});
    for (int i = 0; i < kSessions; ++i) {
      backends::moray::MorayShardOptions options;
      options.pool.connection.version = fast::Version::v2;
      sessions.push_back(std::make_unique<backends::moray::MorayShard>(
          loop,
          backends::moray::fixed_addresses(
              {{boost::asio::ip::make_address("127.0.0.1"), router->port()}}),
          options));
    }
    while (!call(Rpc::ping, payload("ping", "[{\"deep\":true}]")))
      loop.run_for(std::chrono::milliseconds(20));
    call(Rpc::create_bucket,
         payload("createBucket", R"(["b",{"index":{"n":{"type":"number"}}},{}])"));
    for (int i = 0; i < kRows; i += 500) fill(i, i + 500);
  }

  static std::string value(int n) {
    return "{\"n\":" + std::to_string(n) + ",\"text\":\"" + std::string(300, 'x') + "\"}";
  }

  bool call(Rpc rpc, const std::string& text) {
    bool over = false, good = false;
    OneRequest::send(*sessions[0], rpc, text, [&](bool ok) {
      over = true;
      good = ok;
    });
    while (!over) {
      loop.restart();
      loop.run_one();
    }
    return good;
  }

  test_support::PostgresCluster cluster;
  boost::asio::io_context loop;
  std::unique_ptr<test_support::RouterProcess> router;
  std::vector<std::unique_ptr<backends::moray::MorayShard>> sessions;

 private:
  void fill(int from, int to) {
    int open = 0;
    for (int i = from; i < to; ++i) {
      ++open;
      OneRequest::send(
          *sessions[0], Rpc::put_object,
          payload("putObject", "[\"b\",\"k" + std::to_string(i) + "\"," + value(i) + ",{}]"),
          [&](bool good) {
            --open;
            if (!good) throw std::runtime_error("a put failed");
          });
    }
    while (open > 0) {
      loop.restart();
      loop.run_one();
    }
  }
  test_support::TemporaryDirectory directory_;
};

struct Result {
  double rate = 0, p50_us = 0,
         cpu_us = 0;  // operations a second; the router's processor time an operation
  std::size_t failed = 0;
};

constexpr int kFound = 1000;  // records of a find

/// A random request of that kind.
std::string request_text(Rpc rpc, int n) {
  const std::string key = "\"k" + std::to_string(n) + "\"";
  if (rpc == Rpc::get_object) return payload("getObject", "[\"b\"," + key + ",{\"noCache\":true}]");
  if (rpc == Rpc::put_object)
    return payload("putObject", "[\"b\"," + key + "," + System::value(n) + ",{}]");
  const int from = std::min(n, kRows - kFound);
  return payload("findObjects", "[\"b\",\"(&(n>=" + std::to_string(from) +
                                    ")(n<=" + std::to_string(from + kFound - 1) +
                                    "))\",{\"hashkey\":\"k\",\"no_count\":true,\"noCache\":true}]");
}

Result through_router(System& system, Rpc rpc, int outstanding_wanted,
                      std::chrono::milliseconds time) {
  std::vector<double> latencies;
  Result result;
  std::size_t sent = 0;
  int outstanding = 0;
  std::uint64_t random = 7;
  const auto end = Clock::now() + time;
  const double cpu = cpu_seconds(system.router->process());
  std::function<void()> next = [&] {
    const auto began = Clock::now();
    if (began >= end) return;
    random = random * 6364136223846793005u + 1442695040888963407u;
    const auto n = static_cast<int>((random >> 33) % kRows);
    ++outstanding;
    OneRequest::send(*system.sessions[sent++ % kSessions], rpc, request_text(rpc, n),
                     [&, began](bool good) {
                       if (!good) ++result.failed;
                       latencies.push_back(
                           std::chrono::duration<double, std::micro>(Clock::now() - began).count());
                       boost::asio::post(system.loop, [&] {  // not from inside the shard's own work
                         --outstanding;
                         next();
                       });
                     });
  };
  for (int i = 0; i < outstanding_wanted; ++i) next();
  while (outstanding > 0) {
    system.loop.restart();
    system.loop.run_one();
  }
  const double count = static_cast<double>(latencies.size());
  result.rate = count / std::chrono::duration<double>(time).count();
  result.cpu_us = (cpu_seconds(system.router->process()) - cpu) / count * 1e6;
  result.p50_us = bench::median(latencies);
  return result;
}

/// Transactions a second, and the mean latency in µs.
std::pair<double, double> by_pgbench(System& system, const std::string& script, int clients,
                                     std::chrono::milliseconds time) {
  const std::string command = "/usr/lib/postgresql/15/bin/pgbench -n -h 127.0.0.1 -p " +
                              std::to_string(system.cluster.port()) + " -U moray -M prepared -c " +
                              std::to_string(clients) + " -j " +
                              std::to_string(std::min(clients, 2)) + " -T " +
                              std::to_string(std::max<long>(1, time.count() / 1000)) + " -f " +
                              script + " moray 2>/dev/null";
  std::unique_ptr<FILE, int (*)(FILE*)> output(popen(command.c_str(), "r"), pclose);
  double rate = 0, latency = 0;
  std::array<char, 256> line{};
  while (fgets(line.data(), line.size(), output.get()) != nullptr) {
    std::sscanf(line.data(), "tps = %lf", &rate);
    std::sscanf(line.data(), "latency average = %lf", &latency);
  }
  return {rate, latency * 1000};
}

/// Resident memory in MiB.
double resident(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/statm");
  std::size_t whole = 0, there = 0;
  file >> whole >> there;
  return static_cast<double>(there) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

/// Finds of a thousand records, streamed.
void finds(System& system, std::chrono::milliseconds time) {
  const pid_t process = system.router->process();
  for (const int outstanding : {1, 4, 16}) {
    const double before = resident(process);
    const Result result = through_router(system, Rpc::find_objects, outstanding, time);
    std::printf(
        "find, %d at once: %.0f records/s, router's processor time %.2f us a record, p50 %.1f ms, "
        "memory %.1f MiB before, %.1f after; failed %zu\n",
        outstanding, result.rate * kFound, result.cpu_us / kFound, result.p50_us / 1000, before,
        resident(process), result.failed);
  }
}

void compare(System& system, const char* name, Rpc rpc, const std::string& script, int pairs,
             std::chrono::milliseconds time) {
  std::vector<double> ratios, cpu, ours, theirs, one_ours, one_theirs;
  std::size_t failed = 0;
  for (int i = 0; i < pairs; ++i) {
    const auto direct = by_pgbench(system, script, kSessions, time);
    const Result routed = through_router(system, rpc, kOutstanding, time);
    failed += routed.failed;
    ratios.push_back(routed.rate / direct.first);
    cpu.push_back(routed.cpu_us);
    ours.push_back(routed.rate);
    theirs.push_back(direct.first);
    one_theirs.push_back(by_pgbench(system, script, 1, std::chrono::milliseconds(1000)).second);
    one_ours.push_back(through_router(system, rpc, 1, std::chrono::milliseconds(1000)).p50_us);
    std::printf(
        "%s %d: pgbench %.0f/s, router %.0f/s: %.2f; router's processor time %.1f us; one client: "
        "pgbench %.0f us, router %.0f\n",
        name, i + 1, direct.first, routed.rate, ratios.back(), cpu.back(), one_theirs.back(),
        one_ours.back());
  }
  std::printf(
      "%s: median pgbench %.0f/s, router %.0f/s, ratio %.2f, processor time %.1f us, one client: "
      "added %.0f us; failed %zu\n",
      name, bench::median(theirs), bench::median(ours), bench::median(ratios), bench::median(cpu),
      bench::median(one_ours) - bench::median(one_theirs), failed);
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const int pairs = argc > 1 ? std::atoi(argv[1]) : 7;
  const std::chrono::milliseconds time(argc > 2 ? static_cast<int>(1000 * std::atof(argv[2]))
                                                : 4000);
  System system(argc > 3 ? std::atoi(argv[3]) : 4);
  const test_support::TemporaryDirectory directory;
  const std::string get = directory.path() / "get.sql", put = directory.path() / "put.sql";
  const std::string key = "\\set n random(0, " + std::to_string(kRows - 1) + ")\n";
  std::ofstream(get) << key
                     << "SELECT _key, _value, _etag, _id, _mtime, _vnode, _txn_snap, "
                        "NULL::integer, n FROM b WHERE _key = 'k' || :n;\n";
  std::ofstream(put) << key << "WITH u AS (UPDATE b SET _value = '" << System::value(7)
                     << "', _etag = 'ABCDEF01', _mtime = 1, _vnode = 1, "
                     << "_txn_snap = NULL, n = :n WHERE _key = 'k' || :n RETURNING 1) "
                     << "INSERT INTO b (_key, _value, _etag, _mtime, _vnode, n) SELECT 'k' || :n, '"
                     << System::value(7)
                     << "', 'ABCDEF01', 1, 1, :n WHERE NOT EXISTS (SELECT 1 FROM u);\n";
  const std::string only = argc > 4 ? argv[4] : "";
  if (only.empty() || only == "get") compare(system, "get", Rpc::get_object, get, pairs, time);
  if (only.empty() || only == "find") finds(system, time);
  if (only.empty() || only == "put") compare(system, "put", Rpc::put_object, put, pairs, time);
}
