// Members and coordinators over a service: in memory, and ZooKeeper's.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/post.hpp>

#include "fleet/agent/coordinator_agent.hpp"
#include "fleet/agent/member_agent.hpp"
#include "fleet/service/found.hpp"
#include "tests/coordination/services.hpp"

using namespace fleet;
using namespace services;
using coordination::Outcome;

namespace {

std::chrono::nanoseconds steady() { return std::chrono::steady_clock::now().time_since_epoch(); }

/// A router's disk and ring, which outlive its processes.
class Router final : public MemberHost {
 public:
  explicit Router(boost::asio::io_context& loop) : loop_(loop) { disk.ring = {1, "A"}; }

  void carry_out(const Work& work, Done done) override {
    boost::asio::post(loop_, [this, work, done = std::move(done), of = process] {
      if (of != process) return;  // it ended before
      if (const auto* stage = std::get_if<work::Stage>(&work); stage && !refuses.empty())
        return done(refuses, true);
      put(work);
      done("", false);
    });
  }
  void await_drain(std::function<void(std::uint64_t)> drained) override {
    boost::asio::post(loop_, [drained = std::move(drained)] { drained(0); });
  }
  void ask_row(const RowQuestion&, std::function<void(RowSays)> said) override {
    boost::asio::post(loop_, [said = std::move(said)] { said(RowSays::nothing); });
  }
  void follow(Member& member) override {
    listens = member.listens(steady());
    open = member.door(steady()) == Door{} && member.blocks().empty();
  }
  void session(coordination::Session*) override {}
  void tell(const std::string& problem) override { problems.push_back(problem); }

  OnDisk disk;
  bool listens = false, open = false;
  std::string refuses;
  int process = 0;
  std::vector<std::string> problems;

 private:
  void put(const Work& work) {
    if (const auto* membership = std::get_if<work::KeepMembership>(&work))
      disk.membership = membership->membership;
    else if (std::holds_alternative<work::DropMembership>(work))
      disk.membership.reset();
    else if (const auto* record = std::get_if<work::KeepRecord>(&work))
      disk.record = record->record;
    else if (std::holds_alternative<work::DropRecord>(work))
      disk.record.reset();
    else if (const auto* blocks = std::get_if<work::KeepBlocks>(&work))
      disk.blocks = blocks->blocks;
    else if (const auto* activated = std::get_if<work::Activate>(&work))
      disk.ring = activated->ring;
    else if (const auto* taken = std::get_if<work::Take>(&work))
      disk.ring = taken->ring;
  }
  boost::asio::io_context& loop_;
};

/// A fleet in one thread.
template <typename Service>
class Fleet {
 public:
  explicit Fleet(int members) {
    std::optional<Outcome> made;
    auto founder = service_.connect();
    wait([&] { return founder->state() == coordination::Session::State::connected; });
    founder->create({"/moray-router", "", false, false}, [&](Outcome) {});
    founder->transact(founding(paths_, {1, "A"}),
                      [&](Outcome outcome, std::size_t) { made = outcome; });
    wait([&] { return made.has_value(); });
    REQUIRE(*made == Outcome::done);
    for (int i = 0; i < members; ++i) {
      routers_.push_back(std::make_unique<Router>(service_.loop()));
      agents_.emplace_back();
      start(i);
    }
    wait([&] { return all_serve(); });
  }

  void start(int index) {
    MemberOptions options;
    options.id = "m" + std::to_string(index);
    options.incarnation = options.id + "." + std::to_string(++processes_);
    options.session = std::chrono::milliseconds(10'000);
    Router& router = *routers_[index];
    ++router.process;
    agents_[index] = std::make_unique<MemberAgent>(service_.loop(), session(), paths_, options,
                                                   router.disk, router, steady);
    agents_[index]->start();
  }
  void kill(int index) {
    ++routers_[index]->process;
    routers_[index]->listens = false;
    agents_[index].reset();
  }

  Ending run(Intent intent) {
    std::optional<Ending> ended;
    if (auto* publish = std::get_if<intent::Publish>(&intent)) publish->base = ring_;
    CoordinatorOptions options;
    options.token = token_ = "t" + std::to_string(++tokens_);
    options.lease = std::chrono::milliseconds(3'000);
    CoordinatorAgent agent(
        service_.loop(), session(), paths_, options, intent,
        {[&](Ending ending) { ended = std::move(ending); }, [](const std::string&) {}}, steady);
    agent.start();
    wait([&] {
      if (during_) during_();
      return ended.has_value();
    });
    if (const auto* publish = std::get_if<intent::Publish>(&intent);
        publish && ended->kind == Ending::Kind::committed)
      ring_ = publish->digest;
    return *ended;
  }
  /// Called again and again while a coordinator works.
  void during(std::function<void()> what) { during_ = std::move(what); }

  [[nodiscard]] bool all_serve(const std::string& digest = "A") const {
    return std::all_of(routers_.begin(), routers_.end(), [&](const auto& router) {
      return router->listens && router->open && router->disk.ring.digest == digest &&
             !router->disk.record;
    });
  }
  template <typename There>
  void wait(There there) {
    run_until(service_.loop(), there);
  }
  Service& service() { return service_; }
  Router& router(int index) { return *routers_[index]; }
  MemberAgent& agent(int index) { return *agents_[index]; }
  [[nodiscard]] int size() const { return static_cast<int>(routers_.size()); }
  [[nodiscard]] const std::string& token() const { return token_; }

 private:
  MakeSession session() {
    return [this] {
      auto made = service_.connect();
      service_.known(*made);
      return made;
    };
  }

  Service service_;
  Paths paths_{service_.root().substr(1)};
  std::vector<std::unique_ptr<Router>> routers_;
  std::vector<std::unique_ptr<MemberAgent>> agents_;
  std::function<void()> during_;
  std::string token_, ring_ = "A";
  int processes_ = 0, tokens_ = 0;
};

}  // namespace

TEST_CASE_TEMPLATE("fleet: rings, blocks and data reach all members, or none", Service, InMemory,
                   OfZooKeeper) {
  Fleet<Service> fleet(5);
  for (const std::string digest : {"B", "A", "B"}) {
    CHECK(fleet.run(intent::Publish{digest, true, ""}).kind == Ending::Kind::committed);
    fleet.wait([&] { return fleet.all_serve(digest); });
  }
  CHECK(fleet.run(intent::Publish{"C", false, ""}).kind == Ending::Kind::committed);
  fleet.wait([&] { return fleet.all_serve("C"); });
  CHECK(fleet.router(0).disk.ring.generation == 5);

  CHECK(fleet.run(intent::Block{"v", true}).kind == Ending::Kind::committed);
  const std::string block = fleet.token();
  for (int i = 0; i < fleet.size(); ++i) CHECK_FALSE(fleet.router(i).open);
  CHECK(fleet.run(intent::Publish{"A", true, ""}).kind == Ending::Kind::committed);
  CHECK(fleet.run(intent::Unblock{block}).kind == Ending::Kind::committed);
  fleet.wait([&] { return fleet.all_serve("A"); });

  fleet.router(3).refuses = "no shard \"x\"";
  const Ending refused = fleet.run(intent::Publish{"B", true, ""});
  CHECK(refused.kind == Ending::Kind::abandoned);
  CHECK(refused.why == "m3: no shard \"x\"");
  fleet.wait([&] { return fleet.all_serve("A"); });
}

TEST_CASE_TEMPLATE("fleet: a member comes back where it was, leaves, and joins again", Service,
                   InMemory, OfZooKeeper) {
  Fleet<Service> fleet(3);
  fleet.kill(1);
  fleet.start(1);
  fleet.wait([&] { return fleet.all_serve(); });
  CHECK(fleet.run(intent::Publish{"B", true, ""}).kind == Ending::Kind::committed);
  fleet.agent(2).leave();
  fleet.wait([&] { return fleet.agent(2).member().has_left(); });
  CHECK_FALSE(fleet.router(2).disk.membership);
  fleet.kill(2);
  CHECK(fleet.run(intent::Publish{"A", true, ""}).kind ==
        Ending::Kind::committed);  // nobody waits for it
  fleet.start(2);
  fleet.wait([&] { return fleet.all_serve("A"); });
  CHECK(fleet.router(2).disk.ring.generation == 3);
}

TEST_CASE_TEMPLATE("fleet: processes end and connections are lost in the middle of changes",
                   Service, InMemory, OfZooKeeper) {
  Fleet<Service> fleet(4);
  std::string ring = "A";
  int committed = 0, disturbed = 0;
  for (int round = 0; round < 12; ++round) {
    int turns = 0;
    bool away = false;
    fleet.during([&] {
      ++turns;
      if (turns == 3 + round * 5) {
        if (round % 3 == 0) fleet.kill(round % 4), fleet.start(round % 4);
        if (round % 3 == 1) fleet.service().cut(), away = true;
        if (round % 3 != 2) ++disturbed;
      } else if (away && turns == 3 + round * 5 + 20) {
        fleet.service().restore();
        away = false;
      }
    });
    const std::string next = ring == "A" ? "B" : "A";
    const Ending ending = fleet.run(intent::Publish{next, true, ""});
    fleet.during(nullptr);
    if (away) fleet.service().restore();
    CAPTURE(ending.why);
    CHECK((ending.kind == Ending::Kind::committed || ending.kind == Ending::Kind::abandoned));
    if (ending.kind == Ending::Kind::committed) ring = next, ++committed;
    fleet.wait([&] { return fleet.all_serve(ring); });
  }
  CHECK(committed >= 4);
  CHECK(disturbed >= 6);
}

TEST_CASE("fleet: sessions expire in the middle of changes") {
  Fleet<InMemory> fleet(4);
  std::string ring = "A";
  int expired = 0;
  for (int round = 0; round < 4; ++round) {
    int turns = 0;
    fleet.during([&] {
      if (++turns != 3 + round * 22) return;
      fleet.service().expire();
      ++expired;
    });
    const std::string next = ring == "A" ? "B" : "A";
    const Ending ending = fleet.run(intent::Publish{next, true, ""});
    fleet.during(nullptr);
    CAPTURE(ending.why);
    CHECK((ending.kind == Ending::Kind::committed || ending.kind == Ending::Kind::abandoned));
    if (ending.kind == Ending::Kind::committed) ring = next;
    fleet.wait([&] { return fleet.all_serve(ring); });
  }
  CHECK(expired >= 2);
  for (int i = 0; i < fleet.size(); ++i) CHECK(fleet.agent(i).sessions_expired() >= 2);
}
