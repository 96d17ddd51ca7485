#include "reshard/journal.hpp"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "reshard/records/directory.hpp"
#include "tests/support/test_data.hpp"

using namespace reshard;

namespace {

Plan some_plan() {
  Plan plan;
  plan.number = 7;
  plan.token = make_token();
  plan.from = {"tcp://1", "postgresql://a/x", "postgresql://b/x"};
  plan.to = {"tcp://2", "postgresql://c/y", "postgresql://d/y"};
  plan.vnodes = ring::VnodeSet::parse("3-9,12");
  plan.gates = {"cutover"};
  plan.routers = {"/run/one.sock", "/run/two.sock"};
  plan.options.max_block_ms = 250;
  plan.options.cleanup = false;
  plan.hooks = {{"pre_lock", "true"}};
  plan.author = "somebody@somewhere";
  plan.made = time_now();
  return plan;
}

std::shared_ptr<DirectoryPlans> plans_at(const std::filesystem::path& directory) {
  return std::make_shared<DirectoryPlans>(directory);
}

Journal created(const std::filesystem::path& directory, const Plan& plan) {
  return plans_at(directory)->create(plan);
}

Journal opened(const std::filesystem::path& directory, std::uint64_t number = 7) {
  return plans_at(directory)->open(number);
}

/// What a coordinator has taken that is in these epochs; 0: not that side.
Tenure in_epochs(std::uint64_t source, std::uint64_t target) {
  return {{nullptr, source}, {nullptr, target}, Role::source};
}

State some_state() {
  State state;
  state.progress = {Act::copy, Act::make_schema, 3, true, false, true};
  state.identities = {{{"00000001", "1", "a:1"}, {"00000002", "2", "b:2"}}};
  state.copied = {{"manta", 12}};
  state.hooks_done = {{"pre_lock", true}};
  state.caches_until = time_in(1'000);
  state.stopped = "why";
  return state;
}

}  // namespace

TEST_CASE("plan: what is written is read") {
  Plan plan = some_plan();
  CHECK(plan_from_json(to_json_text(plan)) == plan);
  plan.dump_lock = {"/a/lock",
                    {"east", {"z1:2181", "z2:2181"}, "/etc/credentials", 4'000, 1, ""},
                    plan.token,
                    {},
                    60};
  CHECK(plan_from_json(to_json_text(plan)) == plan);
  plan.dump_lock->wait_seconds = 0;
  CHECK(plan_from_json(to_json_text(plan)) == plan);
  plan.fleet = {"east", {"z1:2181"}, "/etc/credentials", 4'000, 17, "http://images/{digest}"};
  CHECK(plan_from_json(to_json_text(plan)) == plan);
  // An older program's.
  auto json = nlohmann::json::parse(to_json_text(plan));
  for (const char* name : {"image_bytes_max", "image_url"}) json["fleet"].erase(name);
  plan.fleet->image_bytes_max = PlanFleet().image_bytes_max;
  plan.fleet->image_url.clear();
  CHECK(plan_from_json(json.dump()) == plan);
  CHECK_THROWS_WITH_AS(plan_from_json("{}"), doctest::Contains("not a plan"), std::runtime_error);
  CHECK_THROWS_AS(plan_from_json("no"), std::runtime_error);
}

TEST_CASE("plan: where its directory is there, it is read whole") {
  const test_support::TemporaryDirectory directory;
  Plan plan = some_plan();
  std::atomic<std::uint64_t> made{0};  // that is looked for
  std::atomic<bool> over{false};
  std::string problem;
  std::thread reader([&] {
    while (!over) {
      const std::uint64_t number = made;
      if (!std::filesystem::exists(directory.path() / std::to_string(number))) continue;
      try {
        static_cast<void>(opened(directory.path(), number).plan());
      } catch (const std::exception& error) {
        problem = error.what();
      }
    }
  });
  for (plan.number = 1; plan.number <= 300; ++plan.number) {
    made = plan.number;
    static_cast<void>(created(directory.path(), plan));
  }
  over = true;
  reader.join();
  CHECK(problem == "");
  plan.number = 300;
  CHECK_THROWS_WITH_AS(static_cast<void>(created(directory.path(), plan)),
                       doctest::Contains("is there already"), std::runtime_error);
}

TEST_CASE("plan: the way back goes the other way, under its own name") {
  Plan plan = some_plan();
  plan.dump_lock.emplace().token = plan.token;
  const Plan back = reverse_of(plan, 8);
  CHECK(back.dump_lock == plan.dump_lock);  // one lock for both
  CHECK(back.from == plan.to);
  CHECK(back.to == plan.from);
  CHECK(back.vnodes == plan.vnodes);
  CHECK(back.reverts == 7);
  CHECK(back.gates.empty());
  CHECK(back.token != plan.token);
}

TEST_CASE("journal: one that was replaced and does not know it is not read") {
  const test_support::TemporaryDirectory directory;
  Journal older = created(directory.path(), some_plan());
  Journal newer = opened(directory.path());
  State state;
  state.progress.act = Act::copy;
  older.record_first(state, "taken over");
  state.progress.act = Act::bind;
  newer.record_first(state, "taken over");
  State stale;
  stale.progress.act = Act::soak;
  older.record(stale, "woken");
  CHECK(newer.read() == state);
  CHECK(newer.history().size() == 3);
  state.progress.act = Act::prepare;
  newer.record(state, "");
  CHECK(older.read() == state);
}

TEST_CASE("journal: a first record of one that was stopped before it, and followed, is not read") {
  const test_support::TemporaryDirectory directory;
  Journal older = created(directory.path(), some_plan());
  Journal newer = opened(directory.path()), last = opened(directory.path());
  State state;
  state.progress.act = Act::bind;
  newer.record_first(state, "taken over", in_epochs(6, 3));
  State stale;
  stale.progress.act = Act::copy;
  older.record_first(stale, "taken over", in_epochs(5, 0));
  older.record(stale, "woken");
  CHECK(newer.read() == state);
  state.progress.act = Act::soak;
  last.record_first(state, "taken over", in_epochs(0, 4));
  older.record_first(stale, "taken over", in_epochs(0, 3));
  CHECK(newer.read() == state);
  state.progress.act = Act::finalize;
  older.record_first(state, "taken over again", in_epochs(0, 5));
  CHECK(newer.read() == state);
}

TEST_CASE("journal: where the first record can't be written, the next one is the first") {
  const test_support::TemporaryDirectory directory;
  Journal one = created(directory.path(), some_plan()), two = opened(directory.path());
  State state;
  one.record_first(state, "taken over", in_epochs(1, 0));
  const auto away = directory.path() / "away";
  std::filesystem::rename(directory.path() / "7", away);
  state.progress.act = Act::copy;
  CHECK_THROWS_AS(two.record_first(state, "taken over", in_epochs(2, 0)), std::system_error);
  CHECK_THROWS_AS(two.record(state, "copy"), std::system_error);
  CHECK_THROWS_WITH_AS(two.read(), doctest::Contains("can't be read"), std::runtime_error);
  std::filesystem::rename(away, directory.path() / "7");
  two.record(state, "copy");
  one.record(State(), "woken");
  CHECK(one.read() == state);
}

TEST_CASE("journal: what another version wrote, and this one can't go on from, is refused") {
  const test_support::TemporaryDirectory directory;
  const Journal journal = created(directory.path(), some_plan());
  std::ofstream(directory.path() / "7" / "journal.jsonl")
      << R"({"time":"2026-01-01T00:00:00.000Z","state":{"act":"brew"}})"
      << "\n";
  CHECK_THROWS_WITH_AS(journal.read(), doctest::Contains("another version of the program"),
                       std::runtime_error);
}

TEST_CASE("journal: only the coordinator shows what it does") {
  const test_support::TemporaryDirectory directory;
  Journal stale = created(directory.path(), some_plan()), now = opened(directory.path()),
          waiting = opened(directory.path());
  const std::string by_stale = R"({"time":")" + time_now() + R"(","act":"copy"})",
                    by_now = R"({"time":")" + time_now() + R"(","act":"soak"})",
                    by_waiting = R"({"time":")" + time_now() + R"(","act":"take_over"})";
  waiting.show(by_waiting, "", std::nullopt);
  CHECK(now.shown().find("take_over") != std::string::npos);
  stale.show(by_stale, "stale", Epochs{1, 1});
  now.show(by_now, "now", Epochs{0, 2});
  stale.show(by_stale, "stale", Epochs{1, 1});
  waiting.show(by_waiting, "waiting", std::nullopt);
  CHECK(now.shown().find("soak") != std::string::npos);
  std::string metrics;
  std::ifstream(directory.path() / "7" / "metrics.prom") >> metrics;
  CHECK(metrics == "now");
}

TEST_CASE("journal: the last whole record counts; one that a crash cut off does not") {
  const test_support::TemporaryDirectory directory;
  Journal journal = created(directory.path(), some_plan());
  CHECK(journal.read() == State());
  State state = some_state();
  journal.record(state, "first");
  CHECK(opened(directory.path()).read() == state);
  {
    std::ofstream file(directory.path() / "7" / "journal.jsonl", std::ios::app);
    file << R"({"time":"2026-01-01T00:00:00.000Z","by":"x","st)";
  }
  CHECK(journal.read() == state);
  state.progress.act = Act::pump;
  journal.record(state, "second");
  CHECK(journal.read() == state);
  CHECK(journal.history().size() == 3);
  CHECK(plans_at(directory.path())->numbers() == std::vector<std::uint64_t>{7});
  CHECK_THROWS_WITH_AS(created(directory.path(), some_plan()),
                       doctest::Contains("is there already"), std::runtime_error);
}

TEST_CASE("journal: a plan that takes another back begins without a copy") {
  const test_support::TemporaryDirectory directory;
  const Journal journal = created(directory.path(), reverse_of(some_plan(), 8));
  CHECK(journal.read().progress == rollback());
}

TEST_CASE("journal: what is asked for is seen, until it is taken back") {
  const test_support::TemporaryDirectory directory;
  const Journal journal = created(directory.path(), some_plan());
  CHECK_FALSE(journal.asked("pause"));
  journal.ask("pause");
  CHECK(journal.asked("pause"));
  CHECK_FALSE(journal.asked("finalize"));
  journal.unask("pause");
  CHECK_FALSE(journal.asked("pause"));
}

TEST_CASE("time: texts compare as times do") {
  CHECK(time_now() < time_in(50));
  CHECK(time_in(1'000) < time_in(100'000));
  using std::chrono::milliseconds;
  CHECK(time_until(time_in(3'600'500)) <= milliseconds(3'600'500));
  CHECK(time_until(time_in(3'600'500)) > milliseconds(3'590'000));
  CHECK(time_until("1970-01-02T00:00:00.000Z") < milliseconds(0));
  CHECK_THROWS_AS(time_until("soon"), std::runtime_error);
  CHECK(time_now().size() == 24);
}

TEST_CASE("acts: each has a name of its own") {
  for (int i = 0; i <= static_cast<int>(Act::aborted); ++i)
    CHECK(act_named(to_string(static_cast<Act>(i))) == static_cast<Act>(i));
  CHECK(act_named("nothing") == std::nullopt);
}
