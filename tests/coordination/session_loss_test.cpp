// Sessions with ZooKeeper that are ended, cut off and lost while their requests are under way: what
// its client's threads still tell then is told to nobody, or once. For ThreadSanitizer above all.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/coordination/relay.hpp"
#include "tests/coordination/services.hpp"

using namespace coordination;
using namespace services;
using State = Session::State;

namespace {

constexpr std::chrono::milliseconds kShortSession{3'000};
constexpr std::size_t kAtOnce = 20;

std::size_t rounds() { return std::getenv("MORAY_ROUTER_LONG") != nullptr ? 50 : 1; }

/// One session, and what it is asked all the time. Each request is answered once as long as the
/// session is there.
class Busy {
 public:
  Busy(boost::asio::io_context& loop, const std::string& server, std::string root,
       const std::string& name)
      : root_(std::move(root)) {
    ZooKeeperOptions options;
    options.servers = {server};
    options.session = kShortSession;
    options.user = "fleet";
    options.password = "secret";
    session_ = std::make_unique<ZooKeeperSession>(loop, options);
    session_->on_state([this, name](State state) {
      if (state == State::expired) ++expired_;
      if (state != State::connected || ++connected_ > 1) return;
      // By which others see whether the service has given it up.
      session_->create({root_ + "/live/" + name, "", true, false}, [](Outcome) {});
    });
    for (int i = 0; i < 4; ++i) ask(i);
  }

  void end() { session_.reset(); }
  [[nodiscard]] std::size_t answered() const { return answered_; }
  [[nodiscard]] std::size_t unknown() const { return unknown_; }
  [[nodiscard]] std::size_t doubled() const { return doubled_; }
  [[nodiscard]] std::size_t connected() const { return connected_; }
  [[nodiscard]] std::size_t expired() const { return expired_; }
  /// Requests whose answers are to come.
  [[nodiscard]] std::size_t open() const { return open_; }

 private:
  /// Tells of the answer, and asks for more; `kind`: of requests.
  std::function<void(Outcome)> once(int kind) {
    ++open_;
    return [this, kind, told = std::make_shared<int>(0)](Outcome outcome) {
      if (++*told > 1) ++doubled_;
      --open_;
      ++answered_;
      if (outcome == Outcome::unknown) ++unknown_;
      if (session_->state() != State::expired) ask(kind);
    };
  }
  void ask(int kind) {
    const auto told = once(kind);
    const std::string path = root_ + "/node";
    switch (kind) {
      case 0:
        return session_->get(
            path, [] {}, [told](Outcome got, const Node&) { told(got); });
      case 1: return session_->set({path, "value", kAnyVersion}, told);
      case 2:
        return session_->children(root_, nullptr, [told](Outcome got, const auto&) { told(got); });
      default:
        return session_->transact({Check{root_, kAnyVersion}, Set{path, "other", kAnyVersion}},
                                  [told](Outcome got, std::size_t) { told(got); });
    }
  }

  const std::string root_;
  std::size_t answered_ = 0, unknown_ = 0, doubled_ = 0, connected_ = 0, expired_ = 0, open_ = 0;
  std::unique_ptr<Session> session_;
};

/// All sessions of one round, by one relay.
struct Round {
  Round(OfZooKeeper& service, std::uint16_t server) : relay(service.loop(), server) {
    for (std::size_t i = 0; i < kAtOnce; ++i)
      sessions.push_back(std::make_unique<Busy>(service.loop(), relay.address(), service.root(),
                                                std::to_string(i)));
  }
  [[nodiscard]] bool all(const std::function<bool(const Busy&)>& holds) const {
    for (const auto& each : sessions)
      if (!holds(*each)) return false;
    return true;
  }
  Relay relay;
  std::vector<std::unique_ptr<Busy>> sessions;
};

}  // namespace

TEST_CASE("sessions that are ended, cut off and lost while they are asked") {
  OfZooKeeper service;
  auto founder = service.connect();
  std::size_t made = 0;
  run_until(service.loop(), [&] { return founder->state() == State::connected; });
  for (const std::string& path :
       {service.root(), service.root() + "/node", service.root() + "/live"})
    founder->create({path, "", false, false}, [&](Outcome) { ++made; });
  run_until(service.loop(), [&] { return made == 3; });
  const auto none_lives = [&] {
    std::optional<bool> none;
    founder->children(service.root() + "/live", nullptr,
                      [&](Outcome, const std::vector<std::string>& all) { none = all.empty(); });
    run_until(service.loop(), [&] { return none.has_value(); });
    return *none;
  };
  std::mt19937 random(1);
  std::size_t ended_early = 0, cut = 0, lost = 0;

  for (std::size_t round = 0; round < rounds(); ++round) {
    Round now(service, service.port());
    // On a busy machine some expire before they are to, which ends them all the same. Some end
    // before they are connected, and some in the middle.
    for (std::size_t i = 0; i < kAtOnce / 4; ++i, ++ended_early) now.sessions[i]->end();
    run_until(service.loop(), [&] {
      return now.all([](const Busy& busy) { return busy.open() == 4 || busy.answered() > 3; });
    });
    run_until(service.loop(), [&] {
      for (std::size_t i = kAtOnce / 4; i < kAtOnce; ++i)
        if (now.sessions[i]->answered() < 20 + random() % 20 && now.sessions[i]->expired() == 0)
          return false;
      return true;
    });
    for (std::size_t i = kAtOnce / 4; i < kAtOnce / 2; ++i, ++ended_early) now.sessions[i]->end();
    std::vector<std::size_t> before;
    for (const auto& each : now.sessions) before.push_back(each->answered());

    now.relay.cut();
    run_until(service.loop(), [&] {
      for (std::size_t i = kAtOnce / 2; i < kAtOnce; ++i)
        if (now.sessions[i]->connected() < 2 && now.sessions[i]->expired() == 0) return false;
      return true;
    });
    cut += kAtOnce / 2;
    // Nothing is told of those that have ended.
    for (std::size_t i = 0; i < kAtOnce / 2; ++i) CHECK(now.sessions[i]->answered() == before[i]);

    // Until the service has given all of them up, and each has heard of it.
    const auto all_lost = [&] {
      for (std::size_t i = kAtOnce / 2; i < kAtOnce; ++i)
        if (now.sessions[i]->expired() != 1 || now.sessions[i]->open() > 0) return false;
      return true;
    };
    for (int tries = 0; !all_lost(); ++tries) {
      REQUIRE(tries < 10);
      now.relay.swallow(true);
      const auto least = std::chrono::steady_clock::now() + 2 * kShortSession;
      while (!none_lives() || std::chrono::steady_clock::now() < least)
        service.loop().run_one_for(std::chrono::milliseconds(50));
      now.relay.swallow(false);
      now.relay.cut();
      const auto heard = std::chrono::steady_clock::now() + 5 * kShortSession;
      run_until(service.loop(),
                [&] { return all_lost() || std::chrono::steady_clock::now() > heard; });
    }
    lost += kAtOnce / 2;
    for (const auto& each : now.sessions) CHECK(each->doubled() == 0);
    for (std::size_t i = kAtOnce / 2; i < kAtOnce; ++i) CHECK(now.sessions[i]->unknown() > 0);
    // They go in any order, expired as they are.
    std::shuffle(now.sessions.begin(), now.sessions.end(), random);
  }
  MESSAGE(ended_early << " ended while they were asked, " << cut << " cut off, " << lost
                      << " lost");
}
