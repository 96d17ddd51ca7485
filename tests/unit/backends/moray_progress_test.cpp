// When a connection to a moray counts as silent: looks and times made up.
#include "backends/moray/progress.hpp"

#include <doctest/doctest.h>

using namespace backends::moray;
using namespace std::chrono_literals;

namespace {

struct Watched {
  /// A look each second, so many times.
  void look(int times = 1) {
    for (int i = 0; i < times; ++i) progress.look(sight, now += 1s);
  }

  ProgressOptions options;
  Progress progress{options};
  Progress::Time now{};
  Sight sight;
};

Watched awaiting_answers() {
  Watched watched;
  watched.sight.answers_due = true;
  watched.look();
  return watched;
}

}  // namespace

TEST_CASE("moray progress: nothing due is no silence, however long") {
  Watched watched;
  watched.look(1'000);
  CHECK_FALSE(watched.progress.suspect());
  CHECK(watched.progress.problem().empty());
  watched.sight.answers_due = true;
  watched.look(5);  // the first of them may have been right after it was sent
  CHECK_FALSE(watched.progress.suspect());
}

TEST_CASE("moray progress: answers due and none is suspect, then hopeless; one answer ends it") {
  Watched watched = awaiting_answers();
  watched.look(4);
  CHECK_FALSE(watched.progress.suspect());
  watched.look(1);
  CHECK(watched.progress.suspect());
  CHECK(watched.progress.problem() == "no answer for 5 s");
  watched.look(24);
  CHECK_FALSE(watched.progress.hopeless());
  watched.look(1);
  CHECK(watched.progress.hopeless());
  ++watched.sight.answers;
  watched.look();
  CHECK_FALSE(watched.progress.suspect());
  CHECK_FALSE(watched.progress.hopeless());
}

TEST_CASE("moray progress: a part of an answer counts by its rate, not by a byte") {
  Watched trickle = awaiting_answers();
  for (int i = 0; i < 30; ++i) {
    trickle.sight.bytes_read += 1'000;
    trickle.look();
  }
  CHECK(trickle.progress.hopeless());
  Watched slow = awaiting_answers();
  for (int i = 0; i < 300; ++i) {
    slow.sight.bytes_read += i % 4 == 3 ? 4'096 : 0;  // 1 KiB a second, now and then
    slow.look();
    CHECK_FALSE(slow.progress.suspect());
  }
}

TEST_CASE("moray progress: what no socket takes is suspect, whatever is answered") {
  Watched watched;
  watched.sight.output_due = true;
  watched.look();
  for (int i = 0; i < 29; ++i) {
    ++watched.sight.answers;
    watched.sight.bytes_written += 100;
    watched.look();
  }
  CHECK(watched.progress.suspect());
  CHECK(watched.progress.problem() == "nothing is taken for 29 s");
  CHECK_FALSE(watched.progress.hopeless());
  watched.look();
  CHECK(watched.progress.hopeless());
  watched.sight.bytes_written += 1 << 20;
  watched.look();
  CHECK_FALSE(watched.progress.suspect());
}

TEST_CASE("moray progress: bytes that are taken are no answer") {
  Watched watched = awaiting_answers();
  watched.sight.output_due = true;
  for (int i = 0; i < 30; ++i) {
    watched.sight.bytes_written += 1 << 20;
    watched.look();
  }
  CHECK(watched.progress.hopeless());
}

TEST_CASE("moray progress: too many given up are suspect at once, and hopeless when it lasts") {
  Watched watched = awaiting_answers();
  watched.sight.given_up = 1'001;
  for (int i = 0; i < 31; ++i) {
    CHECK_FALSE(watched.progress.hopeless());
    ++watched.sight.answers;  // of others
    watched.look();
    CHECK(watched.progress.suspect());
  }
  CHECK(watched.progress.hopeless());
  CHECK(watched.progress.problem() == "1001 requests were given up and are not answered");
  watched.sight.given_up = 1'000;
  watched.look();
  CHECK_FALSE(watched.progress.suspect());
}

TEST_CASE("moray progress: while this process stands still, nobody else is silent") {
  Watched watched = awaiting_answers();
  watched.now += 3'600s;
  watched.look();
  CHECK_FALSE(watched.progress.suspect());
}
