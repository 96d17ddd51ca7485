#include "turns/fair_queue.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using turns::FairQueue;

namespace {

const FairQueue::Clock::time_point kStart{std::chrono::seconds(5)};

struct Item : turns::Entry {
  Item(int of, std::size_t size, int place) : client(of), bytes(size), number(place) {}
  int client;
  std::size_t bytes;
  int number;
};

/// Clients are told apart by addresses alone.
const char kClients[64] = {};

struct Line {
  turns::Ledger own;
  FairQueue queue;
  std::deque<Item> items;

  Line() : queue(own) {}
  explicit Line(turns::Ledger& shared) : queue(shared) {}
  Item& add(int client, std::size_t bytes = 0, FairQueue::Clock::time_point now = kStart) {
    Item& item = items.emplace_back(client, bytes, static_cast<int>(items.size()));
    queue.add(item, &kClients[client], bytes, now);
    return item;
  }
  Item* next() { return static_cast<Item*>(queue.next()); }
};

}  // namespace

TEST_CASE("one who asks for little comes before the rest of one who asks for much") {
  Line line;
  for (int i = 0; i < 1000; ++i) line.add(0);
  CHECK(line.next()->client == 0);
  line.add(1);
  int before = 0;
  while (line.next()->client != 1) ++before;
  CHECK(before <= 1);
  for (int i = 0; i < 100; ++i) CHECK(line.next()->client == 0);
}

TEST_CASE("clients that have least waiting come first, and the rest goes on") {
  Line line;
  for (int i = 0; i < 1000; ++i) line.add(0);
  int served[40] = {};
  for (int client = 1; client < 40; ++client) line.add(client);
  for (int i = 0; i < 400; ++i) {
    const Item* next = line.next();
    ++served[next->client];
    if (next->client != 0) line.add(next->client);
  }
  CHECK(served[0] >= 10);
  CHECK(served[0] <= 100);
  for (int client = 1; client < 40; ++client) CHECK(served[client] >= 7);
}

TEST_CASE("one who had to wait, and has ten waiting, still comes before those that have hundreds") {
  Line line;
  for (int client = 0; client < 30; ++client)
    for (int i = 0; i < 200; ++i) line.add(client);
  for (int i = 0; i < 10; ++i) line.add(50);
  int turns = 0, left = 10;
  for (; left > 0; ++turns) left -= line.next()->client == 50 ? 1 : 0;
  CHECK(turns <= 14);
}

TEST_CASE("who has hundreds waiting elsewhere has many here, until they are gone") {
  turns::Ledger ledger;
  Line here(ledger), elsewhere(ledger);
  for (int i = 0; i < 300; ++i) elsewhere.add(0);
  here.add(0);
  here.add(1);
  here.add(1);
  CHECK(here.next()->client == 1);  // though 0 has less here
  CHECK(here.next()->client == 1);
  CHECK(here.next()->client == 0);
  // Of what waited before it is told by `look_at_ledger`.
  here.add(1);
  CHECK(here.next()->client == 1);  // the fourth turn
  here.add(0);
  here.add(1);
  here.add(1);
  while (elsewhere.next() != nullptr) {
  }
  here.queue.look_at_ledger();
  CHECK(here.next()->client == 0);
}

TEST_CASE("what waits elsewhere counts as eight times what waits here, at most") {
  turns::Ledger ledger;
  Line here(ledger), hangs(ledger);
  for (int i = 0; i < 5000; ++i) hangs.add(0);
  for (int i = 0; i < 100; ++i) here.add(1);
  here.add(0);
  CHECK(here.next()->client == 0);
}

TEST_CASE("no more late requests are taken than the caller allows, shared equally by clients") {
  Line line;
  for (int client = 0; client < 60; ++client)
    for (int i = 0; i < 3; ++i) line.add(client);
  int lost[60] = {};
  for (int i = 0; i < 15; ++i) {
    turns::Entries late;
    const auto all = kStart + 1s;
    line.queue.take_late(all, all, 8, late);
    CHECK(late.size() == 8);
    while (!late.empty()) {
      auto& item = static_cast<Item&>(late.front());
      ++lost[item.client];
      line.queue.remove(item);
    }
  }
  for (const int each : lost) CHECK(each == 2);
}

TEST_CASE("everyone gets a quarter of an equal share, and its own in order") {
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    Line line;
    const int clients = 2 + static_cast<int>(random() % 20);
    std::vector<int> served(static_cast<std::size_t>(clients));
    for (int i = 0; i < clients; ++i)
      for (int each = 1 << random() % 10; each > 1; --each) line.add(i, random() % 500);
    for (int i = 0; i < clients; ++i) line.add(i);
    std::map<int, int> last;
    const int turns = 400 * clients;
    for (int i = 0; i < turns; ++i) {
      const Item* next = line.next();
      REQUIRE(next != nullptr);
      const auto before = last.find(next->client);
      if (before != last.end()) REQUIRE(before->second < next->number);
      last[next->client] = next->number;
      ++served[static_cast<std::size_t>(next->client)];
      line.add(next->client, random() % 500);
    }
    for (const int each : served) CHECK(each >= 92);
  }
}

TEST_CASE("by bytes: as much waiting is as much served, in many requests or in few") {
  Line line;
  constexpr std::size_t kLarge = 1 << 20, kSmall = 1 << 10;
  for (int i = 0; i < 2; ++i) line.add(0, kLarge);
  for (std::size_t i = 0; i < 2 * (kLarge + 4096) / (kSmall + 4096); ++i) line.add(1, kSmall);
  double served[2] = {};
  for (int i = 0; i < 20'000; ++i) {
    const Item* next = line.next();
    served[next->client] += static_cast<double>(next->bytes) + 4096;
    line.add(next->client, next->bytes);
  }
  CHECK(served[0] < 1.1 * served[1]);
  CHECK(served[1] < 1.1 * served[0]);
}

TEST_CASE(
    "entries that are added, taken, removed and late come out once each, and in their order") {
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    turns::Ledger ledger;
    FairQueue queue(ledger);
    std::vector<std::unique_ptr<Item>> all;
    std::map<int, std::deque<Item*>> model;
    std::size_t count = 0;
    auto now = kStart;
    const auto gone = [&](Item* item) {
      auto& mine = model[item->client];
      const auto found = std::find(mine.begin(), mine.end(), item);
      REQUIRE(found != mine.end());
      mine.erase(found);
      --count;
    };
    for (int step = 0; step < 2000; ++step) {
      now += std::chrono::milliseconds(random() % 3);
      const int client = static_cast<int>(random() % 5);
      auto& mine = model[client];
      switch (random() % 8) {
        case 0:
        case 1:
        case 2: {
          all.push_back(std::make_unique<Item>(client, random() % 30'000, step));
          queue.add(*all.back(), &kClients[client], all.back()->bytes, now);
          mine.push_back(all.back().get());
          ++count;
          break;
        }
        case 3:
        case 4:
        case 5: {
          auto* next = static_cast<Item*>(queue.next());
          REQUIRE((next == nullptr) == (count == 0));
          if (next == nullptr) break;
          REQUIRE(!next->waits());
          REQUIRE(model[next->client].front() == next);
          gone(next);
          break;
        }
        case 6: {
          if (mine.empty()) break;
          Item* item = mine[random() % mine.size()];
          queue.remove(*item);
          REQUIRE(!item->waits());
          gone(item);
          break;
        }
        default: {
          turns::Entries late;
          const auto before = now - std::chrono::milliseconds(random() % 60);
          const std::size_t most = random() % 3 == 0 ? 3 : 100'000;
          const auto alone = before - std::chrono::milliseconds(20);
          queue.take_late(before, alone, most, late);
          while (!late.empty()) {
            auto* item = static_cast<Item*>(&late.front());
            REQUIRE(item->waits_since() < (model[item->client].size() == 1 ? alone : before));
            REQUIRE(item->waits());
            queue.remove(*item);
            gone(item);
          }
          if (most == 3) break;
          for (const auto& [each, waiting] : model)
            for (const Item* item : waiting)
              REQUIRE(item->waits_since() >= (waiting.size() == 1 ? alone : before));
        }
      }
      REQUIRE(queue.count() == count);
    }
    queue.for_each([&](turns::Entry& entry) { queue.remove(entry); });
    CHECK(queue.empty());
    CHECK(queue.next() == nullptr);
  }
}
