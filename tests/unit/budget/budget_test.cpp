#include "budget/budget.hpp"
#include "budget/trim.hpp"

#include <algorithm>
#include <deque>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using budget::Account;
using budget::Budget;
using budget::Charge;

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

}  // namespace

TEST_CASE("budget: the bound holds, what is there already counts beyond it") {
  Budget budget(10);
  CHECK(budget.take(10));
  CHECK_FALSE(budget.take(1));
  budget.take_anyway(5);
  CHECK(budget.used() == 15);
  CHECK(budget.free() == 0);
  budget.give(6);
  CHECK(budget.free() == 1);
  CHECK_FALSE(budget.take(2));
  CHECK_FALSE(budget.take(~std::size_t{0}));
  CHECK(budget.take(1));
  budget.configure(5);
  CHECK(budget.free() == 0);
  CHECK(budget.used() == 10);
}

TEST_CASE("budget: charges give back what they hold, and an account its reserve") {
  const auto whole = std::make_shared<Budget>(100 * kMiB);
  {
    Account account(whole);
    Charge one(account), other(account);
    CHECK(one.grow(kMiB));
    other.set(50);
    CHECK(account.held() == kMiB + 50);
    other = std::move(one);
    CHECK(other.bytes() == kMiB);
    one.set(0);
    CHECK(account.held() == kMiB);
    CHECK(whole->used() >= kMiB);
    CHECK(whole->used() <= 3 * kMiB);  // some is kept back
    other.set(0);
    CHECK(account.held() == 0);
  }
  CHECK(whole->used() == 0);
}

TEST_CASE("budget: many who take all that they may leave a share to the next") {
  const std::size_t all = 256 * kMiB;
  for (const std::size_t greedy : {1u, 4u, 100u, 2000u}) {
    CAPTURE(greedy);
    const auto whole = std::make_shared<Budget>(all);
    Account account(whole);
    std::deque<Charge> charges;
    for (std::size_t i = 0; i < greedy; ++i) charges.emplace_back(account);
    // In turns, a little at a time: until none may take more.
    for (bool more = true; more;) {
      more = false;
      for (Charge& charge : charges) {
        const std::size_t step = 16 << 10;
        if (charge.bytes() + step > account.share() || !charge.grow(step)) continue;
        more = true;
      }
    }
    const std::size_t left = account.free(), fair = all / (greedy + 4);
    CHECK(left >= 3 * fair);  // of four, less what a step is
    const auto [least, most] =
        std::minmax_element(charges.begin(), charges.end(),
                            [](const Charge& a, const Charge& b) { return a.bytes() < b.bytes(); });
    CHECK(most->bytes() - least->bytes() <= 64 << 10);
    charges.clear();
    CHECK(account.held() == 0);
  }
}

TEST_CASE("budget: threads that take and give pass the bound never, and leave nothing") {
  const auto whole = std::make_shared<Budget>(4 * kMiB);
  std::atomic<std::size_t> beyond{0}, taken{0};
  std::vector<std::thread> threads;
  for (unsigned seed = 1; seed <= 4; ++seed)
    threads.emplace_back([&, seed] {
      Account account(whole);
      std::deque<Charge> charges;
      unsigned random = seed;
      for (int i = 0; i < 20'000; ++i) {
        random = random * 1664525u + 1013904223u;
        Charge charge(account);
        if (charge.grow(random >> 14)) {
          ++taken;
          if (account.held() > 4 * kMiB) ++beyond;
          charges.push_back(std::move(charge));
        }
        if (charges.size() > 8) charges.pop_front();
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(beyond == 0);
  CHECK(taken > 0);
  CHECK(whole->used() == 0);
}

TEST_CASE("trim: memory goes back once a burst is over, and only where it is worth it") {
  budget::Trim trim;
  const auto look = [&](std::size_t held) { return trim.look(held, 0); };
  CHECK_FALSE(look(100 * kMiB));
  CHECK_FALSE(look(60 * kMiB));
  CHECK_FALSE(look(40 * kMiB));  // it may come back at once
  CHECK_FALSE(look(90 * kMiB));
  CHECK_FALSE(look(6 * kMiB));
  CHECK(look(6 * kMiB));
  CHECK_FALSE(look(6 * kMiB));
  CHECK_FALSE(look(0));
  CHECK_FALSE(look(0));
  CHECK_FALSE(look(7 * kMiB));
  CHECK_FALSE(look(0));
  CHECK_FALSE(look(0));
}

TEST_CASE("trim: where the process has grown, a small burst is enough") {
  budget::Trim trim;
  CHECK_FALSE(trim.look(0, 10 * kMiB));
  CHECK_FALSE(trim.look(6 * kMiB, 60 * kMiB));
  CHECK_FALSE(trim.look(0, 60 * kMiB));
  CHECK(trim.look(0, 60 * kMiB));
}

TEST_CASE("trim: what nobody counts goes back too, when it grows no more") {
  budget::Trim trim;
  const auto looks = [&](std::size_t own, std::size_t times) {
    std::size_t trims = 0;
    for (std::size_t i = 0; i < times; ++i) trims += trim.look(0, own) ? 1 : 0;
    return trims;
  };
  CHECK(looks(10 * kMiB, 10) == 0);
  for (std::size_t own = 20; own < 200; own += 10) CHECK_FALSE(trim.look(0, own * kMiB));
  CHECK(looks(190 * kMiB, 1) == 1);
  CHECK(looks(190 * kMiB, 100) == 0);  // it is used
}

TEST_CASE("trim: a load that takes again what was given back is left alone, ever longer") {
  budget::Trim trim;
  std::size_t own = 10 * kMiB, trims = 0;
  for (std::size_t second = 0; second < 2'000; ++second) {
    const bool now = trim.look(0, own);
    trims += now ? 1 : 0;
    own = (now ? 10 : 60) * kMiB;
  }
  CHECK(trims > 5);
  CHECK(trims < 15);
}
