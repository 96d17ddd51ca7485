// Where plans and their records are kept: a directory, or two databases; on real servers.
#include <chrono>
#include <memory>
#include <thread>

#include <doctest/doctest.h>

#include "reshard/database.hpp"
#include "reshard/records/database_plans.hpp"
#include "reshard/records/directory.hpp"
#include "tests/contract/postgres_client.hpp"
#include "tests/support/test_data.hpp"

using namespace reshard;
using backends::postgres::Session;
using test_support::FreshDatabase;

namespace {

/// Two databases, a configuration that names them, and a host's directory.
struct Kept {
  FreshDatabase source, target;
  test_support::TemporaryDirectory directory;

  [[nodiscard]] std::shared_ptr<DatabasePlans> databases() const {
    config::Config config;
    config.ring_location = "here";
    for (const auto& [pnode, database] :
         {std::pair("tcp://1", &source), std::pair("tcp://2", &target)}) {
      config::Shard shard;
      shard.pnode = pnode;
      shard.backend = config::Backend::postgres;
      shard.url = database->url();
      config.shards.push_back(shard);
    }
    return std::make_shared<DatabasePlans>(config, directory.path() / "cache", "");
  }
  [[nodiscard]] std::shared_ptr<Plans> plans(bool in_databases) const {
    if (in_databases) return databases();
    return std::make_shared<DirectoryPlans>(directory.path() / "plans");
  }
  [[nodiscard]] Plan plan() const {
    Plan plan;
    plan.number = 7;
    plan.token = "token";
    plan.ring_location = "here";
    plan.from = {"tcp://1", source.url(), source.url()};
    plan.to = {"tcp://2", target.url(), target.url()};
    plan.vnodes = ring::VnodeSet::parse("3-9,12");
    plan.gates = {"cutover"};
    return plan;
  }
};

State at(Act act) {
  State state;
  state.progress.act = act;
  return state;
}

/// A coordinator that has taken both sides.
struct Coordinator {
  explicit Coordinator(Journal& kept)
      : journal(kept), source(kept.plan(), Role::source), target(kept.plan(), Role::target) {}
  void take(Database& side) {
    side.take(false);
    journal.taken(side.role(), {&side.owner(), side.epoch()});
  }
  void take() {
    take(source);
    take(target);
  }
  [[nodiscard]] Tenure tenure(Role deciding = Role::source) {
    return {{&source.owner(), source.epoch()}, {&target.owner(), target.epoch()}, deciding};
  }
  Journal& journal;
  Database source, target;
};

}  // namespace

TEST_CASE("records: what is kept is found again, by another who looks at the same place") {
  const Kept kept;
  for (const bool in_databases : {false, true}) {
    CAPTURE(in_databases);
    CHECK(kept.plans(in_databases)->numbers().empty());
    CHECK_THROWS_AS(kept.plans(in_databases)->open(7), std::runtime_error);
    const Journal made = kept.plans(in_databases)->create(kept.plan());
    Journal journal = kept.plans(in_databases)->open(7);
    CHECK(journal.plan() == kept.plan());
    CHECK(kept.plans(in_databases)->numbers() == std::vector<std::uint64_t>{7});
    CHECK(made.read() == State());
    CHECK(made.history().empty());
    journal.record_first(at(Act::copy), "taken over");
    journal.record(at(Act::pump), "pump");
    CHECK(made.read() == at(Act::pump));
    CHECK(made.history().size() == 2);
  }
}

TEST_CASE("records: asks and options are seen, told from later ones, and taken back") {
  const Kept kept;
  for (const bool in_databases : {false, true}) {
    CAPTURE(in_databases);
    const Journal asks = kept.plans(in_databases)->create(kept.plan());
    Journal hears = kept.plans(in_databases)->open(7);
    CHECK_FALSE(hears.asked("pause"));
    asks.ask("pause");
    const auto first = hears.asked_at("pause");
    CHECK(first.has_value());
    CHECK_FALSE(hears.asked("finalize"));
    hears.unask("pause");
    CHECK_FALSE(asks.asked("pause"));
    asks.ask("pause");
    CHECK(hears.asked_at("pause") != first);
    CHECK(hears.settings().empty());
    Settings settings;
    settings.soak_seconds = 5;
    asks.set(settings);
    CHECK(hears.settings() == settings);
  }
}

TEST_CASE("records: a plan that begins with something has it whole, or is not there") {
  const Kept kept;
  for (const bool in_databases : {false, true}) {
    CAPTURE(in_databases);
    State begun = at(Act::take_over);
    begun.lock = kLockHeld;
    begun.lock_since = time_now();
    const Journal made = kept.plans(in_databases)->create(kept.plan(), Begun{begun, "begun"});
    CHECK(made.read() == begun);
    Plan other = kept.plan();
    other.token = "another";
    CHECK_THROWS_AS(kept.plans(in_databases)->create(other), std::runtime_error);
  }
}

TEST_CASE("records: a coordinator that was followed can't add one, whichever side it writes to") {
  const Kept kept;
  Journal first = kept.databases()->create(kept.plan()), second = kept.databases()->open(7);
  Coordinator stale(first);
  stale.take();
  first.record_first(at(Act::copy), "taken over", stale.tenure());
  for (const auto& url :
       {kept.source.url(), kept.target.url()}) {  // its sessions live on, as of one that is stopped
    Session session(url, "test");
    kept::set_epoch(session, kept.plan(), 9);
  }
  for (const Role deciding : {Role::source, Role::target})
    CHECK_THROWS_AS(first.record(at(Act::soak), "late", stale.tenure(deciding)), NotCoordinator);
  CHECK(second.read() == at(Act::copy));
}

TEST_CASE("records: what a failover takes from one side is there at the other, and comes back") {
  const Kept kept;
  Journal journal = kept.databases()->create(kept.plan());
  {
    Coordinator coordinator(journal);
    coordinator.take();
    journal.record_first(at(Act::copy), "taken over", coordinator.tenure());
    journal.record(at(Act::pump), "pump", coordinator.tenure());
    journal.ask("retry");
  }
  Session source(kept.source.url(), "test");
  source.run_all(
      "DELETE FROM moray_router.reshard_journal WHERE seq > 1; DELETE FROM "
      "moray_router.reshard_ask; DELETE FROM moray_router.reshard_definition");
  Journal next = kept.databases()->open(7);
  CHECK(next.read() == at(Act::pump));
  Coordinator coordinator(next);
  coordinator.take(coordinator.source);
  CHECK(kept::lines(source, kept.plan()).size() == 2);
  CHECK(kept::asks(source, kept.plan()).at("retry").asked);
  next.record(at(Act::verify), "",
              {{&coordinator.source.owner(), coordinator.source.epoch()}, {}, Role::source});
  CHECK(journal.read() == at(Act::verify));
}

TEST_CASE("records: while a coordinator is there nobody else adds one") {
  const Kept kept;
  Journal journal = kept.databases()->create(kept.plan()), other = kept.databases()->open(7);
  Coordinator coordinator(journal);
  coordinator.take();
  journal.record_first(at(Act::copy), "taken over", coordinator.tenure());
  CHECK_THROWS_AS(other.record_first(at(Act::finished), "taken back"), NotCoordinator);
  CHECK(other.read() == at(Act::copy));
}

TEST_CASE("records: what a coordinator asks of its watch is what people have asked") {
  const Kept kept;
  const Journal people = kept.databases()->create(kept.plan());
  people.ask("pause");
  Journal journal = kept.databases()->open(7);
  journal.carried_on();
  CHECK(journal.asked("pause"));
  journal.unask("pause");
  CHECK_FALSE(journal.asked("pause"));
  people.ask("finalize");
  while (!journal.asked("finalize")) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK_FALSE(journal.asked("pause"));
  journal.show(R"({"time":"2026-12-01T00:00:00.000Z","act":"soak","waitsFor":"that"})", "",
               Epochs{1, 1});
  while (people.shown().find("that") == std::string::npos)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  journal.show(R"({"time":"2026-12-01T00:00:01.000Z","act":"copy","waitsFor":""})", "",
               Epochs{0, 0});
  CHECK(people.shown().find("soak") != std::string::npos);
}

TEST_CASE("records: a shard that does not answer is named, and its plans are known by the other") {
  const Kept kept;
  static_cast<void>(kept.databases()->create(kept.plan()));
  config::Config config;
  for (const auto& [pnode, url] :
       {std::pair(std::string("tcp://1"), std::string("postgresql://127.0.0.1:1/none")),
        std::pair(std::string("tcp://2"), kept.target.url())}) {
    config::Shard shard;
    shard.pnode = pnode;
    shard.backend = config::Backend::postgres;
    shard.url = url;
    config.shards.push_back(shard);
  }
  const auto plans = std::make_shared<DatabasePlans>(config, kept.directory.path(), "");
  CHECK(plans->numbers() == std::vector<std::uint64_t>{7});
  REQUIRE(plans->unseen().size() == 1);
  CHECK(plans->unseen().front().starts_with("shard tcp://1: "));
  CHECK(plans->open(7).read() == State());
  CHECK_THROWS_WITH_AS(plans->open(8), doctest::Contains("shard tcp://1"), std::runtime_error);
}
