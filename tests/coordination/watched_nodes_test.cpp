// Nodes that are read together while another session changes them.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fleet/service/watched_nodes.hpp"
#include "tests/coordination/services.hpp"

using namespace fleet;
using namespace services;
using coordination::Outcome;

namespace {

constexpr std::size_t kNodes = 5;

/// Gives one node after the other the next number. The last of them comes and goes.
class Writer {
 public:
  Writer(boost::asio::io_context& loop, Session& session, std::vector<std::string> paths)
      : loop_(loop), session_(session), paths_(std::move(paths)) {}

  void write() {
    if (number_ >= kLast) return;
    const std::string& path = paths_[number_ % kNodes];
    const std::string value = std::to_string(number_);
    const bool last = number_ % kNodes == kNodes - 1;
    ++number_;
    const auto next = [this](Outcome outcome) {
      REQUIRE(outcome == Outcome::done);
      write_after(number_ % 13);
    };
    if (!last) return session_.set({path, value, coordination::kAnyVersion}, next);
    if (!std::exchange(last_there_, !last_there_)) {
      session_.create({path, value, false, false}, next);
    } else {
      session_.remove({path, coordination::kAnyVersion}, next);
    }
  }
  [[nodiscard]] bool ended() const { return number_ >= kLast; }

  static constexpr std::size_t kLast = 600;

 private:
  /// So many turns of the loop: sometimes a read comes through without a change meanwhile.
  void write_after(std::size_t turns) {
    if (turns == 0) return write();
    boost::asio::post(loop_, [this, turns] { write_after(turns - 1); });
  }

  boost::asio::io_context& loop_;
  Session& session_;
  std::vector<std::string> paths_;
  std::size_t number_ = kNodes;  // those before are there
  bool last_there_ = false;
};

/// What they had at one moment: all numbers but those that were overwritten since, in a row.
bool of_one_moment(const WatchedNodes::Nodes& nodes, const std::vector<std::string>& paths) {
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i + 1 < kNodes; ++i)
    numbers.push_back(std::stoul(nodes.at(paths[i]).value));
  const std::size_t newest = *std::max_element(numbers.begin(), numbers.end());
  for (std::size_t i = 0; i + 1 < kNodes; ++i) {
    // The newest number that has gone to node i and is not beyond it.
    const std::size_t expected = newest - (newest + kNodes - i) % kNodes;
    if (numbers[i] != expected) return false;
  }
  return true;
}

}  // namespace

TEST_CASE_TEMPLATE("watched nodes: what is read together is true of one moment", Service, InMemory,
                   OfZooKeeper) {
  Service service;
  auto writes = service.connect(), reads = service.connect();
  run_until(service.loop(), [&] {
    return writes->state() == Session::State::connected &&
           reads->state() == Session::State::connected;
  });
  std::vector<std::string> paths;
  std::size_t made = 0;
  const auto create = [&](const std::string& path, const std::string& value) {
    writes->create({path, value, false, false}, [&](Outcome outcome) {
      REQUIRE(outcome == Outcome::done);
      ++made;
    });
  };
  create(service.root(), "");
  for (std::size_t i = 0; i < kNodes; ++i) {
    paths.push_back(service.root() + "/" + std::to_string(i));
    if (i + 1 < kNodes) create(paths[i], std::to_string(i));
  }
  run_until(service.loop(), [&] { return made == kNodes; });

  std::size_t told = 0, seen = 0, torn = 0, beyond = 0, with_last = 0;
  bool ended = false;
  WatchedNodes nodes(*reads, [&] { ++told; });
  Writer writer(service.loop(), *writes, paths);
  const std::function<void()> read = [&] {
    const bool last = writer.ended();
    std::vector<std::string> order = paths;  // any of them may be the one that is always read
    std::rotate(order.begin(), order.begin() + static_cast<long>(seen % kNodes), order.end());
    nodes.read(order, [&, last](Outcome outcome, const WatchedNodes::Nodes& got) {
      if (outcome == Outcome::unknown) {
        ++beyond;
      } else {
        REQUIRE(outcome == Outcome::done);
        ++seen;
        if (!of_one_moment(got, paths)) ++torn;
        if (got.contains(paths.back())) ++with_last;
      }
      ended = last && outcome == Outcome::done;
      if (!ended) read();
    });
  };
  read();
  writer.write();
  run_until(service.loop(), [&] { return ended; });
  CHECK(torn == 0);
  CHECK(seen > 10);
  CHECK(told > 10);
  CHECK(with_last > 0);
  CHECK(with_last < seen);
  MESSAGE(seen << " reads, " << beyond << " given up, " << told << " changes told");
}

TEST_CASE("watched nodes: what is not read is told, and read when it can be") {
  InMemory service;
  auto session = service.connect();
  service.known(*session);
  std::size_t made = 0;
  for (const char* path : {"/memory", "/memory/a", "/memory/b"})
    session->create({path, "1", false, false}, [&](Outcome) { ++made; });
  run_until(service.loop(), [&] { return made == 3; });
  WatchedNodes nodes(*session, [] {});
  std::vector<Outcome> outcomes;
  const auto read = [&] {
    const std::size_t before = outcomes.size();
    nodes.read({"/memory/a", "/memory/b"}, [&](Outcome outcome, const WatchedNodes::Nodes& got) {
      outcomes.push_back(outcome);
      if (outcome == Outcome::done) CHECK(got.size() == 2);
    });
    CHECK(outcomes.size() == before);  // never from inside
    if (outcomes.size() == 1) service.restore();
    run_until(service.loop(), [&] { return outcomes.size() > before; });
  };
  read();
  service.cut();
  read();
  read();
  CHECK(outcomes == std::vector<Outcome>{Outcome::done, Outcome::unknown, Outcome::done});
}
