#include "router/serve/large_frames.hpp"

#include <doctest/doctest.h>

using router::LargeFrames;

namespace {

struct Holder final : LargeFrames::Holder {
  void large_frame_granted() override { granted = true; }
  void large_frame_stalled() override { stalled = true; }
  bool granted = false, stalled = false;
};

const LargeFrames::Clock::time_point kBegin{};
constexpr std::chrono::milliseconds kStall{100};

}  // namespace

TEST_CASE("large frames: what fits is granted at once, the rest in order of asking") {
  LargeFrames frames(1000, kStall);
  Holder a, b, c, d;
  CHECK(frames.reserve(a, 600, kBegin));
  CHECK_FALSE(frames.reserve(b, 600, kBegin));
  CHECK_FALSE(frames.reserve(c, 100, kBegin));  // it would fit, but b comes first
  CHECK_FALSE(frames.reserve(d, 400, kBegin));
  frames.release(a, kBegin);
  CHECK(b.granted);
  CHECK(c.granted);
  CHECK_FALSE(d.granted);
  CHECK(frames.bytes_reserved() == 700);
  frames.release(b, kBegin);
  CHECK(d.granted);
}

TEST_CASE("large frames: one that is larger than all is granted when it is alone") {
  LargeFrames frames(1000, kStall);
  Holder a, b;
  CHECK(frames.reserve(a, 1, kBegin));
  CHECK_FALSE(frames.reserve(b, 5000, kBegin));
  frames.release(a, kBegin);
  CHECK(b.granted);
  frames.release(b, kBegin);
  CHECK(frames.bytes_reserved() == 0);
}

TEST_CASE("large frames: one that leaves while it waits is forgotten, and lets others by") {
  LargeFrames frames(1000, kStall);
  Holder a, b, c;
  CHECK(frames.reserve(a, 900, kBegin));
  CHECK_FALSE(frames.reserve(b, 900, kBegin));
  CHECK_FALSE(frames.reserve(c, 100, kBegin));
  frames.release(b, kBegin);
  CHECK_FALSE(b.granted);
  CHECK(c.granted);
  frames.release(b, kBegin);  // once more harms nobody
  CHECK(frames.bytes_reserved() == 1000);
}

TEST_CASE("large frames: who sends nothing for too long is cut; who waits for others is not") {
  LargeFrames frames(1000, kStall);
  Holder slow, steady, waiting;
  CHECK(frames.reserve(slow, 500, kBegin));
  CHECK(frames.reserve(steady, 500, kBegin));
  CHECK_FALSE(frames.reserve(waiting, 500, kBegin));
  frames.progressed(steady, kBegin + std::chrono::milliseconds(90));
  frames.cut_stalled(kBegin + std::chrono::milliseconds(120));
  CHECK(slow.stalled);
  CHECK_FALSE(steady.stalled);
  CHECK_FALSE(waiting.stalled);
  frames.release(slow, kBegin + std::chrono::milliseconds(120));
  CHECK(waiting.granted);
  frames.cut_stalled(kBegin + std::chrono::milliseconds(200));
  CHECK(steady.stalled);
  CHECK_FALSE(waiting.stalled);  // its time began when it was granted
}
