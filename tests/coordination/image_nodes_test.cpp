// Images in the service's nodes, which several write, read and tidy at the same time.
#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "fleet/images/chunks.hpp"
#include "fleet/protocol/state.hpp"
#include "fleet/service/found.hpp"
#include "fleet/service/image_nodes.hpp"
#include "tests/coordination/services.hpp"

using namespace fleet;
using namespace services;
using coordination::Outcome;

namespace {

constexpr std::int64_t kHour = 3'600;

std::string bytes_of(std::size_t size, char seed) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(seed + i * 31 + i / 251);
  return bytes;
}

/// A service whose answers come in any order, that of a seed: each step takes one.
class Shuffled {
 public:
  explicit Shuffled(std::uint32_t seed) : random_(seed) {
    auto founder = session();
    founder->create({Paths::parent(), "", false, false}, [](Outcome) {});
    founder->transact(founding(paths, {1, "A"}), [](Outcome, std::size_t) {});
    settle();
  }
  std::unique_ptr<Session> session() { return store_.connect(); }
  /// False: nobody waits for anything.
  bool step() {
    if (calls_.empty()) return false;
    std::swap(calls_[below(calls_.size())], calls_.back());
    const auto call = std::move(calls_.back());
    calls_.pop_back();
    call();
    return true;
  }
  void settle() {
    while (step()) {
    }
  }
  std::size_t below(std::size_t count) { return random_() % count; }

  const Paths paths{"f"};

 private:
  std::mt19937 random_;
  std::vector<std::function<void()>> calls_;
  MemoryStore store_{[this](std::function<void()> call) { calls_.push_back(std::move(call)); }};
};

ImageTidying tidying(std::int64_t now, std::set<std::string> needed = {}) {
  return {
      0,
      [needed = std::move(needed)](const std::string& digest) { return needed.contains(digest); },
      now, [] {}};
}

}  // namespace

TEST_CASE_TEMPLATE("images: put, read, and gone an hour after nobody needs them", Service, InMemory,
                   OfZooKeeper) {
  Service service;
  auto session = service.connect();
  run_until(service.loop(), [&] { return session->state() == Session::State::connected; });
  const Paths paths(service.root().substr(1));
  bool made = false;
  session->create({Paths::parent(), "", false, false}, [](Outcome) {});
  session->transact(founding(paths, {1, "A"}), [&](Outcome, std::size_t) { made = true; });
  run_until(service.loop(), [&] { return made; });
  const auto put = [&](const std::string& digest, const std::string& bytes, std::int64_t now) {
    std::optional<ImageOutcome> done;
    put_image(*session, paths, digest, bytes, now, false,
              [&](ImageOutcome outcome) { done = outcome; });
    run_until(service.loop(), [&] { return done.has_value(); });
    return done->outcome;
  };
  const auto get = [&](const std::string& digest) {
    std::optional<ImageOutcome> got;
    get_image(*session, paths, digest, [&](ImageOutcome outcome) { got = outcome; });
    run_until(service.loop(), [&] { return got.has_value(); });
    return *got;
  };
  const auto tidy = [&](std::int64_t now, std::set<std::string> needed) {
    bool done = false;
    ImageTidying what = tidying(now, std::move(needed));
    what.done = [&] { done = true; };
    tidy_images(*session, paths, std::move(what));
    run_until(service.loop(), [&] { return done; });
  };

  CHECK(get("a").outcome == Outcome::no_node);
  const std::string large = bytes_of(6 * kChunkBytes + 7, 'x'), small = bytes_of(3, 'y');
  CHECK(put("a", large, 1000) == Outcome::done);
  CHECK(put("b", small, 1000) == Outcome::done);
  CHECK(put("c", small, 1000 + kHour) == Outcome::done);
  CHECK(get("a").bytes == large);
  CHECK(get("b").bytes == small);
  CHECK(put("a", large, 2000) == Outcome::done);  // it is asked for again: the hour begins anew
  tidy(1000 + kHour + 1, {});
  CHECK(get("a").bytes == large);
  CHECK(get("b").outcome == Outcome::no_node);
  tidy(2000 + 3 * kHour, {"a"});
  CHECK(get("a").bytes == large);
  CHECK(get("c").outcome == Outcome::no_node);
  tidy(2000 + 3 * kHour, {});
  CHECK(get("a").outcome == Outcome::no_node);
  const auto left = [&] {
    std::optional<std::size_t> count;
    session->children(paths.images(), nullptr,
                      [&](Outcome, const std::vector<std::string>& all) { count = all.size(); });
    run_until(service.loop(), [&] { return count.has_value(); });
    return *count;
  };
  CHECK(left() == 2);  // nodes, for another hour
  tidy(2000 + 5 * kHour, {});
  CHECK(left() == 0);
  CHECK(put("a", large, 1) == Outcome::done);
  CHECK(get("a").bytes == large);
}

TEST_CASE("images: what somebody has removed or changed by hand is not taken for the image") {
  Shuffled service(1);
  auto session = service.session();
  const std::string bytes = bytes_of(2 * kChunkBytes, 'z');
  const Header header = chunked(bytes).header;
  const std::string second = service.paths.image("d") + "/" + chunk_name(header, 1);
  std::optional<ImageOutcome> got;
  const auto get = [&] {
    got.reset();
    get_image(*session, service.paths, "d", [&](ImageOutcome outcome) { got = outcome; });
    service.settle();
    return got->outcome;
  };
  const auto put = [&](bool anew) {
    put_image(*session, service.paths, "d", bytes, 1, anew,
              [&](ImageOutcome outcome) { got = outcome; });
    service.settle();
    return got->outcome;
  };
  CHECK(put(false) == Outcome::done);
  session->remove({second, coordination::kAnyVersion}, [](Outcome) {});
  CHECK(get() == Outcome::no_node);
  CHECK(put(false) == Outcome::done);
  CHECK(get() == Outcome::done);
  session->set({second, "other bytes", coordination::kAnyVersion}, [](Outcome) {});
  CHECK(get() == Outcome::refused);
  CHECK(put(true) == Outcome::done);
  CHECK(get() == Outcome::done);
  CHECK(got->bytes == bytes);
}

TEST_CASE("images: a header never tells of chunks that are not there, whoever works on it") {
  int read = 0, missing = 0, written = 0;
  for (std::uint32_t seed = 0; seed < 3'000; ++seed) {
    CAPTURE(seed);
    Shuffled service(seed);
    const std::string bytes = bytes_of(3 * kChunkBytes + 1, static_cast<char>('a' + seed % 7));
    std::vector<std::unique_ptr<Session>> sessions;
    std::vector<ImageOutcome> puts;
    // One that was there before is old enough to go; each of those that write now says it is new.
    auto first = service.session();
    put_image(*first, service.paths, "d", bytes, 1, false, [](const ImageOutcome&) {});
    if (service.below(2) == 0) service.settle();
    for (int i = 0; i < 6; ++i) {
      for (std::size_t steps = service.below(30); steps > 0; --steps) service.step();
      sessions.push_back(service.session());
      Session& session = *sessions.back();
      switch (service.below(4)) {
        case 0:
          put_image(session, service.paths, "d", bytes, 10 * kHour, false,
                    [&](ImageOutcome outcome) { puts.push_back(std::move(outcome)); });
          break;
        case 1: tidy_images(session, service.paths, tidying(10 * kHour)); break;
        case 2:
          get_image(session, service.paths, "d", [&](const ImageOutcome& got) {
            const bool whole = got.outcome == Outcome::done && got.bytes == bytes;
            CHECK((whole || got.outcome == Outcome::no_node));
            ++(whole ? read : missing);
          });
          break;
        case 3:  // a process that dies in the middle
          if (sessions.size() > 1) sessions.erase(sessions.begin());
          break;
      }
    }
    service.settle();
    for (const ImageOutcome& put : puts) CHECK(put.outcome == Outcome::done);
    written += static_cast<int>(puts.size());
    // What was put by a process that lived is there, and stays for its hour.
    auto last = service.session();
    if (!puts.empty()) {
      tidy_images(*last, service.paths, tidying(10 * kHour + kHour / 2));
      service.settle();
      std::optional<ImageOutcome> got;
      get_image(*last, service.paths, "d", [&](ImageOutcome outcome) { got = std::move(outcome); });
      service.settle();
      REQUIRE(got.has_value());
      CHECK(got->outcome == Outcome::done);
    }
  }
  CHECK(read > 500);
  CHECK(missing > 500);
  CHECK(written > 1'000);
}
