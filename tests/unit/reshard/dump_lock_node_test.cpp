// Over a service in memory, whose sessions lose answers, are cut off and end.
#include "reshard/dump_lock_node.hpp"

#include <doctest/doctest.h>

#include <boost/asio/post.hpp>

#include "coordination/memory_store.hpp"
#include "reshard/database.hpp"

using namespace reshard;
using coordination::MemoryStore;
using coordination::Session;

namespace {

constexpr std::chrono::seconds kLimit{60};
constexpr std::chrono::milliseconds kShort{30};
constexpr const char* kPath = "/pg_dump_lock";
constexpr std::int64_t kThen = 1'764'583'200'000;

struct Site {
  std::unique_ptr<DumpLock> plan(const std::string& token, const std::string& path = kPath) {
    return std::make_unique<DumpLock>(
        loop, LockClaim{path, "east", 1, token, "moray@here", ""},
        [this]() -> std::unique_ptr<Session> {
          auto session = store.connect();
          sessions.push_back(session->id());
          return session;
        },
        "memory");
  }
  [[nodiscard]] bool there() const { return store.nodes().contains(kPath); }
  [[nodiscard]] std::string value() const { return store.nodes().at(kPath).value; }
  /// By somebody else.
  void put(const std::string& value) {
    store.connect()->create({kPath, value, false, false}, [](auto) {});
  }
  void drop() {
    store.connect()->remove({kPath, coordination::kAnyVersion}, [](auto) {});
  }

  boost::asio::io_context loop;
  MemoryStore store{
      [this](std::function<void()> call) { boost::asio::post(loop, std::move(call)); }};
  std::vector<std::int64_t> sessions;  ///< that plans have had
};

/// `act` before the first write, and nothing before others.
std::function<void()> once(std::function<void()> act) {
  return [act = std::move(act), done = false]() mutable {
    if (!std::exchange(done, true)) act();
  };
}
void nothing() {}

}  // namespace

TEST_CASE("dump lock: taken, known again by its plan's next coordinator, given back once") {
  Site site;
  auto lock = site.plan("t1");
  CHECK_FALSE(lock->look(kLimit));
  CHECK_FALSE(site.there());
  CHECK_FALSE(lock->take(kLimit, nothing));
  lock.reset();
  CHECK(site.there());  // it outlives the session that has taken it
  const auto next = site.plan("t1");
  CHECK_FALSE(next->take(kLimit, [] { FAIL("it was taken once more"); }));
  CHECK(next->give_back(kLimit));
  CHECK_FALSE(site.there());
  CHECK_FALSE(next->give_back(kLimit));
}

TEST_CASE("dump lock: another's is told with its age, never changed, and taken when it is gone") {
  Site site;
  site.store.time_is(kThen);
  const auto lock = site.plan("t1");
  site.put("mola");
  const auto others = lock->take(kLimit, [] { FAIL("nothing may be written"); });
  REQUIRE(others);
  CHECK(others->who == "/pg_dump_lock is there since 2025-12-01T10:00:00.000Z and says mola");
  CHECK(others->created_ms == kThen);
  CHECK(lock->look(kLimit) == others);
  CHECK_FALSE(lock->give_back(kLimit));
  CHECK(site.value() == "mola");
  site.drop();
  CHECK_FALSE(lock->take(kLimit, nothing));
  CHECK(site.there());
}

TEST_CASE("dump lock: an answer that is lost is looked for, whether the write was done or not") {
  for (const bool done : {true, false}) {
    CAPTURE(done);
    Site site;
    const auto one = site.plan("t1"), two = site.plan("t2");
    const auto lose = [&](std::size_t plan) {
      return once([&, plan] { site.store.lose_answer(site.sessions.at(plan), done); });
    };
    CHECK_FALSE(one->take(kLimit, lose(0)));
    const std::string alone = site.value();
    CHECK_FALSE(two->take(kLimit, lose(1)));
    CHECK(site.value().size() > alone.size());
    site.store.lose_answer(site.sessions[1], done);
    CHECK(two->give_back(kLimit));
    CHECK(site.value() == alone);
    site.store.lose_answer(site.sessions[0], done);
    CHECK(one->give_back(kLimit));
    CHECK_FALSE(site.there());
  }
}

TEST_CASE("dump lock: an answer that is lost may have been another's to hear") {
  Site site;
  const auto lock = site.plan("t1");
  // Not done, and somebody else was quicker meanwhile.
  const auto lose = once([&] {
    site.store.lose_answer(site.sessions.at(0), false);
    site.put("mola");
  });
  CHECK(lock->take(kLimit, lose));
  CHECK_FALSE(lock->give_back(kLimit));
  CHECK(site.value() == "mola");
}

TEST_CASE("dump lock: a session writes before it is believed, and again after a lost answer") {
  Site site;
  site.put("mola");
  const auto writes = site.store.writes();
  const auto lock = site.plan("t1");
  CHECK(lock->look(kLimit));
  CHECK(site.store.writes() == writes + 1);  // a check, which changes nothing
  CHECK(lock->look(kLimit));
  CHECK(site.store.writes() == writes + 1);
  site.store.expire(site.sessions.at(0));
  CHECK(lock->look(kLimit));
  CHECK(site.store.writes() == writes + 2);
  site.drop();
  // Done, and looked for after a check.
  CHECK_FALSE(lock->take(kLimit, once([&] { site.store.lose_answer(site.sessions.at(1), true); })));
  CHECK(site.store.writes() == writes + 5);
}

TEST_CASE("dump lock: a session that ends is followed by another one") {
  Site site;
  const auto lock = site.plan("t1");
  CHECK_FALSE(lock->take(kLimit, once([&] { site.store.expire(site.sessions.at(0)); })));
  CHECK(site.there());
  CHECK(site.sessions.size() == 2);
  site.store.expire(site.sessions[1]);
  CHECK(lock->give_back(kLimit));
  CHECK_FALSE(site.there());
}

TEST_CASE("dump lock: while the connection is away it is waited for, by the same session") {
  Site site;
  const auto lock = site.plan("t1");
  const auto cut = once([&] { site.store.cut(site.sessions.at(0)); });
  CHECK_THROWS_WITH_AS(lock->take(kShort, cut), "the site's lock: memory does not answer", Waiting);
  CHECK_THROWS_AS(lock->give_back(kShort), Waiting);
  site.store.reconnect(site.sessions.at(0));
  CHECK_FALSE(lock->take(kLimit, nothing));
  CHECK(site.there());
  CHECK(site.sessions.size() == 1);
}

TEST_CASE("dump lock: two at once, and each is in it: a version that differs is read again") {
  Site site;
  const auto one = site.plan("t1"), two = site.plan("t2"), three = site.plan("t3");
  // The other creates it between a plan's look and its own create; a third joins likewise.
  CHECK_FALSE(one->take(kLimit, once([&] { CHECK_FALSE(two->take(kLimit, nothing)); })));
  const auto joins = once([&] { CHECK(two->give_back(kLimit)); });
  CHECK_FALSE(three->take(kLimit, joins));
  CHECK(site.value().find("t1") != std::string::npos);
  CHECK(site.value().find("t2") == std::string::npos);
  CHECK(site.value().find("t3") != std::string::npos);
  CHECK(one->give_back(kLimit));
  // The last one removes it while another is about to join.
  CHECK_FALSE(two->take(kLimit, once([&] { CHECK(three->give_back(kLimit)); })));
  CHECK(two->give_back(kLimit));
  CHECK_FALSE(site.there());
}

TEST_CASE("dump lock: a path without a node above it stops the plan") {
  Site site;
  CHECK_THROWS_WITH_AS(site.plan("t1", "/no/lock")->take(kLimit, nothing),
                       "the site's lock: the node above /no/lock is not there", Stuck);
  CHECK_FALSE(site.plan("t1", "/no/lock")->give_back(kLimit));
}
