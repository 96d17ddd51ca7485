#include "router/serve/arriving_frames.hpp"

#include <memory>
#include <vector>

#include <doctest/doctest.h>

using router::ArrivingFrames;
using router::Bounds;

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kKiB = 1024, kMiB = 1024 * kKiB;
const ArrivingFrames::Clock::time_point kBegin{};

struct Sender final : ArrivingFrames::Holder {
  explicit Sender(ArrivingFrames& asked) : frames(asked) {}
  void frame_granted() override { granted = true; }
  void frame_stalled() override {
    stalled = true;
    frames.release(*this, kBegin);
  }
  [[nodiscard]] bool frame_is_read() const override { return read; }
  [[nodiscard]] bool input_waits() const override { return unread; }
  [[nodiscard]] bool frame_may_be_whole() override { return !gone; }
  ArrivingFrames& frames;
  bool granted = false, stalled = false, read = true, unread = false, gone = false;
};

/// A worker's view of bounds that are its own, or another's, too.
struct View {
  explicit View(std::shared_ptr<Bounds> of_process, milliseconds stall_max = seconds(60))
      : bounds(std::move(of_process)),
        memory(std::shared_ptr<budget::Budget>(bounds, &bounds->memory)),
        frames(*bounds, memory, stall_max) {}
  bool reserve(Sender& holder, std::size_t bytes) { return frames.reserve(holder, bytes, kBegin); }

  std::shared_ptr<Bounds> bounds;
  budget::Account memory;
  ArrivingFrames frames;
};

std::shared_ptr<Bounds> bounds(std::size_t memory, std::size_t arriving = 512 * kMiB) {
  return std::make_shared<Bounds>(
      router::BoundValues{.memory_bytes = memory, .arriving_bytes = arriving});
}

}  // namespace

TEST_CASE("arriving frames: half of what is free each, so that smaller ones pass those that wait") {
  View view(bounds(256 * kMiB));
  std::vector<std::unique_ptr<Sender>> large;
  for (int i = 0; i < 8; ++i) {
    large.push_back(std::make_unique<Sender>(view.frames));
    view.reserve(*large.back(), 64 * kMiB);
  }
  CHECK(view.frames.granted() == 3);  // of 128, 96 and 64
  CHECK(view.frames.waiting() == 5);
  Sender small(view.frames), middle(view.frames);
  CHECK(view.reserve(middle, 16 * kMiB));
  CHECK(view.reserve(small, kMiB));
  view.frames.release(*large[0], kBegin);  // half of 111 is free
  CHECK_FALSE(large[3]->granted);
  view.frames.release(*large[1], kBegin);
  CHECK(large[3]->granted);
  CHECK_FALSE(large[4]->granted);
  for (const auto& holder : large) view.frames.release(*holder, kBegin);
  view.frames.release(middle, kBegin);
  view.frames.release(small, kBegin);
  CHECK(view.memory.held() == 0);
  CHECK(view.bounds->arriving.used() == 0);
}

TEST_CASE("arriving frames: those of one size in the order of asking") {
  View view(bounds(256 * kMiB, 2 * kMiB));
  Sender a(view.frames), b(view.frames), c(view.frames), d(view.frames);
  CHECK(view.reserve(a, 1500 * kKiB));
  CHECK_FALSE(view.reserve(b, 1500 * kKiB));
  CHECK_FALSE(view.reserve(c, 1100 * kKiB));
  CHECK_FALSE(view.reserve(d, 1500 * kKiB));
  view.frames.release(a, kBegin);
  CHECK(b.granted);
  CHECK_FALSE(c.granted);
  view.frames.release(c, kBegin);  // it leaves while it waits
  view.frames.release(c, kBegin);  // once more harms nobody
  view.frames.release(b, kBegin);
  CHECK_FALSE(c.granted);
  CHECK(d.granted);
}

TEST_CASE("arriving frames: one that is larger than the bound is granted when it is alone") {
  View view(bounds(256 * kMiB, kMiB));
  Sender a(view.frames), b(view.frames);
  CHECK(view.reserve(a, 20 * kKiB));
  CHECK_FALSE(view.reserve(b, 5 * kMiB));
  view.frames.release(a, kBegin);
  CHECK(b.granted);
  view.frames.release(b, kBegin);
  CHECK(view.bounds->arriving.used() == 0);
}

TEST_CASE("arriving frames: what one worker gives back, another grants") {
  const auto shared = bounds(256 * kMiB, 3 * kMiB);
  View one(shared), other(shared);
  Sender a(one.frames), b(other.frames), c(other.frames);
  CHECK(one.reserve(a, 1500 * kKiB));
  CHECK(other.reserve(b, 400 * kKiB));
  CHECK_FALSE(other.reserve(c, 1500 * kKiB));
  other.frames.tick(kBegin);
  CHECK_FALSE(c.granted);
  one.frames.release(a, kBegin);
  other.frames.tick(kBegin);
  CHECK(c.granted);
}

TEST_CASE("arriving frames: while others wait, a byte now and then is no progress") {
  View view(bounds(256 * kMiB, 4 * kMiB));
  Sender slow(view.frames), steady(view.frames), waiting(view.frames);
  CHECK(view.reserve(slow, kMiB));
  CHECK(view.reserve(steady, 900 * kKiB));
  const auto pass = [&](auto until) {
    for (auto now = kBegin; now <= kBegin + until; now += milliseconds(500)) {
      view.frames.arrived(slow, 1);
      view.frames.arrived(steady, 8 * kKiB);  // 900 KiB in less than 60 s
      view.frames.tick(now);
    }
  };
  pass(seconds(30));
  CHECK_FALSE(slow.stalled);  // nobody waits
  CHECK_FALSE(view.reserve(waiting, 2000 * kKiB));
  pass(seconds(45));
  CHECK(slow.stalled);
  CHECK_FALSE(steady.stalled);
  CHECK_FALSE(waiting.stalled);
  CHECK(waiting.granted);
}

TEST_CASE("arriving frames: what a worker is late by is not the clients' time") {
  View view(bounds(256 * kMiB, 4 * kMiB));
  Sender steady(view.frames), silent(view.frames), waiting(view.frames);
  CHECK(view.reserve(steady, 900 * kKiB));
  CHECK(view.reserve(silent, 900 * kKiB));
  CHECK_FALSE(view.reserve(waiting, 3000 * kKiB));
  auto now = kBegin;
  const auto pass = [&](milliseconds time) {
    for (const auto until = now + time; now < until;) {
      view.frames.arrived(steady, 8 * kKiB);
      view.frames.tick(now += milliseconds(500));
    }
  };
  pass(seconds(3));
  view.frames.tick(now += seconds(20));  // nothing was read in these
  CHECK_FALSE(steady.stalled);
  CHECK_FALSE(silent.stalled);
  pass(seconds(10));
  CHECK_FALSE(steady.stalled);
  CHECK(silent.stalled);
}

TEST_CASE("arriving frames: what was sent and not read yet is not its client's delay") {
  View view(bounds(256 * kMiB));
  Sender sender(view.frames);
  REQUIRE(view.reserve(sender, kMiB));
  sender.unread = true;
  for (auto now = kBegin; now < kBegin + seconds(120); now += milliseconds(100))
    view.frames.tick(now);
  CHECK_FALSE(sender.stalled);
  sender.unread = false;
  view.frames.tick(kBegin + seconds(120));
  CHECK(sender.stalled);
}

TEST_CASE("arriving frames: where nobody waits, a kilobyte a second will do, and less will not") {
  View view(bounds(256 * kMiB));
  Sender enough(view.frames), less(view.frames), not_read(view.frames);
  CHECK(view.reserve(enough, 64 * kMiB));
  CHECK(view.reserve(less, kMiB));
  CHECK(view.reserve(not_read, kMiB));
  not_read.read = false;
  for (int second = 1; second <= 100; ++second) {
    view.frames.arrived(enough, 1100);
    view.frames.arrived(less, 900);
    view.frames.tick(kBegin + seconds(second));
  }
  CHECK_FALSE(enough.stalled);
  CHECK(less.stalled);
  CHECK_FALSE(not_read.stalled);  // it is not the client that waits
}

TEST_CASE("arriving frames: of many who wait, each is asked whether it is still there") {
  View view(bounds(256 * kMiB, kMiB));
  Sender first(view.frames);
  CHECK(view.reserve(first, kMiB));
  std::vector<std::unique_ptr<Sender>> many;
  for (int i = 0; i < 1000; ++i) {
    many.push_back(std::make_unique<Sender>(view.frames));
    CHECK_FALSE(view.reserve(*many.back(), kMiB));
    many.back()->gone = i % 2 == 0;
  }
  for (int tick = 0; tick < 20; ++tick) view.frames.tick(kBegin);
  CHECK(view.frames.waiting() == 500);
  for (const auto& holder : many) CHECK(holder->stalled == holder->gone);
}
