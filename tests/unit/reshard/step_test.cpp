#include "reshard/step.hpp"

#include <algorithm>
#include <vector>

#include <doctest/doctest.h>

using namespace reshard;

namespace {

constexpr auto kActs = static_cast<std::uint8_t>(Act::aborted) + 1;

Progress at(Act act) {
  Progress progress;
  progress.act = act;
  return progress;
}

/// The acts from this one to the end, where each is done at the first attempt.
std::vector<Act> way(Progress progress) {
  std::vector<Act> acts;
  while (progress.act != Act::finished && progress.act != Act::aborted && acts.size() < 100) {
    acts.push_back(progress.act);
    progress = after(progress, Outcome::done);
  }
  acts.push_back(progress.act);
  return acts;
}

bool has(const std::vector<Act>& acts, Act act) {
  return std::find(acts.begin(), acts.end(), act) != acts.end();
}

}  // namespace

TEST_CASE("step: a plan that meets no trouble takes every act in its order") {
  const auto acts = way({});
  CHECK(acts.front() == Act::take_over);
  CHECK(acts.back() == Act::finished);
  CHECK(acts.size() == 27);
  for (std::size_t i = 1; i < acts.size() - 1; ++i) CHECK(acts[i - 1] < acts[i]);
  for (const Act act :
       {Act::back_out, Act::unblock_source, Act::drop_pending, Act::abort_plan, Act::clean_target})
    CHECK_FALSE(has(acts, act));
}

TEST_CASE("step: a rollback copies nothing, and all the rest is the same") {
  const auto forward = way({}), back = way(rollback());
  CHECK(back.size() == forward.size() - 1);
  CHECK_FALSE(has(back, Act::copy));
  CHECK(has(back, Act::wait_armed));
}

TEST_CASE(
    "step: until the commit, trouble and crashes let the row decide; routers are unblocked and "
    "forget") {
  for (auto number = static_cast<std::uint8_t>(Act::prepare);
       number <= static_cast<std::uint8_t>(Act::commit); ++number) {
    const auto act = static_cast<Act>(number);
    CAPTURE(to_string(act));
    for (const Progress& next : {after(at(act), Outcome::failed), resumed(at(act))}) {
      const auto acts = way(next);
      CHECK((acts[0] == Act::back_out || (acts[0] == Act::take_over && acts[1] == Act::back_out)));
      CHECK(has(acts, Act::unblock_source));
      CHECK(has(acts, Act::drop_pending));
      CHECK(acts.back() == Act::finished);  // another attempt
    }
  }
  Progress given_up = at(Act::fence);
  given_up.give_up = true;
  CHECK(way(after(given_up, Outcome::failed)).back() == Act::aborted);
}

TEST_CASE("step: behind the commit nothing leads back") {
  for (const Act act : {Act::activate, Act::commit_target, Act::unblock, Act::soak, Act::finalize,
                        Act::begin_cleanup, Act::clean, Act::end_cleanup}) {
    CAPTURE(to_string(act));
    for (const Progress& next : {after(at(act), Outcome::failed), resumed(at(act))}) {
      const auto acts = way(next);
      CHECK(acts.front() == Act::take_over);
      CHECK_FALSE(has(acts, Act::back_out));
      CHECK_FALSE(has(acts, Act::abort_plan));
    }
  }
  CHECK(after(at(Act::back_out), Outcome::committed).act == Act::wait_commit_flushed);
  CHECK(after(at(Act::abort_plan), Outcome::committed).act == Act::wait_commit_flushed);
}

TEST_CASE("step: where a server has changed, all is compared before the next attempt") {
  const auto acts = way(after(at(Act::compare_servers), Outcome::changed));
  const auto commit = std::find(acts.begin(), acts.end(), Act::commit);
  CHECK(std::count(acts.begin(), commit, Act::verify) ==
        2);  // once to repair, once more to see that it is
  CHECK(std::count(acts.begin(), commit, Act::pump) == 2);
}

TEST_CASE("step: each attempt of a cutover has a number of its own; every act has a name") {
  CHECK(after(at(Act::back_out), Outcome::done).attempt == 2);
  CHECK(after(at(Act::copy), Outcome::more) == at(Act::copy));
  for (std::uint8_t number = 0; number < kActs; ++number)
    CHECK_FALSE(to_string(static_cast<Act>(number)).empty());
  CHECK(to_string(Act::aborted) == "aborted");
  CHECK(to_string(Act::commit) == "commit");
}
