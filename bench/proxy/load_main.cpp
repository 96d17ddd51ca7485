// Loads what speaks Fast on loopback ports and checks every reply. Closed loop: each connection
// keeps its requests outstanding. Open loop: requests are due at times drawn beforehand, answered
// or not, and their latency counts from then on (no coordinated omission).
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bench/proxy/clock.hpp"
#include "bench/proxy/load_client.hpp"
#include "bench/proxy/process_figures.hpp"

namespace {

using bench::Kind;
using bench::LoadClient;
using bench::now;

struct Settings {
  std::vector<std::uint16_t> ports;
  std::size_t connections = 1;
  std::size_t outstanding = 1;
  double rate = 0;  // 0: closed loop
  double seconds = 2;
  double warm_up = 0.3;
  int version = 2;
  std::string mix = "get-put";
  bool may_be_refused = false;
  std::vector<pid_t> processes;
  bench::WorkloadOptions workload;
};

class Load {
 public:
  explicit Load(const Settings& settings)
      : settings_(settings), workload_(settings.workload), poll_(::epoll_create1(0)),
        buffer_(256 << 10) {
    clients_.reserve(settings.connections);
    for (std::size_t i = 0; i < settings.connections; ++i)
      clients_.emplace_back(settings.ports[i % settings.ports.size()],
                            settings.version == 1 ? fast::Version::v1 : fast::Version::v2,
                            workload_, tally_);
    for (LoadClient& client : clients_)
      bench::watch(poll_.get(), client.socket(), EPOLLIN, &client);
  }

  void run() {
    const std::uint64_t begin = now();
    const std::uint64_t measured_from = begin + nanoseconds(settings_.warm_up);
    const std::uint64_t end = measured_from + nanoseconds(settings_.seconds);
    next_due_ = begin;
    if (settings_.rate == 0)
      for (LoadClient& client : clients_) ask_and_flush(client, settings_.outstanding, begin);
    std::vector<epoll_event> events(512);
    for (std::uint64_t time = begin; time < end; time = now()) {
      if (!tally_.measuring && time >= measured_from) start_measuring(time);
      if (settings_.rate > 0) send_due(time);
      const int count = wait(events, end);
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        take(*static_cast<LoadClient*>(event.data.ptr), event.events);
      }
    }
    measured_ = now() - measured_began_;
    processor_ = bench::processor_nanoseconds(settings_.processes) - processor_began_;
    for (const LoadClient& client : clients_) left_ += client.outstanding();
  }

  void print() const {
    const auto done = static_cast<double>(tally_.done);
    const auto microseconds = [this](double part) {
      return static_cast<double>(tally_.latency.quantile(part)) / 1e3;
    };
    const nlohmann::json result = {{"requests", tally_.done},
                                   {"failed", tally_.failed},
                                   {"refused", tally_.refused},
                                   {"outstanding", left_},
                                   {"rate", done / static_cast<double>(measured_) * 1e9},
                                   {"latency",
                                    {{"p50", microseconds(0.5)},
                                     {"p90", microseconds(0.9)},
                                     {"p99", microseconds(0.99)},
                                     {"p999", microseconds(0.999)},
                                     {"max", static_cast<double>(tally_.latency.most()) / 1e3}}},
                                   {"processor", static_cast<double>(processor_) / done / 1e3},
                                   {"resident_kib", bench::resident_kib(settings_.processes)}};
    std::printf("%s\n", result.dump().c_str());
  }
  [[nodiscard]] bool good() const {
    return tally_.failed == 0 && tally_.done > 0 &&
           (settings_.may_be_refused || tally_.refused == 0);
  }

 private:
  static std::uint64_t nanoseconds(double seconds) {
    return static_cast<std::uint64_t>(seconds * 1e9);
  }

  void start_measuring(std::uint64_t time) {
    tally_.measuring = true;
    measured_began_ = time;
    processor_began_ = bench::processor_nanoseconds(settings_.processes);
  }

  void ask(LoadClient& client, std::uint64_t due) {
    const auto key = static_cast<std::uint32_t>(random_() % settings_.workload.keys);
    Kind kind = random_() % 5 == 0 ? Kind::put : Kind::get;
    if (settings_.mix == "get") kind = Kind::get;
    if (settings_.mix == "put") kind = Kind::put;
    if (settings_.mix == "find") kind = Kind::find;
    if (settings_.mix == "batch") kind = Kind::batch;
    client.ask(kind, key, due);
  }

  void ask_and_flush(LoadClient& client, std::size_t requests, std::uint64_t due) {
    for (std::size_t i = 0; i < requests; ++i) ask(client, due);
    flush(client);
  }

  void flush(LoadClient& client) {
    const bool waited = client.waits_to_write();
    client.flush();
    if (client.lost() || (!waited && !client.waits_to_write())) return;
    bench::change_watch(poll_.get(), client.socket(),
                        EPOLLIN | (client.waits_to_write() ? EPOLLOUT : 0u), &client);
  }

  /// Poisson arrivals, over the connections in turn.
  void send_due(std::uint64_t time) {
    std::vector<LoadClient*> touched;
    for (; next_due_ <= time;
         next_due_ += static_cast<std::uint64_t>(arrivals_(random_) * 1e9 / settings_.rate)) {
      LoadClient& client = clients_[next_client_++ % clients_.size()];
      if (client.lost()) continue;
      ask(client, next_due_);
      touched.push_back(&client);
    }
    for (LoadClient* client : touched) flush(*client);
  }

  int wait(std::vector<epoll_event>& events, std::uint64_t end) {
    const std::uint64_t time = now();
    const std::uint64_t until = settings_.rate > 0 ? std::min(next_due_, end) : end;
    const std::uint64_t left = until > time ? until - time : 0;
    const timespec limit{static_cast<time_t>(left / 1'000'000'000),
                         static_cast<long>(left % 1'000'000'000)};
    return ::epoll_pwait2(poll_.get(), events.data(), static_cast<int>(events.size()), &limit,
                          nullptr);
  }

  void take(LoadClient& client, std::uint32_t events) {
    if (client.lost()) return;
    std::size_t answered = 0;
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0)
      answered = client.read(buffer_, now());
    if (client.lost()) return;
    if (settings_.rate > 0) answered = 0;
    if (answered > 0 || (events & EPOLLOUT) != 0) ask_and_flush(client, answered, now());
  }

  const Settings& settings_;
  bench::Workload workload_;
  bench::Tally tally_;
  bench::Descriptor poll_;
  std::vector<char> buffer_;
  std::vector<LoadClient> clients_;
  std::minstd_rand random_{4711};
  std::exponential_distribution<> arrivals_{1.0};
  std::uint64_t next_due_ = 0;
  std::size_t next_client_ = 0;
  std::uint64_t measured_began_ = 0, measured_ = 0;
  std::uint64_t processor_began_ = 0, processor_ = 0;
  std::size_t left_ = 0;
};

}  // namespace

int main(int count, char** arguments) {
  Settings settings;
  CLI::App app(
      "Loads Fast servers on loopback, checks every reply, prints one line of JSON (microseconds). "
      "Ends with 1 where any request failed.");
  app.add_option("--port", settings.ports, "Ports; connections take them in turn")
      ->required()
      ->delimiter(',');
  app.add_option("--connections", settings.connections);
  app.add_option("--outstanding", settings.outstanding, "Requests a connection, closed loop");
  app.add_option("--rate", settings.rate, "Open loop: requests a second, in all");
  app.add_option("--seconds", settings.seconds);
  app.add_option("--warm-up", settings.warm_up, "Seconds before that are not counted");
  app.add_option("--version", settings.version, "Fast's, 1 or 2")->check(CLI::IsMember({1, 2}));
  app.add_option("--mix", settings.mix)
      ->check(CLI::IsMember({"get-put", "get", "put", "find", "batch"}));
  app.add_flag("--may-be-refused", settings.may_be_refused,
               "An OverloadedError is told of, and is no failure");
  app.add_option("--process", settings.processes, "Processes whose time and memory are told")
      ->delimiter(',');
  app.add_option("--value-bytes", settings.workload.value_bytes);
  app.add_option("--keys", settings.workload.keys)->check(CLI::Range(1, 0xffffff));
  app.add_flag("--node-moray", settings.workload.node_moray,
               "Send all that node-moray sends along");
  app.add_option("--rows", settings.workload.rows, "Records of a find");
  CLI11_PARSE(app, count, arguments);
  ::prctl(PR_SET_TIMERSLACK, 1);  // nanosecond: an open loop's requests go when they are due
  Load load(settings);
  load.run();
  load.print();
  return load.good() ? 0 : 1;
}
